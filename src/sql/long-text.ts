import { byteClass, DIGIT, IDENT, SPACE } from "./byte-class.ts";
import { KW } from "./keywords.ts";
import type { SqlModes } from "./statement.ts";
import { TOKEN, Tokenizer } from "./tokenizer.ts";
import { isBuiltInCall, numberOf, wordNumber } from "./word-table.ts";

/** What can be known of a statement before its end has come. */
export interface LongHead {
  /** A short text that names the same tables, for the classifier. */
  readonly text: Buffer;
  /** Byte of the head at which the part begins that names none, if {@link LongTail} has nothing against it. */
  readonly tailAt: number;
}

const PAREN_OPEN = 0x28;
const PAREN_CLOSE = 0x29;

/** What completes a head that ends with the word; the classifier need not understand the rest. */
const COMPLETED: ReadonlyMap<number, string> = new Map([
  [KW.VALUES, " (1)"],
  [KW.SET, " a = 1"],
  [KW.WHERE, " 1"],
]);

/**
 * Finds the word, outside of all parentheses, behind which a statement lists no tables any more: VALUES or SET of an
 * INSERT, SET of an UPDATE, WHERE. Such words are reserved, so none of them is a name. Undefined where there is none
 * in what has come, or the text could be read in several ways.
 */
export function longHead(head: Buffer, modes: SqlModes): LongHead | undefined {
  if ((modes.charset ?? "utf8") === "unsafe") return undefined;
  const lexer = new Tokenizer(head, modes);
  if (lexer.next() !== TOKEN.WORD) return undefined;
  const first = lexer.code;
  const inserts = first === KW.INSERT || first === KW.REPLACE;
  let depth = 0;
  let queried = false;
  for (;;) {
    const kind = lexer.next();
    if (kind === TOKEN.END || kind === TOKEN.BAD || kind === TOKEN.SEMICOLON) return undefined;
    if (kind === TOKEN.OPERATOR) {
      if (lexer.code === PAREN_OPEN) depth += 1;
      else if (lexer.code === PAREN_CLOSE) depth -= 1;
    }
    if (kind !== TOKEN.WORD) continue;
    if (lexer.code === KW.SELECT || lexer.code === KW.TABLE) queried = true;
    if (depth !== 0) continue;
    const ends =
      lexer.code === KW.WHERE ||
      (lexer.code === KW.VALUES && inserts && !queried) ||
      (lexer.code === KW.SET && (inserts || first === KW.UPDATE) && !queried);
    if (!ends || lexer.doubt !== undefined) continue;
    const text = Buffer.concat([head.subarray(0, lexer.end), Buffer.from(COMPLETED.get(lexer.code) ?? "")]);
    return { text, tailAt: lexer.end };
  }
}

/** With one of these, tables may be named again, or the session may be changed. */
const TELLING: ReadonlySet<number> = new Set(
  [
    ...[
      "SELECT",
      "TABLE",
      "FROM",
      "WITH",
      "JOIN",
      "STRAIGHT_JOIN",
      "INTO",
      "UNION",
      "EXCEPT",
      "INTERSECT",
      "PROCEDURE",
    ],
    ...[
      "GET_LOCK",
      "RELEASE_LOCK",
      "RELEASE_ALL_LOCKS",
      "IS_FREE_LOCK",
      "IS_USED_LOCK",
      "LAST_INSERT_ID",
      "FOUND_ROWS",
    ],
    ...["ROW_COUNT", "CONNECTION_ID", "PS_CURRENT_THREAD_ID", "SQL_CALC_FOUND_ROWS", "LOAD_FILE", "SLEEP", "BENCHMARK"],
  ].map(numberOf),
);

const BACKQUOTE = 0x60;
const BACKSLASH = 0x5c;
const DOLLAR = 0x24;
const DOT = 0x2e;
const DOUBLE_QUOTE = 0x22;
const MINUS = 0x2d;
const SEMICOLON = 0x3b;
const SINGLE_QUOTE = 0x27;
const SLASH = 0x2f;
const STAR = 0x2a;
const ZERO_DIGIT = 0x30;

/** `( ) , . + - * / % = < > ! & | ^ ~ ?` and nothing else: neither comments nor variables. */
const PLAIN_PUNCTUATION: Uint8Array = (() => {
  const plain = new Uint8Array(256);
  for (const byte of Buffer.from("(),.+-*/%=<>!&|^~?")) plain[byte] = 1;
  return plain;
})();

