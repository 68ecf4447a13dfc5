// Decimal strings as people read them. No float touches a quantity: "0.100000" becomes "0.1", "12000" becomes "12,000".
export function trimDecimal(value: string): string {
  const text = value.trim();
  if (!/^[+-]?\d+(\.\d+)?$/.test(text)) return text;
  const trimmed = text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
  return trimmed === "-0" ? "0" : trimmed;
}

export function groupDigits(value: string): string {
  const text = trimDecimal(value);
  const match = /^([+-]?)(\d+)(\.\d+)?$/.exec(text);
  if (!match) return text;
  const [, sign = "", whole = "", fraction = ""] = match;
  return `${sign === "-" ? "−" : ""}${whole.replace(/\B(?=(\d{3})+$)/g, ",")}${fraction}`;
}

export function isZero(value: string): boolean {
  return /^[+-]?0*(\.0*)?$/.test(value.trim());
}

export function signOf(value: string): -1 | 0 | 1 {
  if (isZero(value)) return 0;
  return value.trim().startsWith("-") ? -1 : 1;
}

/** a - b of two decimal strings, exact. */
export function minus(a: string, b: string): string {
  const places = Math.max(fractionLength(a), fractionLength(b));
  const difference = scaled(a, places) - scaled(b, places);
  const digits = (difference < 0n ? -difference : difference).toString().padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places);
  const fraction = places > 0 ? `.${digits.slice(-places)}` : "";
  return trimDecimal(`${difference < 0n ? "-" : ""}${whole}${fraction}`);
}

export function plus(a: string, b: string): string {
  return minus(a, b.startsWith("-") ? b.slice(1) : `-${b}`);
}

export function compareDecimal(a: string, b: string): number {
  return signOf(minus(a, b));
}

function fractionLength(value: string): number {
  return value.split(".")[1]?.length ?? 0;
}

function scaled(value: string, places: number): bigint {
  const negative = value.startsWith("-");
  const [whole = "0", fraction = ""] = value.replace(/^[+-]/, "").split(".");
  const amount = BigInt(whole + fraction.padEnd(places, "0"));
  return negative ? -amount : amount;
}
