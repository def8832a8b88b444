import { isWord } from "./definition-statements.ts";
import type { FactsDraft } from "./facts-draft.ts";
import { KW } from "./keywords.ts";
import { isName, nameOf } from "./names.ts";
import { TOKEN, type Tokenizer } from "./tokenizer.ts";

/** Says in the draft that the statement was not understood, unless it has ended here. */
export function expectEnd(lexer: Tokenizer, draft: FactsDraft): void {
  if (lexer.kind !== TOKEN.END && lexer.kind !== TOKEN.SEMICOLON) draft.touchesEverything("it goes on unexpectedly");
}

/** BEGIN [WORK]; the current token is BEGIN. */
export function readBegin(lexer: Tokenizer, draft: FactsDraft): void {
  draft.kind = "begin";
  draft.beginForm = "plain";
  draft.readOnly = true;
  draft.causesImplicitCommit = true;
  lexer.next();
  if (isWord(lexer, KW.WORK)) lexer.next();
  expectEnd(lexer, draft);
}

/** START TRANSACTION …; the current token is START. */
export function readStart(lexer: Tokenizer, draft: FactsDraft): void {
  lexer.next();
  if (!isWord(lexer, KW.TRANSACTION)) {
    draft.causesImplicitCommit = true;
    draft.touchesEverything("it starts something other than a transaction");
    return;
  }
  draft.kind = "begin";
  draft.beginForm = "plain";
  draft.readOnly = true;
  draft.causesImplicitCommit = true;
  lexer.next();
  while (lexer.kind === TOKEN.WORD || (lexer.kind === TOKEN.OPERATOR && lexer.code === 0x2c)) {
    if (isWord(lexer, KW.SNAPSHOT)) {
      draft.beginForm = "consistent-snapshot";
      draft.touchesWholeServer("a consistent snapshot is of one server");
    } else if (draft.beginForm !== "consistent-snapshot") {
      if (isWord(lexer, KW.ONLY)) draft.beginForm = "read-only";
      else if (isWord(lexer, KW.WRITE)) draft.beginForm = "read-write";
    }
    lexer.next();
  }
  expectEnd(lexer, draft);
}

/** COMMIT and ROLLBACK with their endings, and ROLLBACK TO; the current token is the first word. */
export function readEnd(lexer: Tokenizer, draft: FactsDraft, kind: "commit" | "rollback"): void {
  draft.kind = kind;
  draft.readOnly = true;
  draft.chain = false;
  draft.release = false;
  let no = false;
  lexer.next();
  while (lexer.kind === TOKEN.WORD) {
    if (isWord(lexer, KW.TO) && kind === "rollback") {
      lexer.next();
      if (isWord(lexer, KW.SAVEPOINT)) lexer.next();
      savepoint(lexer, draft, "rollback-to");
      return;
    }
    if (isWord(lexer, KW.CHAIN)) draft.chain = !no;
    if (isWord(lexer, KW.RELEASE)) draft.release = !no;
    no = isWord(lexer, KW.NO);
    lexer.next();
  }
  expectEnd(lexer, draft);
}

/** SAVEPOINT s; the current token is SAVEPOINT. */
export function readSavepoint(lexer: Tokenizer, draft: FactsDraft): void {
  lexer.next();
  savepoint(lexer, draft, "set");
}

/** RELEASE SAVEPOINT s; the current token is RELEASE. */
export function readRelease(lexer: Tokenizer, draft: FactsDraft): void {
  lexer.next();
  if (isWord(lexer, KW.SAVEPOINT)) lexer.next();
  savepoint(lexer, draft, "release");
}

function savepoint(lexer: Tokenizer, draft: FactsDraft, action: "set" | "rollback-to" | "release"): void {
  draft.kind = "savepoint";
  draft.readOnly = true;
  draft.chain = undefined;
  draft.release = undefined;
  if (!isName(lexer)) {
    draft.touchesEverything("the name of a savepoint was expected");
    return;
  }
  draft.savepoint = { action, name: nameOf(lexer) };
  lexer.next();
  expectEnd(lexer, draft);
}

/** USE s; the current token is USE. */
export function readUse(lexer: Tokenizer, draft: FactsDraft): void {
  draft.kind = "use";
  draft.readOnly = true;
  lexer.next();
  if (!isName(lexer)) {
    draft.touchesEverything("the name of a schema was expected");
    return;
  }
  draft.useSchema = nameOf(lexer);
  lexer.next();
  expectEnd(lexer, draft);
}

/** KILL [QUERY | CONNECTION] id; the current token is KILL. */
export function readKill(lexer: Tokenizer, draft: FactsDraft): void {
  draft.kind = "kill";
  let what: "query" | "connection" = "connection";
  lexer.next();
  if (isWord(lexer, KW.QUERY)) {
    what = "query";
    lexer.next();
  } else if (isWord(lexer, KW.CONNECTION)) lexer.next();
  draft.kill = { what };
  if (lexer.kind !== TOKEN.NUMBER) return;
  const id = Number(lexer.text.toString("latin1", lexer.start, lexer.end));
  lexer.next();
  if (Number.isSafeInteger(id) && (lexer.kind === TOKEN.END || lexer.kind === TOKEN.SEMICOLON)) {
    draft.kill = { what, id };
  }
}
