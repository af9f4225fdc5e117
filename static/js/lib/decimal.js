// Amounts are text; big.js makes estimates of them, the server's figure counts.

import Big from "../../vendor/big.mjs";

Big.DP = 24;
Big.NE = -30;
Big.PE = 60;
Big.RM = Big.roundDown;

export { Big };

/** Text that a person typed as plain decimal text, or null when it is not one clear number. */
export function typed(text) {
  let plain = text.replace(/[\s'\u2019]+/g, "");
  const comma = plain.lastIndexOf(",");
  const point = plain.lastIndexOf(".");
  const isGrouped = /^[1-9]\d{0,2}(,\d{3})+$/.test(plain);
  if (comma >= 0 && point >= 0) {
    const [thousands, mark] = point > comma ? [",", "."] : [".", ","];
    plain = plain.replaceAll(thousands, "").replace(mark, ".");
  } else if (plain.indexOf(",") !== comma) {
    plain = isGrouped ? plain.replaceAll(",", "") : plain;
  } else if (comma >= 0 && !isGrouped) {
    plain = plain.replace(",", ".");
  }
  return /^\d{1,20}(\.\d{1,18})?$/.test(plain) ? plain : null;
}

/** The number as Big, or null. */
export function big(text) {
  const plain = text === null || text === undefined ? null : typed(String(text));
  return plain === null ? null : new Big(plain);
}

export const decimals = (step) => (step.includes(".") ? step.replace(/0+$/, "").split(".")[1].length : 0);

/** 1234567.8 as 1,234,567.8 */
export function group(text) {
  const [whole, rest] = String(text).split(".");
  const digits = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return rest === undefined ? digits : `${digits}.${rest}`;
}

/** All the digits it has, and no trailing zeros. */
export function amount(text) {
  if (text === null || text === undefined || text === "") return "–";
  return group(new Big(text).toFixed());
}

/** With as many decimals as the step has, more if the number needs them. */
export function atPlaces(text, places) {
  const value = text instanceof Big ? text : new Big(text);
  const own = value.toFixed().split(".")[1]?.length ?? 0;
  return group(value.toFixed(Math.max(places, own)));
}

/** The greatest multiple of the step that is not above the value. */
export function floorTo(value, step) {
  const grain = new Big(step);
  return grain.eq(0) ? value : value.div(grain).round(0, Big.roundDown).times(grain);
}

const LETTERS = [[12, "T"], [9, "B"], [6, "M"], [3, "K"]];

/** A volume in at most four figures. */
export function compact(text) {
  const value = new Big(text);
  for (const [power, letter] of LETTERS) {
    const unit = new Big(10).pow(power);
    if (value.abs().gte(unit)) return value.div(unit).toFixed(2, Big.roundHalfUp) + letter;
  }
  return value.toFixed(2, Big.roundHalfUp);
}

/** A change in per cent with its sign, and the word for its colour. */
export function change(text) {
  const value = new Big(text);
  const sign = value.gt(0) ? "+" : value.lt(0) ? "−" : "";
  return { text: `${sign}${value.abs().toFixed(2, Big.roundHalfUp)}%`, kind: value.gt(0) ? "up" : value.lt(0) ? "down" : "muted" };
}
