// Checks a proof of liabilities in the browser; ledger/proof.py says how the tree is made, verify_liabilities.py is the
// same in Python. Amounts are BigInt in units of 10^-18.

const FORMAT = "causeway-liabilities-1";
const LIMIT = 2n ** 127n;
const WIDTH = 16;
const HASH = 32;

/** What does not match: "shape", "amount", "root" or "totals". */
export class Mismatch extends Error {}

function check(isRight, what) {
  if (!isRight) throw new Mismatch(what);
}

function join(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  parts.reduce((at, part) => {
    whole.set(part, at);
    return at + part.length;
  }, 0);
  return whole;
}

const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));

function bigEndian(value, width) {
  const bytes = new Uint8Array(width);
  for (let at = width - 1, rest = BigInt(value); at >= 0; at -= 1, rest >>= 8n) bytes[at] = Number(rest & 255n);
  return bytes;
}

function fromHex(text, length) {
  check(typeof text === "string" && text.length === 2 * length && /^[0-9a-f]*$/.test(text), "shape");
  return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
}

export const toHex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function inRange(amount) {
  check(amount >= 0n && amount < LIMIT, "amount");
  return amount;
}

function units(text) {
  check(typeof text === "string" && /^\d{1,21}(\.\d{1,18})?$/.test(text), "amount");
  const [whole, rest = ""] = text.split(".");
  return inRange(BigInt(whole + rest.padEnd(18, "0")));
}

/** An amount as plain decimal text. */
export function plain(amount) {
  const digits = amount.toString().padStart(19, "0");
  return `${digits.slice(0, -18)}.${digits.slice(-18)}`.replace(/\.?0+$/, "");
}

function vector(texts, assets) {
  check(Array.isArray(texts) && texts.length === assets.length, "shape");
  return texts.map(units);
}

const record = (hash, amounts) => join(hash, ...amounts.map((amount) => bigEndian(amount, WIDTH)));

async function rootOf(assets, top) {
  const codes = assets.map((code) => new TextEncoder().encode(code));
  const named = codes.flatMap((code) => [Uint8Array.of(code.length), code]);
  return toHex(await sha256(Uint8Array.of(4), bigEndian(codes.length, 2), ...named, top));
}

function checkShape(proof) {
  check(proof !== null && typeof proof === "object" && proof.format === FORMAT, "shape");
  const { assets, path, position, customer } = proof;
  check(Array.isArray(assets) && assets.every((code) => typeof code === "string") && Array.isArray(path), "shape");
  check([position, customer].every((number) => Number.isSafeInteger(number) && number >= 0), "shape");
}

/** Calls onStep with {hash, isLeft, amounts, top} for the leaf and each step up; throws a Mismatch unless all is well. */
export async function verify(proof, published, onStep) {
  checkShape(proof);
  const { assets, path } = proof;
  let amounts = vector(proof.amounts, assets);
  const nonce = fromHex(proof.nonce, HASH);
  const customer = await sha256(Uint8Array.of(3), bigEndian(proof.customer, 8), nonce);
  let here = record(await sha256(Uint8Array.of(0), record(customer, amounts)), amounts);
  onStep({ amounts, hash: toHex(here.slice(0, HASH)) });
  let way = BigInt(proof.position);
  for (const step of path) {
    const sums = vector(step?.sums, assets);
    const beside = record(fromHex(step.hash, HASH), sums);
    const isLeft = (way & 1n) === 1n;
    amounts = amounts.map((amount, at) => inRange(amount + sums[at]));
    here = record(await sha256(Uint8Array.of(1), ...(isLeft ? [beside, here] : [here, beside])), amounts);
    way >>= 1n;
    onStep({ amounts, hash: toHex(here.slice(0, HASH)), isLeft });
  }
  check(way === 0n && (await rootOf(assets, here)) === published, "root");
  const totals = vector(proof.totals, assets);
  check(totals.every((total, at) => total === amounts[at]), "totals");
}
