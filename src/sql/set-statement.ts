import { account } from "./definition-statements.ts";
import type { FactsDraft } from "./facts-draft.ts";
import { KW } from "./keywords.ts";
import { isName, nameOf, nextIs } from "./names.ts";
import type { SetAssignment } from "./statement.ts";
import { TableScan } from "./table-scan.ts";
import { ASSIGN, TOKEN, type Tokenizer } from "./tokenizer.ts";
import { userVariableName } from "./user-variables.ts";

const COMMA = 0x2c;
const EQUALS = 0x3d;
const PAREN_OPEN = 0x28;
const PAREN_CLOSE = 0x29;

type Scope = SetAssignment["scope"];

/** `@@name` without a scope means the next transaction only for these; without the `@@` the session. */
const ONE_SHOT = new Set(["transaction_isolation", "transaction_read_only", "tx_isolation", "tx_read_only"]);

function isEnd(lexer: Tokenizer): boolean {
  return lexer.kind === TOKEN.END || lexer.kind === TOKEN.SEMICOLON || lexer.kind === TOKEN.BAD;
}

function isOperator(lexer: Tokenizer, code: number): boolean {
  return lexer.kind === TOKEN.OPERATOR && lexer.code === code;
}

/**
 * SET in all its forms; the current token is SET. Subqueries and functions in values are looked into by a second
 * pass over the same text.
 */
export function readSet(lexer: Tokenizer, draft: FactsDraft): void {
  draft.kind = "set";
  lexer.next();
  const mark = lexer.mark();
  const assignments: SetAssignment[] = [];
  const understood = readAssignments(lexer, draft, assignments);
  if (changesAccount(draft)) return;
  if (!understood) draft.touchesEverything("a SET that is not understood");
  draft.setAssignments = assignments;
  draft.readOnly = assignments.every(({ scope }) => scope !== "global" && scope !== "persist");
  draft.causesImplicitCommit = assignments.some(({ scope, name }) => scope === "session" && name === "autocommit");
  if (assignments.some(({ scope }) => scope === "user")) draft.addEffect("assigns-user-variables");
  if (understood && assignments.every(({ literal }) => literal)) return;
  lexer.reset(mark);
  new TableScan(lexer, draft, "expressions").run();
}

function changesAccount(draft: FactsDraft): boolean {
  return draft.kind === "account";
}

/** Reads `a = 1, @b := 2, NAMES x, …`; false where something else is met. */
function readAssignments(lexer: Tokenizer, draft: FactsDraft, out: SetAssignment[]): boolean {
  for (;;) {
    if (!readAssignment(lexer, draft, out)) return false;
    if (isEnd(lexer)) return lexer.kind !== TOKEN.BAD;
    if (!isOperator(lexer, COMMA)) return false;
    lexer.next();
  }
}

function readAssignment(lexer: Tokenizer, draft: FactsDraft, out: SetAssignment[]): boolean {
  if (lexer.kind === TOKEN.USER_VARIABLE) return userVariable(lexer, out);
  if (lexer.kind === TOKEN.SYSTEM_VARIABLE) return systemVariable(lexer, out);
  if (!isName(lexer)) return false;
  if (lexer.kind === TOKEN.WORD) {
    switch (lexer.code) {
      case KW.NAMES:
        return nextIs(lexer, EQUALS) ? namedVariable(lexer, out, "session") : characterSet(lexer, out, "names");
      case KW.CHARSET:
        return characterSet(lexer, out, "character-set");
      case KW.CHARACTER:
        lexer.next();
        return lexer.code === KW.SET && characterSet(lexer, out, "character-set");
      case KW.TRANSACTION:
        return transaction(lexer, out, "next-transaction");
      case KW.GLOBAL:
        return scoped(lexer, out, "global");
      case KW.SESSION:
      case KW.LOCAL:
        return scoped(lexer, out, "session");
      case KW.PERSIST:
        return scoped(lexer, out, "persist");
      case KW.PERSIST_ONLY:
        return scoped(lexer, out, "persist-only");
      case KW.ROLE:
        return readValue(lexer, out, "role", "");
      case KW.PASSWORD:
      case KW.DEFAULT:
        account(draft);
        return true;
      case KW.RESOURCE:
        lexer.next();
        return readValue(lexer, out, "resource-group", "");
    }
  }
  return namedVariable(lexer, out, "session");
}

function userVariable(lexer: Tokenizer, out: SetAssignment[]): boolean {
  const name = userVariableName(lexer);
  lexer.next();
  return assigned(lexer) && readValue(lexer, out, "user", name);
}

