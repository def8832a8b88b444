import { readDeallocate } from "./dynamic-statements.ts";
import type { FactsDraft } from "./facts-draft.ts";
import { KW } from "./keywords.ts";
import { isName, nextIsWord, readTableName } from "./names.ts";
import type { TableRef } from "./statement.ts";
import { TableScan } from "./table-scan.ts";
import { TOKEN, type Tokenizer } from "./tokenizer.ts";

const COMMA = 0x2c;
const PAREN_OPEN = 0x28;

/** How far into a CREATE or ALTER the word is looked for that says what is created. */
const PREAMBLE_TOKENS_MAX = 40;

const OBJECT_WORDS: ReadonlySet<number> = new Set([
  KW.TABLE,
  KW.VIEW,
  KW.INDEX,
  KW.DATABASE,
  KW.SCHEMA,
  KW.TRIGGER,
  KW.PROCEDURE,
  KW.FUNCTION,
  KW.EVENT,
  KW.USER,
  KW.ROLE,
  KW.INSTANCE,
  KW.RESOURCE,
]);

/** Whether the current token is the word `code`. */
export function isWord(lexer: Tokenizer, code: number): boolean {
  return lexer.kind === TOKEN.WORD && lexer.code === code;
}

function isOperator(lexer: Tokenizer, code: number): boolean {
  return lexer.kind === TOKEN.OPERATOR && lexer.code === code;
}

/** A statement that changes definitions: ends transactions, and is never a read. */
function beginDefinition(draft: FactsDraft): void {
  draft.kind = "ddl";
  draft.causesImplicitCommit = true;
}

/** Moves past `IF [NOT] EXISTS`, which may begin at the current token. */
function skipIfExists(lexer: Tokenizer): void {
  if (!isWord(lexer, KW.IF)) return;
  if (!nextIsWord(lexer, KW.NOT, KW.EXISTS)) return;
  do lexer.next();
  while (isWord(lexer, KW.NOT));
  lexer.next();
}

/** Moves to the word that names the kind of object, and says whether TEMPORARY stood before it. */
function findObject(lexer: Tokenizer): { readonly code: number; readonly temporary: boolean } {
  let temporary = false;
  for (let i = 0; i < PREAMBLE_TOKENS_MAX; i++) {
    lexer.next();
    if (lexer.kind === TOKEN.END || lexer.kind === TOKEN.SEMICOLON || lexer.kind === TOKEN.BAD) break;
    if (lexer.kind !== TOKEN.WORD) continue;
    if (lexer.code === KW.TEMPORARY) temporary = true;
    else if (OBJECT_WORDS.has(lexer.code)) return { code: lexer.code, temporary };
  }
  return { code: 0, temporary };
}

/** CREATE; the current token is that word. */
export function readCreate(lexer: Tokenizer, draft: FactsDraft): void {
  beginDefinition(draft);
  const { code, temporary } = findObject(lexer);
  switch (code) {
    case KW.TABLE:
      createTable(lexer, draft, temporary);
      break;
    case KW.VIEW:
      view(lexer, draft);
      break;
    case KW.INDEX:
      indexOn(lexer, draft);
      break;
    case KW.TRIGGER:
      draft.touchesEverything("the body of a trigger may touch any table");
      tableAfterOn(lexer, draft);
      break;
    case KW.DATABASE:
    case KW.SCHEMA:
      break;
    case KW.USER:
    case KW.ROLE:
      account(draft);
      break;
    default:
      draft.touchesEverything("it creates something other than a table, a view or an index");
  }
}

/** A change of accounts or privileges: it concerns every home. */
export function account(draft: FactsDraft): void {
  draft.kind = "account";
  draft.causesImplicitCommit = true;
  draft.touchesEverything("it changes accounts or privileges");
}

function createTable(lexer: Tokenizer, draft: FactsDraft, temporary: boolean): void {
  lexer.next();
  skipIfExists(lexer);
  const ref = readTableName(lexer, draft, true);
  if (ref !== undefined) {
    if (temporary) {
      draft.createsTemporaryTable = ref;
      draft.causesImplicitCommit = false;
    } else draft.addTable(ref);
  }
  lexer.next();
  const mark = lexer.mark();
  if (isOperator(lexer, PAREN_OPEN)) lexer.next();
  if (isWord(lexer, KW.LIKE)) {
    lexer.next();
    const model = readTableName(lexer, draft, false);
    if (model !== undefined) draft.addTable(model);
    return;
  }
  lexer.reset(mark);
  new TableScan(lexer, draft, "definition").run();
}

/** CREATE VIEW and ALTER VIEW; the current token is VIEW. */
function view(lexer: Tokenizer, draft: FactsDraft): void {
  lexer.next();
  skipIfExists(lexer);
  const ref = readTableName(lexer, draft, true);
  if (ref !== undefined) draft.addTable(ref);
  lexer.next();
  new TableScan(lexer, draft, "expressions").run();
}

/** CREATE INDEX i … ON t and DROP INDEX i ON t; the current token is INDEX. */
function indexOn(lexer: Tokenizer, draft: FactsDraft): void {
  tableAfterOn(lexer, draft);
}

function tableAfterOn(lexer: Tokenizer, draft: FactsDraft): void {
  // The object's own name comes first, and may be any word.
  lexer.next();
  while (lexer.kind !== TOKEN.END && lexer.kind !== TOKEN.SEMICOLON && lexer.kind !== TOKEN.BAD) {
    lexer.next();
    if (!isWord(lexer, KW.ON)) continue;
    lexer.next();
    const ref = readTableName(lexer, draft, true);
    if (ref !== undefined) draft.addTable(ref);
    return;
  }
  draft.touchesEverything("the table of an index or a trigger was expected after ON");
}

