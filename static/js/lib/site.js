// What every page does: menus close, times are local, copy buttons copy, a form is sent once.

import { $$ } from "./dom.js";

// Year first, as nobody can misread it.
const clock = new Intl.DateTimeFormat("sv-SE", {
  year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

/** Times as the reader's own zone has them, with milliseconds where they matter; the title keeps UTC. */
export function localTimes(root = document) {
  for (const element of $$("time[datetime]", root)) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    const part = "precise" in element.dataset ? `.${String(at.getMilliseconds()).padStart(3, "0")}` : "";
    element.textContent = clock.format(at) + part;
  }
}

function closeMenus(event) {
  for (const menu of $$("details.menu[open]")) {
    if (event.type === "keydown" ? event.key === "Escape" : !menu.contains(event.target)) {
      menu.open = false;
      if (event.type === "keydown") menu.querySelector("summary").focus();
    }
  }
}

async function copyText(button) {
  const source = document.getElementById(button.dataset.copy);
  await navigator.clipboard.writeText(source.textContent.trim());
  const before = button.textContent;
  button.textContent = button.dataset.copied;
  setTimeout(() => { button.textContent = before; }, 1500);
}

function sendOnce(event) {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  // A page that comes back from the cache may send again.
  addEventListener("pageshow", () => { delete form.dataset.sent; }, { once: true });
}

export function start() {
  localTimes();
  document.addEventListener("click", closeMenus);
  document.addEventListener("keydown", closeMenus);
  document.addEventListener("submit", sendOnce);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copyText(button);
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });
  for (const element of $$("[data-without-script]")) element.hidden = true;
}

start();
