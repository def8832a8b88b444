/** What stands in a shape for a literal; texts that have such bytes themselves have no shape. */
const NUMBER = 0x01;
const STRING = 0x02;

/** Classes of bytes; 0 for those that mean nothing special. A number stands by itself between two of these. */
const BORDER = 1;
const DIGIT = 2;
const SINGLE_QUOTE = 3;
/** Names and double quotes: what is between two of them is part of the shape as it is. */
const OTHER_QUOTE = 4;
const DASH = 5;
/** What may begin a comment, a variable or an escape, and control characters. */
const REFUSED = 6;
const HIGH = 7;

const CLASSES: Uint8Array = (() => {
  const classes = new Uint8Array(256);
  classes.fill(REFUSED, 0, 0x20);
  classes.fill(HIGH, 0x80);
  for (const byte of Buffer.from("\t\n\r (),=<>")) classes[byte] = BORDER;
  for (const byte of Buffer.from("0123456789")) classes[byte] = DIGIT;
  for (const byte of Buffer.from('"`')) classes[byte] = OTHER_QUOTE;
  for (const byte of Buffer.from("\\/#@\x7f")) classes[byte] = REFUSED;
  classes[0x27] = SINGLE_QUOTE;
  classes[0x2d] = DASH;
  return classes;
})();

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * Reads the shape of texts: the text with a mark for each whole number and each string in single quotes.
 *
 * Texts of one shape are read as the same tokens, one by one, but for the values of those literals, whatever the
 * `sql_mode`; what depends on more than that has no shape: a text with a backslash, a comment, a user variable, or a
 * byte beyond ASCII where such a byte may be more than a character.
 */
export class TextShape {
  /** The shape, up to {@link length}, until the next one is read. */
  readonly bytes: Uint8Array;
  length = 0;
  hash = 0;

  constructor(bytesMax: number) {
    this.bytes = new Uint8Array(bytesMax);
  }

  /** False where the text has no shape, or is longer than shapes are read. */
  read(text: Uint8Array, utf8: boolean): boolean {
    const { bytes } = this;
    const end = text.length;
    if (end > bytes.length) return false;
    let hash = FNV_OFFSET;
    let length = 0;
    let border = true;
    for (let at = 0; at < end; ) {
      let byte = text[at] as number;
      const kind = CLASSES[byte] as number;
      let next = at + 1;
      if (kind === DIGIT && border) {
        while (next < end && CLASSES[text[next] as number] === DIGIT) next++;
        if (next === end || CLASSES[text[next] as number] === BORDER) byte = NUMBER;
        else next = at + 1;
      } else if (kind === SINGLE_QUOTE) {
        next = stringEnd(text, at, utf8);
        if (next < 0) return false;
        byte = STRING;
      } else if (kind === OTHER_QUOTE) {
        const close = text.indexOf(byte, next);
        if (close < 0 || !isSimple(text, next, close, utf8)) return false;
        for (; at < close; at++) {
          hash = Math.imul(hash ^ (text[at] as number), FNV_PRIME);
          bytes[length++] = text[at] as number;
        }
        next = close + 1;
      } else if (kind === REFUSED || (kind === HIGH && !utf8)) return false;
      else if (kind === DASH && text[next] === byte) return false;
      border = kind === BORDER;
      hash = Math.imul(hash ^ byte, FNV_PRIME);
      bytes[length++] = byte;
      at = next;
    }
    this.length = length;
    this.hash = hash;
    return true;
  }

  /** Whether it is the very shape that was kept by {@link copy}. */
  is(kept: Uint8Array): boolean {
    if (kept.length !== this.length) return false;
    const { bytes } = this;
    for (let at = 0; at < kept.length; at++) if (kept[at] !== bytes[at]) return false;
    return true;
  }

  copy(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

/** The place behind the string at `start`, or -1. A quote in it is written twice. */
function stringEnd(text: Uint8Array, start: number, utf8: boolean): number {
  for (let at = start + 1; at < text.length; at++) {
    const byte = text[at] as number;
    if (byte === 0x27) {
      if (text[at + 1] !== 0x27) return at + 1;
      at++;
    } else if (byte === 0x5c || (byte >= 0x80 && !utf8)) return -1;
  }
  return -1;
}

/** Neither a backslash nor a byte that could hide a quote, nor one that stands for a literal. */
function isSimple(text: Uint8Array, from: number, to: number, utf8: boolean): boolean {
  for (let at = from; at < to; at++) {
    const byte = text[at] as number;
    if (byte === 0x5c || byte < 0x20 || (byte >= 0x80 && !utf8)) return false;
  }
  return true;
}
