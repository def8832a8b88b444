import { isWord, readTableList } from "./definition-statements.ts";
import type { FactsDraft } from "./facts-draft.ts";
import { KW } from "./keywords.ts";
import { isName, nameOf, readTableName } from "./names.ts";
import { TableScan } from "./table-scan.ts";
import { TOKEN, type Tokenizer } from "./tokenizer.ts";

const OF_A_TABLE: ReadonlySet<number> = new Set([KW.COLUMNS, KW.FIELDS, KW.INDEX, KW.INDEXES, KW.KEYS]);

/** Of TABLE it is the STATUS of all. */
const OF_A_SERVER: ReadonlySet<number> = new Set([KW.DATABASES, KW.PROCESSLIST, KW.SCHEMAS, KW.TABLE, KW.TABLES]);

/** SHOW; the current token is that word. */
export function readShow(lexer: Tokenizer, draft: FactsDraft): void {
  draft.kind = "show";
  draft.readOnly = true;
  do lexer.next();
  while (isWord(lexer, KW.FULL) || isWord(lexer, KW.EXTENDED));
  if (lexer.kind === TOKEN.WORD && OF_A_TABLE.has(lexer.code)) {
    showTable(lexer, draft);
    return;
  }
  if (isWord(lexer, KW.CREATE)) {
    lexer.next();
    if (isWord(lexer, KW.TABLE) || isWord(lexer, KW.VIEW)) {
      lexer.next();
      readTableList(lexer, draft, false);
    }
    return;
  }
  if (isWord(lexer, KW.WARNINGS) || isWord(lexer, KW.ERRORS) || isWord(lexer, KW.COUNT)) {
    draft.addEffect("reads-diagnostics");
    return;
  }
  if (lexer.kind === TOKEN.WORD && OF_A_SERVER.has(lexer.code)) draft.listsServer = true;
  // SHOW TABLE STATUS: here TABLE does not name one.
  if (isWord(lexer, KW.TABLE)) lexer.next();
  new TableScan(lexer, draft, "expressions").run();
}

/** `SHOW COLUMNS FROM t [FROM s] [LIKE | WHERE]`; the current token is COLUMNS or the like. */
function showTable(lexer: Tokenizer, draft: FactsDraft): void {
  lexer.next();
  if (!isWord(lexer, KW.FROM) && !isWord(lexer, KW.IN)) {
    draft.touchesEverything("a SHOW without its table");
    return;
  }
  lexer.next();
  const ref = readTableName(lexer, draft, false);
  if (ref === undefined) return;
  lexer.next();
  if (isWord(lexer, KW.FROM) || isWord(lexer, KW.IN)) {
    lexer.next();
    if (isName(lexer)) draft.addTable({ ...ref, schema: nameOf(lexer) });
    else draft.touchesEverything("the name of a schema was expected");
    lexer.next();
  } else draft.addTable(ref);
  new TableScan(lexer, draft, "expressions").run();
}

/** What a statement of its own would be read by; returns false where its first word begins none. */
export type StatementReader = (lexer: Tokenizer, draft: FactsDraft) => boolean;

/**
 * EXPLAIN, DESCRIBE and DESC, of a statement, a connection or a table; the current token is that word.
 *
 * The tables of an explained statement are not written; with ANALYZE it is executed, and only reads can be.
 */
export function readExplain(lexer: Tokenizer, draft: FactsDraft, readStatement: StatementReader): void {
  lexer.next();
  let schema: string | undefined;
  for (;;) {
    if (isWord(lexer, KW.ANALYZE) || isWord(lexer, KW.EXTENDED) || isWord(lexer, KW.PARTITIONS)) lexer.next();
    else if (isWord(lexer, KW.FORMAT)) {
      for (let i = 0; i < 3; i++) lexer.next();
    } else if (isWord(lexer, KW.INTO)) {
      lexer.next();
      lexer.next();
      draft.addEffect("assigns-user-variables");
    } else if (isWord(lexer, KW.FOR)) {
      lexer.next();
      if (isWord(lexer, KW.CONNECTION)) break;
      lexer.next();
      if (isName(lexer)) schema = nameOf(lexer);
      lexer.next();
    } else break;
  }
  explained(lexer, draft, readStatement);
  draft.kind = "explain";
  draft.readOnly = true;
  draft.causesImplicitCommit = false;
  draft.tables = draft.tables?.map((ref) => {
    const from = ref.schema ?? schema;
    return from === undefined ? { ...ref, write: false } : { ...ref, schema: from, write: false };
  });
}

function explained(lexer: Tokenizer, draft: FactsDraft, readStatement: StatementReader): void {
  if (isWord(lexer, KW.CONNECTION)) {
    draft.touchesEverything("it explains what another connection does");
    return;
  }
  if (readStatement(lexer, draft)) return;
  const ref = readTableName(lexer, draft, false);
  if (ref !== undefined) draft.addTable(ref);
}

/** HANDLER t OPEN | READ | CLOSE; the current token is HANDLER. */
export function readHandler(lexer: Tokenizer, draft: FactsDraft): void {
  draft.kind = "handler";
  lexer.next();
  const ref = readTableName(lexer, draft, false);
  if (ref === undefined) return;
  lexer.next();
  const word = lexer.text.toString("latin1", lexer.start, lexer.end).toLowerCase();
  draft.addTable(ref);
  if (word === "open") {
    lexer.next();
    if (isWord(lexer, KW.AS)) lexer.next();
    draft.handler = { action: "open", name: isName(lexer) ? nameOf(lexer) : ref.table };
  } else {
    draft.handler = { action: word === "close" ? "close" : "read", name: ref.table };
    draft.readOnly = true;
  }
  new TableScan(lexer, draft, "expressions").run();
}

/** FLUSH; the current token is that word. */
export function readFlush(lexer: Tokenizer, draft: FactsDraft): void {
  draft.kind = "flush";
  draft.causesImplicitCommit = true;
  do lexer.next();
  while (isWord(lexer, KW.NO_WRITE_TO_BINLOG) || isWord(lexer, KW.LOCAL));
  if (!isWord(lexer, KW.TABLE) && !isWord(lexer, KW.TABLES)) {
    draft.touchesEverything("it flushes state of the whole server");
    return;
  }
  lexer.next();
  if (isName(lexer) && !isWord(lexer, KW.WITH)) readTableList(lexer, draft, true);
  else draft.touchesWholeServer("it flushes all tables of a server");
}
