import type { FactsDraft } from "./facts-draft.ts";
import { callEffect, variableEffect } from "./hidden-state.ts";
import { GRAMMAR_WORDS_MAX, KW } from "./keywords.ts";
import { isName, nameOf, nextIs, nextIsWord, readTableName } from "./names.ts";
import { ASSIGN, TOKEN, type Tokenizer } from "./tokenizer.ts";
import { isBuiltInCall, wordNumber } from "./word-table.ts";

/** Where a level of parentheses stands in its list of tables. */
const PHASE = { NONE: 0, EXPECT: 1, AFTER: 2, ON: 3 } as const;

/** A FROM at this level names tables. */
const QUERY = 1;
/** Tables of this level's list may be written. */
const WRITE = 2;
/** The list belongs to a DELETE: a USING replaces it. */
const DELETE = 4;
/** A name before a parenthesis may be a stored function. */
const CALLS = 8;
/** Definitions: REFERENCES and RENAME name tables. */
const DEFINITION = 16;
/** The first name of the list is a table even where a common table expression has its name. */
const BASE_TABLE = 32;
/** The WITH of this level is RECURSIVE. */
const RECURSIVE = 64;

/** Deeper nesting is not followed; the server itself refuses it somewhat later. */
const DEPTH_MAX = 500;

const PAREN_OPEN: number = 0x28;
const PAREN_CLOSE: number = 0x29;
const COMMA: number = 0x2c;
const DOT: number = 0x2e;

/** A schema's name has 64 characters; each may take four bytes, or be a quote that is doubled. */
const SCHEMA_BYTES_MAX = 260;

interface Level {
  flags: number;
  phase: number;
  /** Names of common table expressions that can be used at this level and below. */
  ctes: string[] | undefined;
  /** The level is the body of this common table expression of the level above. */
  cteBody: string | undefined;
}

/** How a scan begins: what the words before it have said about the outermost level. */
export type ScanStart = "expressions" | "query" | "update" | "delete-one" | "delete-many" | "definition";

const STARTS: Readonly<Record<ScanStart, { readonly flags: number; readonly phase: number }>> = {
  expressions: { flags: CALLS, phase: PHASE.NONE },
  query: { flags: QUERY | CALLS, phase: PHASE.NONE },
  update: { flags: QUERY | CALLS | WRITE, phase: PHASE.EXPECT },
  "delete-one": { flags: QUERY | CALLS | WRITE | DELETE | BASE_TABLE, phase: PHASE.EXPECT },
  "delete-many": { flags: QUERY | CALLS | WRITE, phase: PHASE.EXPECT },
  definition: { flags: DEFINITION, phase: PHASE.NONE },
};

/** Called at the outermost level when the list of common table expressions has ended: reads the words up to there. */
export type MainStatement = (lexer: Tokenizer, draft: FactsDraft) => ScanStart | undefined;

/**
 * Reads from the current token to the end of the statement and collects every table that a FROM, a join, a TABLE or
 * a REFERENCES names at any depth, side effects, and calls that may reach a stored function.
 *
 * It follows the parentheses and, at each depth, where in a query it stands; it does not build a tree, and what it
 * does not know it passes over, unless a table could be there: then the draft touches everything.
 */
export class TableScan {
  readonly #lexer: Tokenizer;
  readonly #draft: FactsDraft;
  readonly #mainStatement: MainStatement | undefined;
  readonly #levels: Level[] = [];
  #level: Level;
  /** The two tokens before the current one. */
  #previousKind: number = TOKEN.END;
  #previousCode = 0;
  #previousStart = 0;
  #previousEnd = 0;
  #beforePrevious = 0;
  /** Whether the previous token came after a dot. */
  #afterDot = false;
  /** How many tables were known before the list of a DELETE began: those of common table expressions. */
  #beforeDelete = 0;

  constructor(lexer: Tokenizer, draft: FactsDraft, start: ScanStart, mainStatement?: MainStatement) {
    this.#lexer = lexer;
    this.#draft = draft;
    this.#mainStatement = mainStatement;
    this.#level = { ...STARTS[start], ctes: undefined, cteBody: undefined };
  }