/** Longer words are names. */
const WORD_BYTES_MAX = 64;

/** What the word at the present place has been so far. `0x` and `0b` are told from names by all that follows. */
const FORM = { NAME: 0, ZERO: 1, DIGITS: 2, EXPONENT: 3, HEX: 4, BITS: 5 } as const;

function firstForm(byte: number, qualified: boolean): number {
  if (qualified || byteClass[byte] !== DIGIT) return FORM.NAME;
  return byte === ZERO_DIGIT ? FORM.ZERO : FORM.DIGITS;
}

/** The form of a number with one more byte; {@link FORM.NAME} where it is none any more, or may be two words. */
function nextForm(form: number, byte: number): number {
  const lower = byte | 0x20;
  const digit = byteClass[byte] === DIGIT;
  if (form === FORM.ZERO && lower === 0x78) return FORM.HEX;
  if (form === FORM.ZERO && lower === 0x62) return FORM.BITS;
  if (form === FORM.HEX) return digit || (lower >= 0x61 && lower <= 0x66) ? FORM.HEX : FORM.NAME;
  if (form === FORM.BITS) return byte === ZERO_DIGIT || byte === ZERO_DIGIT + 1 ? FORM.BITS : FORM.NAME;
  if (digit) return form === FORM.ZERO ? FORM.DIGITS : form;
  return form !== FORM.EXPONENT && lower === 0x65 ? FORM.EXPONENT : FORM.NAME;
}

/**
 * Reads the rest of a statement piece by piece, behind the word that {@link longHead} has found, and says whether
 * it can be known that it names no table, calls no stored function and changes nothing of the session: values, names,
 * operators and built-in functions. Where it cannot, the reason stays; nothing after it is looked at.
 */
export class LongTail {
  readonly #escapes: boolean;
  readonly #ansiQuotes: boolean;
  readonly #utf8: boolean;
  /** The quote of the text or name that the present place lies in; 0 outside. */
  #quote = 0;
  /** The last byte was a backslash within a text. */
  #escaped = false;
  readonly #word = Buffer.alloc(WORD_BYTES_MAX);
  #wordBytes = 0;
  /** Number of the name or word that a parenthesis would call; -1 where there is none. */
  #callable = -1;
  #spaced = false;
  /** The last byte, where it was punctuation. */
  #before = 0;
  /** Two dashes in a row have come. */
  #dashes = false;
  #form: number = FORM.NAME;
  /** A dot at the present place would stand behind a name, not behind a number or nothing. */
  #afterName = false;
  /** The present word stands behind a dot. */
  #dotted = false;
  /** And that behind a name. */
  #qualified = false;
  #ended = false;
  #problem: string | undefined;

  constructor(modes: SqlModes) {
    this.#escapes = !modes.noBackslashEscapes;
    this.#ansiQuotes = modes.ansiQuotes;
    this.#utf8 = (modes.charset ?? "utf8") === "utf8";
  }

  /** Why it is not known what the statement touches. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Reads the next piece. Answers {@link problem}. */
  read(piece: Buffer): string | undefined {
    let at = 0;
    while (at < piece.length && this.#problem === undefined) {
      at = this.#quote === 0 ? this.#outside(piece, at) : this.#inside(piece, at);
    }
    return this.#problem;
  }

