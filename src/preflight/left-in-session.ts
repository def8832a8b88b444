import type { SqlModes } from "../sql/statement.ts";
import { ASSIGN, TOKEN, Tokenizer } from "../sql/tokenizer.ts";
import { userVariableName } from "../sql/user-variables.ts";

const EQUALS = 0x3d;

/** Words that alone tell that something of a server's may be kept by the session. */
const KEEPS: ReadonlyMap<string, string> = new Map([
  ["temporary", "temporary tables"],
  ["get_lock", "user-level locks"],
  ["release_lock", "user-level locks"],
  ["release_all_locks", "user-level locks"],
  ["prepare", "prepared statements"],
  ["execute", "prepared statements"],
  ["flush", "locks by FLUSH"],
  ["instance", "a lock for a backup"],
  ["handler", "a HANDLER"],
  ["xa", "distributed transactions"],
]);
const LOCKING_FUNCTION = /^(service_get_|service_release_|version_tokens_)/;
/** After SET they change the session and are no variables. */
const SETTABLE = new Set(["names", "charset", "character", "role", "resource", "transaction"]);
const SCOPES = new Set(["session", "local"]);

/**
 * What the body of a routine or trigger may leave in the session that runs it: `@name` for each user variable that it
 * names, and words for what cannot be replayed elsewhere. It is not parsed: rather one too many.
 *
 * @param variables names of the server's session variables, in lower case
 */
export function leftInSession(body: string, modes: SqlModes, variables: ReadonlySet<string>): ReadonlySet<string> {
  const left = new Set<string>();
  const lexer = new Tokenizer(Buffer.from(body, "utf8"), modes);
  let previous = "";
  let before = "";
  for (let kind = lexer.next(); kind !== TOKEN.END; kind = lexer.next()) {
    if (kind === TOKEN.BAD || lexer.doubt !== undefined) return new Set([...left, "what cannot be read"]);
    const spelled = lexer.text.toString("utf8", lexer.start, lexer.end);
    let word = "";
    if (kind === TOKEN.USER_VARIABLE) left.add(`@${userVariableName(lexer)}`);
    else if (kind === TOKEN.SYSTEM_VARIABLE) {
      if (isAssigned(lexer)) left.add("settings of the session");
    } else if (kind === TOKEN.WORD || kind === TOKEN.QUOTED) {
      word = spelled.toLowerCase().replaceAll(/^[`"]|[`"]$/g, "");
      const keeps = conditionHandler(word, previous, before) ? undefined : keptBy(word);
      if (keeps !== undefined) left.add(keeps);
      const settable = SETTABLE.has(word) && (previous === "set" || previous === "," || SCOPES.has(previous));
      if (settable || (variables.has(word) && isAssigned(lexer))) left.add("settings of the session");
    } else word = spelled;
    before = previous;
    previous = word;
  }
  return left;
}

function keptBy(word: string): string | undefined {
  return KEEPS.get(word) ?? (LOCKING_FUNCTION.test(word) ? "locks of a service" : undefined);
}

/** `DECLARE CONTINUE HANDLER FOR …`. */
function conditionHandler(word: string, previous: string, before: string): boolean {
  return word === "handler" && before === "declare" && ["continue", "exit", "undo"].includes(previous);
}

/** Whether the current token is followed by `=` or `:=`; a comparison looks like an assignment. */
function isAssigned(lexer: Tokenizer): boolean {
  const mark = lexer.mark();
  const kind = lexer.next();
  const found = kind === TOKEN.OPERATOR && (lexer.code === EQUALS || lexer.code === ASSIGN);
  lexer.reset(mark);
  return found;
}
