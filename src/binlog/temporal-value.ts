/** Text of temporal values in rows events, as the server writes it in the session time zone +00:00. */

/** Bytes of the fraction with `digits` digits: two digits a byte. */
export function fractionBytes(digits: number): number {
  return (digits + 1) >> 1;
}

/** DATE: 3 bytes, day in 5 bits, month in 4, year above. */
export function dateText(buffer: Buffer, at: number): string {
  const value = buffer.readUIntLE(at, 3);
  return `${pad(value >> 9, 4)}-${pad((value >> 5) & 15, 2)}-${pad(value & 31, 2)}`;
}

/** TIMESTAMP: seconds since 1970 in 4 bytes, highest first, then the fraction; 0 is the zero date. */
export function timestampText(buffer: Buffer, at: number, digits: number): string {
  const seconds = buffer.readUInt32BE(at);
  const fraction = fractionText(readFraction(buffer, at + 4, digits), digits);
  return secondsText(seconds) + fraction;
}

/** DATETIME: 5 bytes, highest first, offset by 2^39: year × 13 + month in 17 bits, then 5 + 5 + 6 + 6 bits. */
export function datetimeText(buffer: Buffer, at: number, digits: number): string {
  const value = buffer.readUIntBE(at, 5) - 0x80_0000_0000;
  const low = value % 0x40_0000;
  const high = Math.floor(value / 0x40_0000);
  return dateTimeParts(high, low) + fractionText(readFraction(buffer, at + 5, digits), digits);
}

/** `high` is year × 13 + month; `low` is day, hour, minute and second in 5, 5, 6 and 6 bits. */
export function dateTimeParts(high: number, low: number): string {
  const date = `${pad(Math.floor(high / 13), 4)}-${pad(high % 13, 2)}-${pad(low >> 17, 2)}`;
  return `${date} ${pad((low >> 12) & 31, 2)}:${pad((low >> 6) & 63, 2)}:${pad(low & 63, 2)}`;
}

/**
 * TIME: 3 bytes, highest first, and the fraction, together one signed number offset by its middle: negative times
 * borrow from the integer part when they have a fraction.
 */
export function timeText(buffer: Buffer, at: number, digits: number): string {
  const extra = fractionBytes(digits);
  const unit = 256 ** extra;
  let value = buffer.readUIntBE(at, 3 + extra) - 0x80_0000 * unit;
  const sign = value < 0 ? "-" : "";
  value = Math.abs(value);
  const whole = Math.floor(value / unit);
  const text = `${sign}${pad((whole >> 12) & 1023, 2)}:${pad((whole >> 6) & 63, 2)}:${pad(whole & 63, 2)}`;
  return text + fractionText(value % unit, digits);
}

/** TIME of before MySQL 5.6: a signed number of 3 bytes, hhmmss in decimal. */
export function oldTimeText(buffer: Buffer, at: number): string {
  const value = buffer.readIntLE(at, 3);
  const digits = pad(Math.abs(value), 6);
  return `${value < 0 ? "-" : ""}${digits.slice(0, -4)}:${digits.slice(-4, -2)}:${digits.slice(-2)}`;
}

/** DATETIME of before MySQL 5.6: 8 bytes, YYYYMMDDhhmmss in decimal. */
export function oldDatetimeText(buffer: Buffer, at: number): string {
  const digits = String(buffer.readBigUInt64LE(at)).padStart(14, "0");
  const date = `${digits.slice(0, -10)}-${digits.slice(-10, -8)}-${digits.slice(-8, -6)}`;
  return `${date} ${digits.slice(-6, -4)}:${digits.slice(-4, -2)}:${digits.slice(-2)}`;
}

/** TIMESTAMP of before MySQL 5.6: seconds since 1970, lowest byte first; 0 is the zero date. */
export function oldTimestampText(buffer: Buffer, at: number): string {
  return secondsText(buffer.readUInt32LE(at));
}

function secondsText(seconds: number): string {
  if (seconds === 0) return "0000-00-00 00:00:00";
  const iso = new Date(seconds * 1000).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
}

function readFraction(buffer: Buffer, at: number, digits: number): number {
  return digits === 0 ? 0 : buffer.readUIntBE(at, fractionBytes(digits));
}

/** The stored number has an even count of digits; an odd count shows one digit less. */
function fractionText(stored: number, digits: number): string {
  if (digits === 0) return "";
  return `.${pad(stored, fractionBytes(digits) * 2).slice(0, digits)}`;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, "0");
}