  /** Reads on from the current token, which is looked at first. */
  run(): void {
    const lexer = this.#lexer;
    for (;;) {
      const { kind } = lexer;
      if (kind === TOKEN.SEMICOLON || kind === TOKEN.END) break;
      if (kind === TOKEN.BAD) {
        this.#draft.touchesEverything("a quote or a comment does not end");
        break;
      }
      this.#take(kind);
      lexer.next();
    }
    if (this.#levels.length > 0) this.#draft.touchesEverything("a parenthesis does not end");
    if (this.#level.phase === PHASE.EXPECT) this.#draft.touchesEverything("a table's name was expected");
  }

  #take(kind: number): void {
    const lexer = this.#lexer;
    const { code, start, end } = lexer;
    const callable = this.#previousKind;
    if (kind === TOKEN.OPERATOR) this.#operator(code, callable);
    else if (this.#level.phase === PHASE.EXPECT) this.#tableFactor(kind, code);
    else if (kind === TOKEN.WORD) {
      if (code !== 0 && code <= GRAMMAR_WORDS_MAX) this.#word(code);
    } else if (kind === TOKEN.SYSTEM_VARIABLE) variableEffect(lexer, this.#draft);
    this.#beforePrevious = this.#previousKind === TOKEN.WORD ? this.#previousCode : 0;
    this.#afterDot = this.#previousKind === TOKEN.OPERATOR && this.#previousCode === DOT;
    this.#previousKind = kind;
    this.#previousCode = code;
    this.#previousStart = start;
    this.#previousEnd = end;
  }

  #operator(code: number, previousKind: number): void {
    const level = this.#level;
    switch (code) {
      case PAREN_OPEN:
        this.#open(previousKind);
        break;
      case PAREN_CLOSE:
        this.#close();
        break;
      case COMMA:
        if (level.phase === PHASE.EXPECT) this.#draft.touchesEverything("a table's name was expected");
        else if (level.phase !== PHASE.NONE) level.phase = PHASE.EXPECT;
        break;
      case DOT:
        if (level.phase === PHASE.EXPECT) this.#name();
        break;
      case 0x7b: // { of { OJ … }
        if (level.phase === PHASE.EXPECT) this.#lexer.next();
        break;
      case ASSIGN:
        this.#draft.addEffect("assigns-user-variables");
        break;
      default:
        if (level.phase === PHASE.EXPECT) this.#draft.touchesEverything("a table's name was expected");
    }
  }

  #open(previousKind: number): void {
    const level = this.#level;
    if (level.phase === PHASE.EXPECT) {
      level.phase = PHASE.AFTER;
      this.#push(PHASE.EXPECT, level.flags & (WRITE | CALLS | DEFINITION));
      return;
    }
    if (level.phase !== PHASE.AFTER && (previousKind === TOKEN.WORD || previousKind === TOKEN.QUOTED)) this.#call();
    this.#push(PHASE.NONE, level.flags & (CALLS | DEFINITION));
  }

  #push(phase: number, flags: number, cteBody?: string): void {
    if (this.#levels.length >= DEPTH_MAX) {
      this.#draft.touchesEverything("the parentheses are nested too deeply");
      return;
    }
    this.#levels.push(this.#level);
    this.#level = { flags, phase, ctes: undefined, cteBody };
  }