  /** The text has ended. Answers {@link problem}. */
  end(): string | undefined {
    if (this.#wordBytes > 0) this.#endWord();
    return this.#problem;
  }

  #inside(piece: Buffer, from: number): number {
    let at = from;
    if (this.#escaped) {
      this.#escaped = false;
      at += 1;
    }
    const escapes =
      this.#escapes && (this.#quote === SINGLE_QUOTE || (this.#quote === DOUBLE_QUOTE && !this.#ansiQuotes));
    let quote = piece.indexOf(this.#quote, at);
    if (escapes) {
      let slash = piece.indexOf(BACKSLASH, at);
      while (slash >= 0 && (quote < 0 || slash < quote)) {
        at = slash + 2;
        if (at > piece.length) {
          this.#escaped = true;
          return piece.length;
        }
        if (quote >= 0 && quote < at) quote = piece.indexOf(this.#quote, at);
        slash = piece.indexOf(BACKSLASH, at);
      }
    }
    if (quote < 0) return piece.length;
    // A doubled quote ends one text and begins another: the same in the end.
    const named = this.#quote === BACKQUOTE || (this.#quote === DOUBLE_QUOTE && this.#ansiQuotes);
    this.#quote = 0;
    this.#callable = named ? 0 : -1;
    this.#afterName = named;
    this.#spaced = false;
    return quote + 1;
  }

  #outside(piece: Buffer, from: number): number {
    for (let at = from; at < piece.length; at++) {
      const byte = piece[at] as number;
      const kind = byteClass[byte] as number;
      if (kind === IDENT || kind === DIGIT) {
        if (!this.#wordByte(byte)) return piece.length;
        continue;
      }
      if (this.#wordBytes > 0 && !this.#endWord()) return piece.length;
      if (kind === SPACE) {
        if (this.#dashes) return this.#giveUp("a comment", piece.length);
        this.#spaced = true;
        this.#before = 0;
        this.#afterName = false;
      } else if (this.#ended) {
        return this.#giveUp("a second statement", piece.length);
      } else if (byte === SINGLE_QUOTE || byte === DOUBLE_QUOTE || byte === BACKQUOTE) {
        this.#quote = byte;
        this.#before = 0;
        this.#dashes = false;
        return at + 1;
      } else if (!this.#punctuation(byte)) return piece.length;
    }
    return piece.length;
  }

  /** False where it ends the reading, as with all that follow. */
  #wordByte(byte: number): boolean {
    if (this.#ended) return this.#give("a second statement");
    if (byte === DOLLAR || (byte >= 0x80 && !this.#utf8)) return this.#give("a name that may be read in several ways");
    if (this.#wordBytes === 0) {
      this.#dotted = this.#before === DOT;
      this.#qualified = this.#dotted && this.#afterName;
      this.#form = firstForm(byte, this.#qualified);
      // `1.e5` is a number, and another word may begin behind it.
      if (this.#dotted && !this.#qualified && (byte | 0x20) === 0x65) this.#form = FORM.EXPONENT;
    } else if (this.#form !== FORM.NAME) {
      this.#form = nextForm(this.#form, byte);
      // A number ends where its digits do: in `.1TABLE` and `1e5TABLE` a keyword follows.
      if (this.#form === FORM.NAME) return this.#give("a number and what follows it");
    }
    if (this.#wordBytes < WORD_BYTES_MAX) this.#word[this.#wordBytes] = byte;
    this.#wordBytes += 1;
    this.#before = 0;
    this.#dashes = false;
    return true;
  }

  #punctuation(byte: number): boolean {
    const { dashes, before } = { dashes: this.#dashes, before: this.#before };
    this.#ended = byte === SEMICOLON;
    if (this.#ended) return true;
    if (PLAIN_PUNCTUATION[byte] !== 1) return this.#give("a comment or a variable");
    if ((before === SLASH && byte === STAR) || (before === STAR && byte === SLASH)) return this.#give("a comment");
    if (byte === PAREN_OPEN && this.#callable >= 0 && !isBuiltInCall(this.#callable, !this.#spaced)) {
      return this.#give("what may be a stored function");
    }
    // Two dashes begin a comment only where a space follows.
    this.#dashes = byte === MINUS && (before === MINUS || dashes);
    this.#before = byte;
    if (byte !== DOT) this.#afterName = false;
    this.#callable = -1;
    this.#spaced = false;
    return true;
  }

  #endWord(): boolean {
    const length = this.#wordBytes;
    this.#wordBytes = 0;
    const number = length > WORD_BYTES_MAX ? 0 : wordNumber(this.#word, 0, length);
    // A word behind a dot is a name, whatever it says; but `1.` is a number, and what follows it any word.
    this.#callable = this.#dotted ? 0 : number;
    this.#afterName = this.#form === FORM.NAME;
    this.#spaced = false;
    if (this.#qualified || !TELLING.has(number)) return true;
    return this.#give(this.#word.toString("latin1", 0, length).toUpperCase());
  }

  #give(problem: string): false {
    this.#problem ??= problem;
    return false;
  }

  #giveUp(problem: string, at: number): number {
    this.#give(problem);
    return at;
  }
}
