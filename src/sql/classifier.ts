import { SwitchyardError } from "../base/errors.ts";
import {
  account,
  readAlter,
  readCreate,
  readDrop,
  readLock,
  readMaintenance,
  readRename,
  readTruncate,
} from "./definition-statements.ts";
import { readDeallocate, readExecute, readPrepare } from "./dynamic-statements.ts";
import { FactsDraft } from "./facts-draft.ts";
import { KW } from "./keywords.ts";
import { nextIsWord, readTableName } from "./names.ts";
import { routeHintOf } from "./route-hint.ts";
import { readDelete, readInsert, readLoad, readQuery, readUpdate } from "./row-statements.ts";
import {
  expectEnd,
  readBegin,
  readEnd,
  readKill,
  readRelease,
  readSavepoint,
  readStart,
  readUse,
} from "./session-statements.ts";
import { readSet } from "./set-statement.ts";
import { readExplain, readFlush, readHandler, readShow } from "./show-statements.ts";
import type { SqlModes, StatementFacts } from "./statement.ts";
import { TableScan } from "./table-scan.ts";
import { TOKEN, Tokenizer } from "./tokenizer.ts";
import { userVariables } from "./user-variables.ts";
import { readXa } from "./xa-statement.ts";

/** More statements in one text are refused. */
const STATEMENTS_MAX = 10_000;

const PAREN_OPEN = 0x28;

/**
 * Reads a text that a client sends to be executed, and says of each statement in it what it is and which tables it
 * names. An empty text has one statement, of kind `other`, that touches nothing. Never needs to understand a
 * statement: what it cannot read touches everything.
 *
 * A CREATE of a trigger, routine or event takes all that follows it as its body, since semicolons in it do not
 * separate statements.
 *
 * @throws {SwitchyardError} `SQL_TOO_MANY_STATEMENTS`
 */
export function analyzeSql(text: Buffer, modes: SqlModes): readonly StatementFacts[] {
  const lexer = new Tokenizer(text, modes);
  const unsafe = modes.charset === "unsafe" && text.some((byte) => byte >= 0x80);
  const facts: StatementFacts[] = [];
  let start = 0;
  lexer.next();
  for (;;) {
    if (facts.length >= STATEMENTS_MAX) throw tooManyStatements();
    facts.push(readOne(lexer, start, unsafe));
    if (lexer.kind !== TOKEN.SEMICOLON) return facts;
    start = lexer.end;
    lexer.next();
    if (lexer.kind === TOKEN.END) return facts;
  }
}

function tooManyStatements(): SwitchyardError {
  return new SwitchyardError("SQL_TOO_MANY_STATEMENTS", {
    what: `a text holds more than ${STATEMENTS_MAX} statements`,
    changed: "None of them was sent.",
    fix: "Send fewer statements at once.",
  });
}

/** Reads one statement from the current token on, up to its semicolon or the end, which is then the current token. */
function readOne(lexer: Tokenizer, start: number, unsafe: boolean): StatementFacts {
  const draft = new FactsDraft();
  if (start === 0) draft.routeHint = routeHintOf(lexer.text);
  if (lexer.kind === TOKEN.WORD) {
    if (!readStatement(lexer, draft)) draft.touchesEverything("a statement of a kind that is not known");
  } else if (lexer.kind === TOKEN.OPERATOR && lexer.code === PAREN_OPEN) readQuery(lexer, draft);
  else if (lexer.kind === TOKEN.END || lexer.kind === TOKEN.SEMICOLON) draft.readOnly = true;
  else draft.touchesEverything("a statement that begins with no word");
  if (bodyFollows(draft)) while (lexer.kind !== TOKEN.END && lexer.kind !== TOKEN.BAD) lexer.next();
  while (lexer.kind !== TOKEN.END && lexer.kind !== TOKEN.SEMICOLON) {
    if (lexer.kind === TOKEN.BAD) {
      draft.touchesEverything("a quote or a comment does not end");
      break;
    }
    lexer.next();
  }
  if (unsafe) {
    draft.dynamic = undefined;
    draft.xa = undefined;
  }
  if (unsafe) draft.touchesEverything("the text is in a character set whose characters may hold quotes");
  if (lexer.doubt !== undefined) draft.touchesEverything(lexer.doubt);
  // Parameters of a procedure may be assigned by it.
  if (draft.kind === "call" || draft.effects?.includes("assigns-user-variables") === true)
    draft.userVariables = userVariables(lexer, start);
  const end = lexer.kind === TOKEN.BAD ? lexer.text.length : lexer.start;
  return draft.finish(start, end);
}

/** Whether semicolons may be part of the statement: it creates or alters something that has a body. */
function bodyFollows(draft: FactsDraft): boolean {
  return draft.kind === "ddl" && draft.everythingBecause !== undefined;
}

/** Reads a statement by its first word, the current token. False where the word begins no statement. */
function readStatement(lexer: Tokenizer, draft: FactsDraft): boolean {
  return readRows(lexer, draft) || readSession(lexer, draft) || readDefinition(lexer, draft) || readRest(lexer, draft);
}

function readRows(lexer: Tokenizer, draft: FactsDraft): boolean {
  switch (lexer.code) {
    case KW.SELECT:
    case KW.WITH:
    case KW.TABLE:
    case KW.VALUES:
      readQuery(lexer, draft);
      return true;
    case KW.INSERT:
      readInsert(lexer, draft, "insert");
      return true;
    case KW.REPLACE:
      readInsert(lexer, draft, "replace");
      return true;
    case KW.UPDATE:
      readUpdate(lexer, draft);
      return true;
    case KW.DELETE:
      readDelete(lexer, draft);
      return true;
    default:
      return false;
  }
}

