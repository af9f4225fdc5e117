// Short messages in a polite live region; each goes after a while.

import { hook } from "./dom.js";

const SHOWN_MS = 6_000;

export function toast(text, kind = "success") {
  const box = hook("toasts");
  const note = document.createElement("div");
  note.className = `note note-${kind}`;
  note.textContent = text;
  box.append(note);
  setTimeout(() => note.remove(), SHOWN_MS);
}