  #close(): void {
    const closed = this.#level;
    if (closed.phase === PHASE.EXPECT) this.#draft.touchesEverything("a table's name was expected");
    const outer = this.#levels.pop();
    if (outer === undefined) {
      this.#draft.touchesEverything("a parenthesis closes that was not opened");
      return;
    }
    this.#level = outer;
    if (closed.cteBody !== undefined) this.#afterCte(outer, closed.cteBody);
  }

  /** A name or keyword stands right before a parenthesis: is it a stored function, or one that hides state? */
  #call(): void {
    if ((this.#level.flags & CALLS) === 0 || this.#beforePrevious === KW.AS) return;
    const lexer = this.#lexer;
    if (this.#previousKind === TOKEN.QUOTED) {
      const number = wordNumber(lexer.text, this.#previousStart + 1, this.#previousEnd - 1);
      callEffect(number, lexer, this.#draft);
      this.#storedCall("it calls a function that may be stored");
    } else if (isBuiltInCall(this.#previousCode, !lexer.spaced || lexer.ignoresSpace)) {
      if (this.#previousCode > GRAMMAR_WORDS_MAX) callEffect(this.#previousCode, lexer, this.#draft);
    } else {
      const name = lexer.text.toString("utf8", this.#previousStart, this.#previousEnd);
      this.#storedCall(`it calls ${name}, which may be a stored function`);
    }
  }

  /** The token before the parenthesis names a function; right before it, without a space, may stand its schema. */
  #storedCall(because: string): void {
    const { text } = this.#lexer;
    const name = spelled(text, this.#previousStart, this.#previousEnd);
    if (!this.#afterDot) {
      this.#draft.callsRoutine({ name }, because);
      return;
    }
    const from = Math.max(0, this.#previousStart - 1 - SCHEMA_BYTES_MAX);
    const before = text.toString("utf8", from, this.#previousStart - 1);
    const schema = /(?:`((?:[^`]|``)+)`|(?<![\w$`"'.@\u0080-\uffff])([\w$\u0080-\uffff]+))$/u.exec(before);
    const adjoins = text[this.#previousStart - 1] === DOT;
    if (schema === null || !adjoins) this.#draft.touchesEverything(because);
    else this.#draft.callsRoutine({ schema: (schema[1] ?? schema[2] ?? "").replaceAll("``", "`"), name }, because);
  }

  /** The current token stands where a table, a subquery or a join in parentheses must be. */
  #tableFactor(kind: number, code: number): void {
    const level = this.#level;
    if (kind === TOKEN.QUOTED) this.#name();
    else if (kind !== TOKEN.WORD) this.#draft.touchesEverything("a table's name was expected");
    else if (code === KW.SELECT || code === KW.WITH || code === KW.VALUES || code === KW.TABLE) {
      level.phase = PHASE.NONE;
      level.flags &= ~WRITE;
      this.#word(code);
    } else if (code === KW.LATERAL) return;
    else if (code === KW.DUAL && !nextIs(this.#lexer, DOT)) level.phase = PHASE.AFTER;
    else if (nextIs(this.#lexer, PAREN_OPEN)) this.#tableFunction(code);
    else this.#name();
  }

  #tableFunction(code: number): void {
    this.#level.phase = PHASE.AFTER;
    if (code !== KW.JSON_TABLE) this.#draft.touchesEverything("it uses a table function that is not known");
  }

  #name(): void {
    const level = this.#level;
    const write = (level.flags & WRITE) !== 0 || (level.flags & (DEFINITION | QUERY)) === DEFINITION;
    const ref = readTableName(this.#lexer, this.#draft, write);
    level.phase = PHASE.AFTER;
    if (ref === undefined) return;
    const base = (level.flags & BASE_TABLE) !== 0;
    level.flags &= ~BASE_TABLE;
    if (!base && ref.schema === undefined && this.#isCte(ref.table)) return;
    this.#draft.addTable(ref);
  }

  #isCte(name: string): boolean {
    if (this.#level.ctes?.includes(name)) return true;
    for (let i = this.#levels.length - 1; i >= 0; i--) {
      if (this.#levels[i]?.ctes?.includes(name)) return true;
    }
    return false;
  }

  #word(code: number): void {
    const level = this.#level;
    switch (code) {
      case KW.SELECT:
        level.flags |= QUERY | CALLS;
        level.phase = PHASE.NONE;
        break;
      case KW.FROM:
        if ((level.flags & QUERY) !== 0) level.phase = PHASE.EXPECT;
        break;
      case KW.JOIN:
      case KW.STRAIGHT_JOIN:
        if (level.phase !== PHASE.NONE) level.phase = PHASE.EXPECT;
        break;
      case KW.ON:
        if (level.phase !== PHASE.NONE) level.phase = nextIsWord(this.#lexer, KW.DUPLICATE) ? PHASE.NONE : PHASE.ON;
        break;
      case KW.USING:
        this.#using();
        break;
      case KW.WHERE:
      case KW.GROUP:
      case KW.HAVING:
      case KW.ORDER:
      case KW.LIMIT:
      case KW.WINDOW:
      case KW.SET:
        level.phase = PHASE.NONE;
        break;
      default:
        this.#rareWord(code);
    }
  }

  #rareWord(code: number): void {
    switch (code) {
      case KW.INTO:
        this.#level.phase = PHASE.NONE;
        this.#into();
        break;
      case KW.FOR:
        this.#for();
        break;
      case KW.LOCK:
        this.#lockingClause();
        break;
      case KW.UNION:
      case KW.EXCEPT:
      case KW.INTERSECT:
        this.#setOperation();
        break;
      case KW.TABLE:
        this.#level.phase = PHASE.EXPECT;
        break;
      case KW.WITH:
        this.#with();
        break;
      case KW.SQL_CALC_FOUND_ROWS:
        this.#draft.addEffect("calculates-found-rows");
        break;
      case KW.REFERENCES:
        if ((this.#level.flags & DEFINITION) !== 0) this.#definitionTable();
        break;
      case KW.RENAME:
        this.#rename();
        break;
    }
  }

  /** `DELETE FROM a USING a JOIN …`: what came before were aliases. Elsewhere USING has a list of columns. */
  #using(): void {
    const level = this.#level;
    if (level.phase === PHASE.NONE || (level.flags & DELETE) === 0 || nextIs(this.#lexer, PAREN_OPEN)) return;
    this.#draft.tables?.splice(this.#beforeDelete);
    level.flags &= ~DELETE;
    level.phase = PHASE.EXPECT;
  }

  #into(): void {
    const lexer = this.#lexer;
    const mark = lexer.mark();
    const kind = lexer.next();
    if (kind === TOKEN.USER_VARIABLE) this.#draft.addEffect("assigns-user-variables");
    else if (lexer.code === KW.OUTFILE || lexer.code === KW.DUMPFILE) this.#draft.readOnly = false;
    lexer.reset(mark);
  }

  /** `USE INDEX FOR JOIN`, `FOR ORDER BY`, `FOR GROUP BY` within a list of tables; else a locking clause. */
  #for(): void {
    const level = this.#level;
    const hint =
      this.#previousKind === TOKEN.WORD && (this.#previousCode === KW.INDEX || this.#previousCode === KW.KEY);
    if (hint && level.phase !== PHASE.NONE) {
      if (nextIsWord(this.#lexer, KW.JOIN, KW.ORDER, KW.GROUP)) this.#lexer.next();
      return;
    }
    this.#lockingClause();
  }

  #lockingClause(): void {
    this.#level.phase = PHASE.NONE;
    if ((this.#level.flags & QUERY) !== 0) this.#draft.readOnly = false;
  }

  #setOperation(): void {
    const level = this.#level;
    if ((level.flags & DEFINITION) !== 0 && (level.flags & QUERY) === 0) {
      this.#draft.touchesEverything("a table that is a union of others");
    } else if (
      nextIs(this.#lexer, PAREN_OPEN) ||
      nextIsWord(this.#lexer, KW.SELECT, KW.ALL, KW.DISTINCT, KW.TABLE, KW.VALUES, KW.WITH)
    ) {
      level.phase = PHASE.NONE;
    }
  }

  #definitionTable(): void {
    this.#lexer.next();
    const ref = readTableName(this.#lexer, this.#draft, true);
    if (ref !== undefined) this.#draft.addTable(ref);
  }

  /** Within ALTER TABLE: a table is renamed, unless a column or a key is. */
  #rename(): void {
    if ((this.#level.flags & DEFINITION) === 0 || this.#levels.length > 0) return;
    if (nextIsWord(this.#lexer, KW.COLUMN, KW.INDEX, KW.KEY)) return;
    if (nextIsWord(this.#lexer, KW.TO, KW.AS) || nextIs(this.#lexer, 0x3d)) this.#lexer.next();
    this.#definitionTable();
  }

  #with(): void {
    const recursive = nextIsWord(this.#lexer, KW.RECURSIVE);
    const mark = this.#lexer.mark();
    if (recursive) this.#lexer.next();
    if (!this.#cte(recursive)) this.#lexer.reset(mark);
  }

  /** Reads `name [(columns)] AS (` after the current token; false where it is something else. */
  #cte(recursive: boolean): boolean {
    const lexer = this.#lexer;
    lexer.next();
    if (!isName(lexer)) return false;
    const name = nameOf(lexer);
    lexer.next();
    if (lexer.kind === TOKEN.OPERATOR && lexer.code === PAREN_OPEN) {
      do {
        lexer.next();
        if (lexer.kind === TOKEN.END || lexer.kind === TOKEN.SEMICOLON || lexer.kind === TOKEN.BAD) return false;
      } while (lexer.kind !== TOKEN.OPERATOR || lexer.code !== PAREN_CLOSE);
      lexer.next();
    }
    if (lexer.kind !== TOKEN.WORD || lexer.code !== KW.AS || !nextIs(lexer, PAREN_OPEN)) return false;
    lexer.next();
    if (recursive) {
      this.#level.ctes ??= [];
      this.#level.ctes.push(name);
      this.#level.flags |= RECURSIVE;
    }
    this.#push(PHASE.NONE, CALLS | (this.#level.flags & DEFINITION), name);
    return true;
  }

  /** A common table expression has ended: its name can be used from here on, and another may follow. */
  #afterCte(outer: Level, name: string): void {
    outer.ctes ??= [];
    outer.ctes.push(name);
    const lexer = this.#lexer;
    if (nextIs(lexer, COMMA)) {
      lexer.next();
      if (!this.#cte((outer.flags & RECURSIVE) !== 0)) this.#draft.touchesEverything("a WITH list is malformed");
      return;
    }
    if (this.#levels.length > 0 || this.#mainStatement === undefined) return;
    const mark = lexer.mark();
    const start = this.#mainStatement(lexer, this.#draft);
    if (start === undefined) lexer.reset(mark);
    else {
      outer.flags |= STARTS[start].flags;
      outer.phase = STARTS[start].phase;
      this.#beforeDelete = this.#draft.tables?.length ?? 0;
    }
  }
}

/** A name as it is meant, from its place in the text. */
function spelled(text: Buffer, start: number, end: number): string {
  const first = text[start] ?? 0;
  if (first !== 0x60 && first !== 0x22) return text.toString("utf8", start, end);
  const quote = String.fromCharCode(first);
  return text.toString("utf8", start + 1, end - 1).replaceAll(quote + quote, quote);
}