function readSession(lexer: Tokenizer, draft: FactsDraft): boolean {
  switch (lexer.code) {
    case KW.SET:
      readSet(lexer, draft);
      return true;
    case KW.BEGIN:
      readBegin(lexer, draft);
      return true;
    case KW.START:
      readStart(lexer, draft);
      return true;
    case KW.COMMIT:
      readEnd(lexer, draft, "commit");
      return true;
    case KW.ROLLBACK:
      readEnd(lexer, draft, "rollback");
      return true;
    case KW.SAVEPOINT:
      readSavepoint(lexer, draft);
      return true;
    case KW.RELEASE:
      readRelease(lexer, draft);
      return true;
    case KW.USE:
      readUse(lexer, draft);
      return true;
    case KW.KILL:
      readKill(lexer, draft);
      return true;
    default:
      return false;
  }
}

function readDefinition(lexer: Tokenizer, draft: FactsDraft): boolean {
  switch (lexer.code) {
    case KW.CREATE:
      readCreate(lexer, draft);
      return true;
    case KW.ALTER:
      readAlter(lexer, draft);
      return true;
    case KW.DROP:
      readDrop(lexer, draft);
      return true;
    case KW.TRUNCATE:
      readTruncate(lexer, draft);
      return true;
    case KW.RENAME:
      readRename(lexer, draft);
      return true;
    case KW.ANALYZE:
    case KW.CHECK:
    case KW.OPTIMIZE:
    case KW.REPAIR:
    case KW.CHECKSUM:
      readMaintenance(lexer, draft);
      return true;
    case KW.LOCK:
      readLock(lexer, draft);
      return true;
    case KW.GRANT:
    case KW.REVOKE:
      account(draft);
      return true;
    default:
      return false;
  }
}

function readRest(lexer: Tokenizer, draft: FactsDraft): boolean {
  switch (lexer.code) {
    case KW.SHOW:
      readShow(lexer, draft);
      return true;
    case KW.EXPLAIN:
    case KW.DESCRIBE:
    case KW.DESC:
      readExplain(lexer, draft, readStatement);
      return true;
    case KW.HANDLER:
      readHandler(lexer, draft);
      return true;
    case KW.FLUSH:
      readFlush(lexer, draft);
      return true;
    case KW.LOAD:
      return readLoadForm(lexer, draft);
    case KW.UNLOCK:
      return readUnlock(lexer, draft);
    case KW.DO:
      draft.kind = "do";
      draft.readOnly = true;
      lexer.next();
      new TableScan(lexer, draft, "expressions").run();
      return true;
    default:
      return readDynamic(lexer, draft) || readHarmless(lexer, draft);
  }
}

function readLoadForm(lexer: Tokenizer, draft: FactsDraft): boolean {
  if (!nextIsWord(lexer, KW.DATA, KW.XML)) return false;
  lexer.next();
  readLoad(lexer, draft);
  return true;
}

function readUnlock(lexer: Tokenizer, draft: FactsDraft): boolean {
  lexer.next();
  if (lexer.code !== KW.TABLES && lexer.code !== KW.TABLE) {
    if (lexer.code === KW.INSTANCE) draft.backupLock = "released";
    draft.touchesEverything("it unlocks the whole server");
    return true;
  }
  draft.kind = "unlock-tables";
  draft.readOnly = true;
  draft.causesImplicitCommit = true;
  lexer.next();
  expectEnd(lexer, draft);
  return true;
}

/** CALL p(…), CALL s.p; the current token is that word. */
function readCall(lexer: Tokenizer, draft: FactsDraft): void {
  draft.kind = "call";
  const because = "a stored procedure may touch any table";
  lexer.next();
  const ref = readTableName(lexer, draft, false);
  if (ref === undefined) return;
  draft.callsRoutine(ref.schema === undefined ? { name: ref.table } : { schema: ref.schema, name: ref.table }, because);
  lexer.next();
  new TableScan(lexer, draft, "expressions").run();
}

/** Statements whose effect is not in their text. */
function readDynamic(lexer: Tokenizer, draft: FactsDraft): boolean {
  switch (lexer.code) {
    case KW.CALL:
      readCall(lexer, draft);
      return true;
    case KW.PREPARE:
      readPrepare(lexer, draft, lexer.noBackslashEscapes);
      return true;
    case KW.EXECUTE:
      readExecute(lexer, draft);
      return true;
    case KW.XA:
      readXa(lexer, draft);
      return true;
    default:
      return false;
  }
}

/** Statements that touch no table at all. */
function readHarmless(lexer: Tokenizer, draft: FactsDraft): boolean {
  switch (lexer.code) {
    case KW.DEALLOCATE:
      lexer.next();
      readDeallocate(lexer, draft);
      return true;
    case KW.GET:
      draft.kind = "show";
      draft.readOnly = true;
      draft.addEffect("reads-diagnostics");
      draft.addEffect("assigns-user-variables");
      return true;
    case KW.HELP:
    case KW.SIGNAL:
    case KW.RESIGNAL:
      draft.readOnly = true;
      return true;
    default:
      draft.causesImplicitCommit = true;
      return false;
  }
}
