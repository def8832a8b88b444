import { stringBytes } from "./dynamic-statements.ts";
import type { FactsDraft } from "./facts-draft.ts";
import type { XaStatement } from "./statement.ts";
import { TOKEN, type Tokenizer } from "./tokenizer.ts";

const COMMA = 0x2c;
const DEFAULT_FORMAT = 1;

const ACTIONS: ReadonlyMap<string, XaStatement["action"]> = new Map([
  ["START", "start"],
  ["BEGIN", "start"],
  ["END", "end"],
  ["PREPARE", "prepare"],
  ["COMMIT", "commit"],
  ["ROLLBACK", "rollback"],
  ["RECOVER", "recover"],
]);

/** XA START, END, PREPARE, COMMIT, ROLLBACK and RECOVER; the current token is XA. */
export function readXa(lexer: Tokenizer, draft: FactsDraft): void {
  draft.kind = "xa";
  draft.touchesEverything("a distributed transaction is of one server");
  lexer.next();
  const action = ACTIONS.get(spelled(lexer));
  if (action === undefined) return;
  lexer.next();
  if (action === "recover") {
    draft.xa = { action };
    return;
  }
  const xid = readXid(lexer);
  if (xid === undefined) return;
  const onePhase = spelled(lexer) === "ONE";
  draft.xa = { action, xid, ...(action === "commit" ? { onePhase } : {}) };
}

function spelled(lexer: Tokenizer): string {
  return lexer.kind === TOKEN.WORD ? lexer.text.toString("latin1", lexer.start, lexer.end).toUpperCase() : "";
}

/** `gtrid [, bqual [, formatID]]` in a form that is the same however it was written; what follows is the current token. */
function readXid(lexer: Tokenizer): string | undefined {
  const gtrid = readBytes(lexer);
  let bqual: Buffer | undefined = Buffer.alloc(0);
  let format = DEFAULT_FORMAT;
  if (isComma(lexer)) {
    lexer.next();
    bqual = readBytes(lexer);
    if (isComma(lexer)) {
      lexer.next();
      if (lexer.kind !== TOKEN.NUMBER) return undefined;
      format = Number(lexer.text.toString("latin1", lexer.start, lexer.end));
      lexer.next();
    }
  }
  if (gtrid === undefined || bqual === undefined || !Number.isSafeInteger(format)) return undefined;
  return `${gtrid.toString("hex")}.${bqual.toString("hex")}.${format}`;
}

/** A string, `X'…'` or `0x…`; the token after it is the current one then. */
function readBytes(lexer: Tokenizer): Buffer | undefined {
  const hexadecimal = spelled(lexer) === "X";
  if (hexadecimal) lexer.next();
  const { text, start, end, kind } = lexer;
  const token = text.subarray(start, end);
  lexer.next();
  if (kind === TOKEN.STRING) {
    const prefixed = /^x['"]/i.test(token.toString("latin1", 0, 2));
    const bytes = stringBytes(prefixed ? token.subarray(1) : token, lexer.noBackslashEscapes);
    return hexadecimal || prefixed ? Buffer.from(bytes.toString("latin1"), "hex") : bytes;
  }
  const spelling = token.toString("latin1");
  if (kind !== TOKEN.NUMBER || !/^0x/i.test(spelling)) return undefined;
  return Buffer.from(spelling.length % 2 === 0 ? spelling.slice(2) : `0${spelling.slice(2)}`, "hex");
}

function isComma(lexer: Tokenizer): boolean {
  return lexer.kind === TOKEN.OPERATOR && lexer.code === COMMA;
}
