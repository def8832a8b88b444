/** Labels of an ENUM or SET as its `COLUMN_TYPE` lists them, escapes left in. */
export function enumLabels(columnType: string): string[] {
  return [...columnType.matchAll(/'((?:[^'\\]|''|\\.)*)'/gs)].map((match) => match[1] ?? "");
}

/**
 * Whether digits given as text always mean a label's number: then also `'0'`, which stores the empty value that is in
 * no list, without a warning. Not so where a label might equal a run of digits under some collation: one without any
 * Latin letter that has a digit or a character beyond ASCII (`'10'`, `'³'`).
 */
export function digitsAreNumbers(columnType: string): boolean {
  return enumLabels(columnType).every((label) => {
    const plain = label.replaceAll(/\\./gs, "");
    return /[A-Za-z]/.test(plain) || !/[0-9]|[^\x20-\x7e]/.test(plain);
  });
}

/**
 * Whether a label's number written with five digits (`'00010'`) always means that number, the widest that the server
 * reads so. Not so where a label may equal five digits under some collation: one that has, taken apart, just as many
 * digits and no letter of any script.
 */
export function fiveDigitsAreNumbers(columnType: string): boolean {
  return enumLabels(columnType).every((label) => {
    const plain = label.normalize("NFKD");
    return /\p{L}/u.test(plain) || [...plain.matchAll(/\p{N}/gu)].length !== 5;
  });
}
