/** Digits before the point up to which the server writes a double without an exponent. */
const PLAIN_DIGITS_MAX = 15;

/**
 * A double as the server writes it into JSON text: the shortest digits that read back as the same double; plain where
 * the point lies within 15 places of the first digit (or among the digits), else with an exponent that has neither
 * plus sign nor leading zeros; with `.0` where nothing else tells it from an integer.
 */
export function serverDoubleText(value: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const sign = value < 0 ? "-" : "";
  const [mantissa = "", exponentText = "0"] = Math.abs(value).toExponential().split("e");
  const digits = mantissa.replace(".", "");
  // Where the point lies: behind so many digits, or so many zeros in front of them.
  const point = Number(exponentText) + 1;
  if (point <= -PLAIN_DIGITS_MAX || (point > PLAIN_DIGITS_MAX && digits.length <= point)) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
    return `${sign}${digits.slice(0, 1)}${fraction}e${point - 1}`;
  }
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (digits.length <= point) return `${sign}${digits}${"0".repeat(point - digits.length)}.0`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
