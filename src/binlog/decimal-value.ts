import { malformed } from "./event-reader.ts";

const BYTES_OF_DIGITS = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4] as const;

/** How many bytes a DECIMAL of this precision and scale takes. */
export function decimalLength(precision: number, scale: number): number {
  const whole = precision - scale;
  const part = (digits: number): number => Math.floor(digits / 9) * 4 + (BYTES_OF_DIGITS[digits % 9] ?? 0);
  return part(whole) + part(scale);
}

/**
 * The exact text of a DECIMAL in the server's packed form: groups of nine digits in four bytes, the leftover digits
 * in fewer, the sign in the inverted top bit, negative numbers complemented. Written as the server writes it: no
 * leading zeros, exactly `scale` digits after the point.
 */
export function decimalText(buffer: Buffer, at: number, precision: number, scale: number): string {
  const whole = precision - scale;
  const first = buffer[at];
  if (first === undefined || at + decimalLength(precision, scale) > buffer.length) throw malformed("a DECIMAL is cut");
  const negative = (first & 0x80) === 0;
  let offset = at;
  const group = (digits: number): string => {
    const bytes = BYTES_OF_DIGITS[digits] ?? 4;
    let value = 0;
    for (let i = 0; i < bytes; i++) {
      let byte = buffer[offset] as number;
      if (offset === at) byte ^= 0x80;
      if (negative) byte ^= 0xff;
      value = value * 256 + byte;
      offset++;
    }
    return String(value).padStart(digits, "0");
  };
  let digits = "";
  if (whole % 9 > 0) digits += group(whole % 9);
  for (let i = 0; i < Math.floor(whole / 9); i++) digits += group(9);
  let text = digits.replace(/^0+/, "");
  if (text === "") text = "0";
  if (scale > 0) {
    text += ".";
    for (let i = 0; i < Math.floor(scale / 9); i++) text += group(9);
    if (scale % 9 > 0) text += group(scale % 9);
  }
  return negative ? `-${text}` : text;
}
