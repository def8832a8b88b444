import { byteClass, DIGIT, IDENT, SPACE } from "./byte-class.ts";
import type { SqlModes } from "./statement.ts";
import { wordNumber } from "./word-table.ts";

/** Kinds of tokens. A `BAD` token is one that the server would refuse: a quote or comment that does not end. */
const KINDS = {
  END: 0,
  SEMICOLON: 1,
  WORD: 2,
  QUOTED: 3,
  STRING: 4,
  NUMBER: 5,
  USER_VARIABLE: 6,
  SYSTEM_VARIABLE: 7,
  PARAMETER: 8,
  OPERATOR: 9,
  BAD: 10,
} as const;

export const TOKEN: { readonly [Kind in keyof typeof KINDS]: number } = KINDS;

/** {@link Tokenizer.code} of the operator `:=`; other operators have the code of their one character. */
export const ASSIGN = 0x100;

const BACKSLASH = 0x5c;
const BACKQUOTE = 0x60;
const DOLLAR = 0x24;
const DOT = 0x2e;
const DOUBLE_QUOTE = 0x22;
const MINUS = 0x2d;
const NEWLINE = 0x0a;
const PLUS = 0x2b;
const SINGLE_QUOTE = 0x27;
const SLASH = 0x2f;
const STAR = 0x2a;

const OLDEST_VERSION = 80000;
const NEWEST_VERSION = 999999;

/** A place in the text to return to. */
export interface Mark {
  readonly pos: number;
  readonly kind: number;
  readonly code: number;
  readonly start: number;
  readonly end: number;
  readonly spaced: boolean;
  readonly inExecuted: boolean;
}

/**
 * Reads the tokens of a statement text one at a time, by the lexical rules of MySQL, without copying: after
 * {@link next}, the fields describe the token, and `text` between {@link start} and {@link end} is its spelling.
 *
 * Text inside an executed comment reads as if the comment marks were not there. Where it depends on something
 * unknown how the server would read the text, {@link doubt} is set and the likeliest reading is taken.
 */
export class Tokenizer {
  readonly text: Buffer;
  kind = TOKEN.END;
  /** Of a WORD: its number in the word table, 0 for a plain name. Of an OPERATOR: its character, or {@link ASSIGN}. */
  code = 0;
  start = 0;
  end = 0;
  /** Something lies between this token and the one before. */
  spaced = false;
  /** Why the reading is not certain. */
  doubt: string | undefined;
  readonly #modes: SqlModes;
  readonly #classes: Uint8Array;
  #pos = 0;
  #inExecuted = false;

  constructor(text: Buffer, modes: SqlModes) {
    this.text = text;
    this.#modes = modes;
    this.#classes = byteClass;
  }

  /** Where the next token begins, or the space before it. */
  get pos(): number {
    return this.#pos;
  }

  /** Whether a space between a function's name and its parenthesis means nothing. */
  get ignoresSpace(): boolean {
    return this.#modes.ignoreSpace === true;
  }

  /** Whether a backslash in a string is a character like others. */
  get noBackslashEscapes(): boolean {
    return this.#modes.noBackslashEscapes;
  }

  mark(): Mark {
    const { kind, code, start, end, spaced } = this;
    return { pos: this.#pos, kind, code, start, end, spaced, inExecuted: this.#inExecuted };
  }

  reset(mark: Mark): void {
    this.#pos = mark.pos;
    this.kind = mark.kind;
    this.code = mark.code;
    this.start = mark.start;
    this.end = mark.end;
    this.spaced = mark.spaced;
    this.#inExecuted = mark.inExecuted;
  }

  /** Whether the next byte that is not a space is `byte`; a comment in between counts as the byte it begins with. */
  nextByteIs(byte: number): boolean {
    const { text } = this;
    let pos = this.#pos;
    while (pos < text.length && this.#classes[text[pos] as number] === SPACE) pos++;
    return text[pos] === byte;
  }

  /** Whether a comment may begin at the next byte that is not a space. */
  nextMayBeComment(): boolean {
    return this.nextByteIs(SLASH) || this.nextByteIs(MINUS) || this.nextByteIs(0x23) || this.nextByteIs(STAR);
  }

  /** Moves to the next token and returns its kind. At the end of the text it stays there. */
  next(): number {
    const { text } = this;
    const afterDot = this.kind === TOKEN.OPERATOR && this.code === DOT;
    const before = this.#pos;
    if (!this.#skipBlanks()) return this.#token(TOKEN.BAD, this.#pos, text.length);
    const start = this.#pos;
    this.spaced = start !== before;
    if (start >= text.length) return this.#token(TOKEN.END, start, start);
    const byte = text[start] as number;
    const kind = this.#classes[byte] as number;
    if (kind === IDENT) return this.#word(start, afterDot && !this.spaced);
    if (kind === DIGIT) return afterDot && !this.spaced ? this.#word(start, true) : this.#number(start);
    return this.#punctuation(byte, start);
  }

  #token(kind: number, start: number, end: number, code = 0): number {
    this.kind = kind;
    this.code = code;
    this.start = start;
    this.end = end;
    this.#pos = end;
    return kind;
  }

  #punctuation(byte: number, start: number): number {
    const { text } = this;
    switch (byte) {
      case SINGLE_QUOTE:
        return this.#string(start, byte);
      case DOUBLE_QUOTE:
        return this.#modes.ansiQuotes ? this.#quoted(start, byte) : this.#string(start, byte);
      case BACKQUOTE:
        return this.#quoted(start, byte);
      case 0x3b: // ;
        this.#inExecuted = false;
        return this.#token(TOKEN.SEMICOLON, start, start + 1);
      case 0x3f: // ?
        return this.#token(TOKEN.PARAMETER, start, start + 1);
      case 0x40: // @
        return this.#variable(start);
      case DOT:
        if (this.#classes[text[start + 1] as number] === DIGIT && !this.#followsName())
          return this.#fraction(start, start);
        return this.#token(TOKEN.OPERATOR, start, start + 1, DOT);
      case 0x3a: // :
        if (text[start + 1] === 0x3d) return this.#token(TOKEN.OPERATOR, start, start + 2, ASSIGN);
        return this.#token(TOKEN.OPERATOR, start, start + 1, byte);
      default:
        return this.#token(TOKEN.OPERATOR, start, start + 1, byte);
    }
  }

  /** A dot right after a name separates; anywhere else, before a digit, it begins a number. */
  #followsName(): boolean {
    return !this.spaced && (this.kind === TOKEN.WORD || this.kind === TOKEN.QUOTED);
  }

  #word(start: number, afterDot: boolean): number {
    const { text } = this;
    const end = this.#wordEnd(start);
    // A word that is part of a dotted name is never a keyword.
    const dotted = text[end] === DOT && this.#isWordByte(text[end + 1]);
    if (text[start] === DOLLAR) this.doubt = "a name that begins with $ may also begin a quoted text";
    return this.#token(TOKEN.WORD, start, end, afterDot || dotted ? 0 : wordNumber(text, start, end));
  }