/** ALTER; the current token is that word. */
export function readAlter(lexer: Tokenizer, draft: FactsDraft): void {
  beginDefinition(draft);
  const { code } = findObject(lexer);
  switch (code) {
    case KW.TABLE: {
      lexer.next();
      const ref = readTableName(lexer, draft, true);
      if (ref !== undefined) draft.addTable(ref);
      lexer.next();
      new TableScan(lexer, draft, "definition").run();
      break;
    }
    case KW.VIEW:
      view(lexer, draft);
      break;
    case KW.USER:
    case KW.ROLE:
      account(draft);
      break;
    default:
      draft.touchesEverything("it alters something other than a table or a view");
  }
}

/** DROP; the current token is that word. */
export function readDrop(lexer: Tokenizer, draft: FactsDraft): void {
  beginDefinition(draft);
  lexer.next();
  const temporary = isWord(lexer, KW.TEMPORARY);
  if (temporary) lexer.next();
  if (isWord(lexer, KW.TABLE) || isWord(lexer, KW.TABLES)) dropTables(lexer, draft, temporary);
  else if (isWord(lexer, KW.VIEW)) {
    lexer.next();
    skipIfExists(lexer);
    readTableList(lexer, draft, true);
  } else if (isWord(lexer, KW.INDEX)) indexOn(lexer, draft);
  else if (isWord(lexer, KW.PREPARE)) {
    draft.causesImplicitCommit = false;
    readDeallocate(lexer, draft);
  } else if (isWord(lexer, KW.USER) || isWord(lexer, KW.ROLE)) account(draft);
  else draft.touchesEverything("it drops something other than a table, a view or an index");
}

function dropTables(lexer: Tokenizer, draft: FactsDraft, temporary: boolean): void {
  lexer.next();
  skipIfExists(lexer);
  const dropped: TableRef[] = readTableList(lexer, draft, true);
  draft.dropsTables = dropped;
  if (temporary) {
    draft.tables = undefined;
    draft.causesImplicitCommit = false;
  }
}

/** Reads `t, s.u, …` from the current token on; the first token after the list is the current one afterwards. */
export function readTableList(lexer: Tokenizer, draft: FactsDraft, write: boolean): TableRef[] {
  const refs: TableRef[] = [];
  for (;;) {
    const ref = readTableName(lexer, draft, write);
    if (ref === undefined) return refs;
    refs.push(ref);
    draft.addTable(ref);
    lexer.next();
    if (!isOperator(lexer, COMMA)) return refs;
    lexer.next();
  }
}

/** TRUNCATE; the current token is that word. */
export function readTruncate(lexer: Tokenizer, draft: FactsDraft): void {
  beginDefinition(draft);
  lexer.next();
  if (isWord(lexer, KW.TABLE)) lexer.next();
  readTableList(lexer, draft, true);
}

/** RENAME TABLE a TO b, …, or RENAME USER; the current token is RENAME. */
export function readRename(lexer: Tokenizer, draft: FactsDraft): void {
  beginDefinition(draft);
  lexer.next();
  if (isWord(lexer, KW.USER)) {
    account(draft);
    return;
  }
  if (!isWord(lexer, KW.TABLE) && !isWord(lexer, KW.TABLES)) {
    draft.touchesEverything("it renames something other than a table");
    return;
  }
  do {
    lexer.next();
    for (let side = 0; side < 2; side++) {
      const ref = readTableName(lexer, draft, true);
      if (ref !== undefined) draft.addTable(ref);
      lexer.next();
      if (side === 0) {
        if (!isWord(lexer, KW.TO)) draft.touchesEverything("a RENAME without TO");
        lexer.next();
      }
    }
  } while (isOperator(lexer, COMMA));
}

/** ANALYZE, CHECK, OPTIMIZE, REPAIR and CHECKSUM TABLE; the current token is the first word. */
export function readMaintenance(lexer: Tokenizer, draft: FactsDraft): void {
  const checksum = lexer.code === KW.CHECKSUM;
  if (checksum) {
    draft.kind = "show";
    draft.readOnly = true;
  } else beginDefinition(draft);
  lexer.next();
  while (isWord(lexer, KW.NO_WRITE_TO_BINLOG) || isWord(lexer, KW.LOCAL)) lexer.next();
  if (!isWord(lexer, KW.TABLE) && !isWord(lexer, KW.TABLES)) {
    draft.touchesEverything("a maintenance statement without TABLE");
    return;
  }
  lexer.next();
  readTableList(lexer, draft, !checksum);
}

/** LOCK TABLES; the current token is LOCK. */
export function readLock(lexer: Tokenizer, draft: FactsDraft): void {
  draft.kind = "lock-tables";
  draft.causesImplicitCommit = true;
  lexer.next();
  if (!isWord(lexer, KW.TABLE) && !isWord(lexer, KW.TABLES)) {
    draft.kind = "other";
    if (isWord(lexer, KW.INSTANCE)) draft.backupLock = "taken";
    draft.touchesEverything("it locks the whole server");
    return;
  }
  for (;;) {
    lexer.next();
    const ref = readTableName(lexer, draft, true);
    if (ref === undefined) return;
    draft.addTable(ref);
    do lexer.next();
    while (isName(lexer));
    if (!isOperator(lexer, COMMA)) return;
  }
}
