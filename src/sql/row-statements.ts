import type { FactsDraft } from "./facts-draft.ts";
import { KW } from "./keywords.ts";
import { readTableName } from "./names.ts";
import { type ScanStart, TableScan } from "./table-scan.ts";
import { TOKEN, type Tokenizer } from "./tokenizer.ts";

const COMMA = 0x2c;
const DOT = 0x2e;
const STAR = 0x2a;

const MODIFIERS: ReadonlySet<number> = new Set([
  KW.LOW_PRIORITY,
  KW.HIGH_PRIORITY,
  KW.DELAYED,
  KW.IGNORE,
  KW.QUICK,
  KW.CONCURRENT,
  KW.LOCAL,
]);

/** Moves past modifiers; the first token after them is the current one. */
function skipModifiers(lexer: Tokenizer): void {
  do lexer.next();
  while (lexer.kind === TOKEN.WORD && MODIFIERS.has(lexer.code));
}

/** SELECT, TABLE, VALUES, WITH and anything in parentheses; the current token is the first. */
export function readQuery(lexer: Tokenizer, draft: FactsDraft): void {
  draft.kind = "select";
  draft.readOnly = true;
  new TableScan(lexer, draft, "query", readMainStatement).run();
}

/** After a WITH at the beginning: an UPDATE or DELETE makes the statement one. Reads its words up to the tables. */
function readMainStatement(lexer: Tokenizer, draft: FactsDraft): ScanStart | undefined {
  lexer.next();
  if (lexer.kind !== TOKEN.WORD || (lexer.code !== KW.UPDATE && lexer.code !== KW.DELETE)) return undefined;
  return lexer.code === KW.UPDATE ? beginUpdate(lexer, draft) : beginDelete(lexer, draft);
}

/** INSERT and REPLACE; the current token is that word. */
export function readInsert(lexer: Tokenizer, draft: FactsDraft, kind: "insert" | "replace"): void {
  draft.kind = kind;
  skipModifiers(lexer);
  if (lexer.kind === TOKEN.WORD && lexer.code === KW.INTO) lexer.next();
  const ref = readTableName(lexer, draft, true);
  if (ref !== undefined) draft.addTable(ref);
  lexer.next();
  new TableScan(lexer, draft, "expressions").run();
}

export function readUpdate(lexer: Tokenizer, draft: FactsDraft): void {
  const start = beginUpdate(lexer, draft);
  lexer.next();
  new TableScan(lexer, draft, start).run();
}

/** Leaves the last word before the tables as the current token. */
function beginUpdate(lexer: Tokenizer, draft: FactsDraft): ScanStart {
  draft.kind = "update";
  draft.readOnly = false;
  stopBefore(lexer, (code) => !MODIFIERS.has(code));
  return "update";
}

export function readDelete(lexer: Tokenizer, draft: FactsDraft): void {
  const start = beginDelete(lexer, draft);
  lexer.next();
  new TableScan(lexer, draft, start).run();
}

/**
 * `DELETE FROM t`, `DELETE FROM a USING …`, `DELETE a, b.* FROM …`. In the last form the names before FROM are
 * aliases or tables of the list after it. Leaves FROM as the current token.
 */
function beginDelete(lexer: Tokenizer, draft: FactsDraft): ScanStart {
  draft.kind = "delete";
  draft.readOnly = false;
  skipModifiers(lexer);
  if (lexer.kind === TOKEN.WORD && lexer.code === KW.FROM) return "delete-one";
  for (;;) {
    if (lexer.kind === TOKEN.WORD && lexer.code === KW.FROM) return "delete-many";
    const separator =
      lexer.kind === TOKEN.OPERATOR && (lexer.code === COMMA || lexer.code === DOT || lexer.code === STAR);
    if (!separator && lexer.kind !== TOKEN.WORD && lexer.kind !== TOKEN.QUOTED) break;
    lexer.next();
  }
  draft.touchesEverything("a DELETE without FROM");
  return "expressions";
}

/** Moves on while the next word satisfies nothing that ends; the current token stays the last one passed. */
function stopBefore(lexer: Tokenizer, ends: (code: number) => boolean): void {
  for (;;) {
    const mark = lexer.mark();
    lexer.next();
    if (lexer.kind === TOKEN.WORD && lexer.code !== 0 && !ends(lexer.code)) continue;
    lexer.reset(mark);
    return;
  }
}

/** LOAD DATA and LOAD XML; the current token is DATA or XML. */
export function readLoad(lexer: Tokenizer, draft: FactsDraft): void {
  draft.kind = "load-data";
  for (;;) {
    lexer.next();
    if (lexer.kind === TOKEN.END || lexer.kind === TOKEN.SEMICOLON || lexer.kind === TOKEN.BAD) break;
    if (lexer.kind !== TOKEN.WORD || lexer.code !== KW.INTO) continue;
    lexer.next();
    if (lexer.kind !== TOKEN.WORD || lexer.code !== KW.TABLE) break;
    lexer.next();
    const ref = readTableName(lexer, draft, true);
    if (ref !== undefined) draft.addTable(ref);
    lexer.next();
    if (namesUserVariable(lexer)) draft.addEffect("assigns-user-variables");
    new TableScan(lexer, draft, "expressions").run();
    return;
  }
  draft.touchesEverything("a LOAD statement without a table");
}

/** Whether a user variable is named in the rest of the statement: in a list of columns it is assigned. */
function namesUserVariable(lexer: Tokenizer): boolean {
  const mark = lexer.mark();
  let found = false;
  while (lexer.kind !== TOKEN.END && lexer.kind !== TOKEN.SEMICOLON && lexer.kind !== TOKEN.BAD) {
    found ||= lexer.kind === TOKEN.USER_VARIABLE;
    lexer.next();
  }
  lexer.reset(mark);
  return found;
}
