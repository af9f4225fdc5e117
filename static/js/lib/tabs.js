// Tabs by the pattern of WAI-ARIA: arrows move, one is in the tab order.

import { $$ } from "./dom.js";

export function tabs(list, onShow) {
  const buttons = $$('[role="tab"]', list);
  const show = (button, isFocused) => {
    for (const other of buttons) {
      other.setAttribute("aria-selected", String(other === button));
      other.tabIndex = other === button ? 0 : -1;
    }
    if (isFocused) button.focus();
    onShow(button);
  };
  list.addEventListener("click", (event) => {
    const button = event.target.closest('[role="tab"]');
    if (button) show(button);
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = buttons.indexOf(document.activeElement);
    show(buttons[(at + step + buttons.length) % buttons.length], true);
  });
  list.hidden = false;
  show(buttons[0]);
  return (name) => show(buttons.find((button) => button.dataset.show === name) ?? buttons[0]);
}

/** Tabs whose buttons name their panels. */
export function panelTabs(list) {
  for (const button of $$('[role="tab"]', list)) {
    const panel = document.getElementById(button.getAttribute("aria-controls"));
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", button.id);
  }
  return tabs(list, (chosen) => {
    for (const button of $$('[role="tab"]', list)) {
      document.getElementById(button.getAttribute("aria-controls")).hidden = button !== chosen;
    }
  });
}