  #wordEnd(start: number): number {
    const { text } = this;
    const classes = this.#classes;
    let end = start;
    let high = 0;
    while (end < text.length) {
      const byte = text[end] as number;
      const kind = classes[byte] as number;
      if (kind !== IDENT && kind !== DIGIT) break;
      high |= byte;
      end++;
    }
    if (high >= 0x80) this.#judgeHighByte();
    return end;
  }

  #isWordByte(byte: number | undefined): boolean {
    if (byte === undefined) return false;
    const kind = this.#classes[byte] as number;
    return kind === IDENT || kind === DIGIT;
  }

  /** Names beyond ASCII can be read with certainty only where the text is UTF-8. */
  #judgeHighByte(): void {
    const charset = this.#modes.charset ?? "utf8";
    if (charset !== "utf8") this.doubt = "a name has characters beyond ASCII and the text is not UTF-8";
  }

  /** Digits may begin a number or, followed by letters, a name. */
  #number(start: number): number {
    const { text } = this;
    const classes = this.#classes;
    let end = start;
    if (text[start] === 0x30 && (text[start + 1] === 0x78 || text[start + 1] === 0x62)) {
      const hex = text[start + 1] === 0x78;
      end = start + 2;
      while (hex ? isHexDigit(text[end]) : text[end] === 0x30 || text[end] === 0x31) end++;
      if (end > start + 2 && !this.#isWordByte(text[end])) return this.#token(TOKEN.NUMBER, start, end);
      return this.#word(start, true);
    }
    while (classes[text[end] as number] === DIGIT) end++;
    if (text[end] === DOT) return this.#fraction(start, end);
    if (!this.#isWordByte(text[end])) return this.#token(TOKEN.NUMBER, start, end);
    const exponent = this.#exponentEnd(end);
    if (exponent > end) return this.#token(TOKEN.NUMBER, start, exponent);
    return this.#word(start, true);
  }

  /** The rest of a number from its dot on. */
  #fraction(start: number, dot: number): number {
    let end = dot + 1;
    while (this.#classes[this.text[end] as number] === DIGIT) end++;
    const byte = this.text[end];
    if (byte === 0x65 || byte === 0x45) {
      const exponent = this.#exponentEnd(end);
      if (exponent === end) this.doubt = "a number with an exponent that has no digits";
      end = exponent;
    }
    return this.#token(TOKEN.NUMBER, start, end);
  }

  /** The end of an exponent that begins at `at`, or `at` where there is none. */
  #exponentEnd(at: number): number {
    const { text } = this;
    if (text[at] !== 0x65 && text[at] !== 0x45) return at;
    let end = at + 1;
    if (text[end] === PLUS || text[end] === MINUS) end++;
    if (this.#classes[text[end] as number] !== DIGIT) return at;
    while (this.#classes[text[end] as number] === DIGIT) end++;
    return end;
  }

  #string(start: number, quote: number): number {
    const { text } = this;
    const escapes = !this.#modes.noBackslashEscapes;
    for (let pos = start + 1; pos < text.length; pos++) {
      const byte = text[pos];
      if (byte === quote) {
        if (text[pos + 1] !== quote) return this.#token(TOKEN.STRING, start, pos + 1);
        pos++;
      } else if (byte === BACKSLASH && escapes) pos++;
    }
    return this.#token(TOKEN.BAD, start, text.length);
  }

  #quoted(start: number, quote: number): number {
    const { text } = this;
    let high = 0;
    for (let pos = start + 1; pos < text.length; pos++) {
      const byte = text[pos] as number;
      high |= byte;
      if (byte !== quote) continue;
      if (text[pos + 1] !== quote) {
        if (high >= 0x80) this.#judgeHighByte();
        return this.#token(TOKEN.QUOTED, start, pos + 1);
      }
      pos++;
    }
    return this.#token(TOKEN.BAD, start, text.length);
  }

  /** `@name`, `@'name'`, `@@name`, `@@scope.name`, each one token; a lone `@` is an operator. */
  #variable(start: number): number {
    const { text } = this;
    const system = text[start + 1] === 0x40;
    const name = start + (system ? 2 : 1);
    const byte = text[name];
    if (byte === BACKQUOTE || (!system && (byte === SINGLE_QUOTE || byte === DOUBLE_QUOTE))) {
      const identifier = byte === BACKQUOTE || (byte === DOUBLE_QUOTE && this.#modes.ansiQuotes);
      const kind = identifier ? this.#quoted(name, byte) : this.#string(name, byte);
      if (kind === TOKEN.BAD) return this.#token(TOKEN.BAD, start, text.length);
      return this.#token(system ? TOKEN.SYSTEM_VARIABLE : TOKEN.USER_VARIABLE, start, this.end);
    }
    let end = name;
    while (this.#isWordByte(text[end]) || text[end] === DOT) end++;
    if (end === name) return this.#token(TOKEN.OPERATOR, start, name, 0x40);
    return this.#token(system ? TOKEN.SYSTEM_VARIABLE : TOKEN.USER_VARIABLE, start, end);
  }

  /** Skips spaces and comments. False where a comment does not end. */
  #skipBlanks(): boolean {
    const { text } = this;
    const classes = this.#classes;
    let pos = this.#pos;
    for (;;) {
      while (pos < text.length && classes[text[pos] as number] === SPACE) pos++;
      const byte = text[pos];
      if (byte === 0x23 || (byte === MINUS && text[pos + 1] === MINUS && endsDashes(text[pos + 2]))) {
        pos = text.indexOf(NEWLINE, pos);
        if (pos < 0) pos = text.length;
      } else if (byte === SLASH && text[pos + 1] === STAR) {
        pos = text[pos + 2] === 0x21 ? this.#executedComment(pos) : this.#plainComment(pos);
        if (pos < 0) return false;
      } else if (byte === STAR && this.#inExecuted && text[pos + 1] === SLASH) {
        this.#inExecuted = false;
        pos += 2;
      } else {
        this.#pos = pos;
        return true;
      }
    }
  }

  /** The place after the comment at `start`, or -1 where it does not end. */
  #plainComment(start: number): number {
    const { text } = this;
    const end = text.indexOf("*/", start + 2, "latin1");
    if (end < 0) return -1;
    if (text[start + 2] === PLUS && hasQuote(text, start, end)) {
      this.doubt = "an optimizer hint has a quoted name, which may hide its end";
    }
    return end + 2;
  }

  /** The place after the opening of an executed comment, or after all of it where no server executes it. */
  #executedComment(start: number): number {
    const { text } = this;
    const digits = start + 3;
    let count = 0;
    while (count < 6 && this.#classes[text[digits + count] as number] === DIGIT) count++;
    if (count < 5) {
      this.#inExecuted = true;
      return digits;
    }
    if (count === 6 && this.#classes[text[digits + 6] as number] !== SPACE) {
      this.doubt = "the version of a comment may be read with five or with six digits";
      count = 5;
    }
    const version = Number(text.toString("latin1", digits, digits + count));
    const servers = this.#modes.serverVersions;
    if (version > (servers?.newest ?? NEWEST_VERSION)) return this.#skippedComment(digits + count);
    if (version > (servers?.oldest ?? OLDEST_VERSION))
      this.doubt = "not every server would execute a versioned comment";
    this.#inExecuted = true;
    return digits + count;
  }

  /** A versioned comment that is not executed may hold other comments, one level deep. */
  #skippedComment(from: number): number {
    const { text } = this;
    for (let pos = from; pos < text.length - 1; pos++) {
      if (text[pos] === STAR && text[pos + 1] === SLASH) return pos + 2;
      if (text[pos] === SLASH && text[pos + 1] === STAR) {
        const end = text.indexOf("*/", pos + 2, "latin1");
        if (end < 0) return -1;
        pos = end + 1;
      }
    }
    return -1;
  }
}

function isHexDigit(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}

/** Two dashes begin a comment only before a space, a control character or the end. */
function endsDashes(byte: number | undefined): boolean {
  return byte === undefined || byte <= 0x20 || byte === 0x7f;
}

function hasQuote(text: Buffer, start: number, end: number): boolean {
  for (let pos = start; pos < end; pos++) {
    const byte = text[pos];
    if (byte === BACKQUOTE || byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE) return true;
  }
  return false;
}
