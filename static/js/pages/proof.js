// The customer's own part of a proof, checked here step by step; the text may be changed to see what happens.

import "../lib/site.js";
import { clone, fill, format, hook } from "../lib/dom.js";
import { group } from "../lib/decimal.js";
import { Mismatch, plain, verify } from "../lib/liabilities.js";

const part = hook("proof");

if (part) {
  const { dataset: texts } = part;
  const steps = hook("steps", part);
  const outcome = hook("outcome", part);
  const button = hook("check", part);

  const tell = (kind, text) => {
    outcome.className = `note note-${kind}`;
    outcome.textContent = text;
    outcome.hidden = false;
  };

  const show = (assets) => ({ amounts, hash, isLeft }) => {
    const own = amounts.map((amount, at) => `${group(plain(amount))} ${assets[at]}`).filter((text) => !text.startsWith("0 "));
    const title = isLeft === undefined ? texts.textLeaf : isLeft ? texts.textLeft : texts.textRight;
    steps.append(fill(clone(hook("step", part)), { title, sums: own.join(", ") || "0", hash }));
  };

  const run = async () => {
    steps.replaceChildren();
    let proof = null;
    try {
      proof = JSON.parse(hook("text", part).value);
    } catch {
      return tell("error", texts.textShape);
    }
    try {
      await verify(proof, texts.root, show(proof?.assets ?? []));
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      const why = { shape: texts.textShape, amount: texts.textAmount, totals: texts.textTotals }[error.message];
      return tell("error", why ?? texts.textRefused);
    }
    return tell("success", format(texts.textVerified, { steps: proof.path.length }));
  };

  if (globalThis.crypto?.subtle) {
    button.hidden = false;
    button.addEventListener("click", run);
  } else {
    tell("warn", texts.textInsecure);
  }
}