function systemVariable(lexer: Tokenizer, out: SetAssignment[]): boolean {
  const written = lexer.text
    .toString("utf8", lexer.start + 2, lexer.end)
    .toLowerCase()
    .replaceAll("`", "");
  const match = /^(?:(global|session|local|persist|persist_only)\.)?(.+)$/.exec(written);
  const name = match?.[2];
  if (name === undefined) return false;
  lexer.next();
  return assigned(lexer) && readValue(lexer, out, scopeOf(match?.[1], name), name);
}

function scopeOf(prefix: string | undefined, name: string): Scope {
  switch (prefix) {
    case "global":
      return "global";
    case "persist":
      return "persist";
    case "persist_only":
      return "persist-only";
    case undefined:
      return ONE_SHOT.has(name) ? "next-transaction" : "session";
    default:
      return "session";
  }
}

/** The current token is SESSION, GLOBAL, …: a variable follows, or TRANSACTION. */
function scoped(lexer: Tokenizer, out: SetAssignment[], scope: Scope): boolean {
  // `SET global = 1` would be a variable called so; there is none.
  lexer.next();
  if (lexer.kind === TOKEN.WORD && lexer.code === KW.TRANSACTION) return transaction(lexer, out, scope);
  return isName(lexer) && namedVariable(lexer, out, scope);
}

/** A variable by its name, which may have a component before a dot. */
function namedVariable(lexer: Tokenizer, out: SetAssignment[], scope: Scope): boolean {
  let name = nameOf(lexer).toLowerCase();
  lexer.next();
  while (isOperator(lexer, 0x2e)) {
    lexer.next();
    if (!isName(lexer)) return false;
    name += `.${nameOf(lexer).toLowerCase()}`;
    lexer.next();
  }
  return assigned(lexer) && readValue(lexer, out, scope, name);
}

function assigned(lexer: Tokenizer): boolean {
  return isOperator(lexer, EQUALS) || isOperator(lexer, ASSIGN);
}

/** `NAMES x [COLLATE y]`, `CHARACTER SET x`: the current token is the word before the value. */
function characterSet(lexer: Tokenizer, out: SetAssignment[], scope: Scope): boolean {
  return readValue(lexer, out, scope, "");
}

/** The value that follows the current token, up to the next comma outside of parentheses. */
function readValue(lexer: Tokenizer, out: SetAssignment[], scope: Scope, name: string): boolean {
  lexer.next();
  if (isEnd(lexer)) return false;
  const start = lexer.start;
  let end = start;
  let depth = 0;
  let constant = true;
  let tokens = 0;
  while (!isEnd(lexer)) {
    // The names of roles are a list of their own.
    if (depth === 0 && isOperator(lexer, COMMA) && scope !== "role") break;
    if (isOperator(lexer, PAREN_OPEN)) depth++;
    else if (isOperator(lexer, PAREN_CLOSE)) depth--;
    constant &&= isConstant(lexer);
    tokens++;
    end = lexer.end;
    lexer.next();
  }
  if (depth !== 0) return false;
  const byName = scope === "names" || scope === "character-set" || scope === "role" || scope === "resource-group";
  const literal = byName || (constant && tokens <= 2);
  out.push({ scope, name, valueText: lexer.text.toString("utf8", start, end), literal });
  return true;
}

/** A literal, a sign, an introducer, or a bare word such as ON, DEFAULT or a character set. */
function isConstant(lexer: Tokenizer): boolean {
  switch (lexer.kind) {
    case TOKEN.STRING:
    case TOKEN.NUMBER:
    case TOKEN.WORD:
      return true;
    default:
      return isOperator(lexer, 0x2d) || isOperator(lexer, 0x2b);
  }
}

/** `TRANSACTION ISOLATION LEVEL …, READ ONLY`: each characteristic becomes an assignment of its variable. */
function transaction(lexer: Tokenizer, out: SetAssignment[], scope: Scope): boolean {
  for (;;) {
    lexer.next();
    const words: string[] = [];
    while (lexer.kind === TOKEN.WORD) {
      words.push(nameOf(lexer).toUpperCase());
      lexer.next();
    }
    const text = words.join(" ");
    const level = /^ISOLATION LEVEL (READ UNCOMMITTED|READ COMMITTED|REPEATABLE READ|SERIALIZABLE)$/.exec(text)?.[1];
    if (level !== undefined) {
      out.push({ scope, name: "transaction_isolation", valueText: `'${level.replace(" ", "-")}'`, literal: true });
    } else if (text === "READ ONLY" || text === "READ WRITE") {
      const value = text === "READ ONLY" ? "1" : "0";
      out.push({ scope, name: "transaction_read_only", valueText: value, literal: true });
    } else return false;
    if (!isOperator(lexer, COMMA)) return isEnd(lexer);
  }
}
