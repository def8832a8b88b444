import type { SqlModes, StatementFacts } from "./statement.ts";
import { readTokens, type Token } from "./token-list.ts";
import { TOKEN } from "./tokenizer.ts";

/** What a definition statement begins with. */
export interface StatementHead {
  /** `CREATE`, `DROP`, `RENAME` and such. */
  readonly verb: string;
  /** The kind of object: `DATABASE` (also where SCHEMA is written) or `TRIGGER`; empty for all others. */
  readonly object: "DATABASE" | "TRIGGER" | "";
  /** The object's own name, without that of its schema; undefined where there is none, or it cannot be read. */
  readonly name: string | undefined;
}

/** Words that say what a definition with a definer is of. */
const OF_DEFINER = new Set(["TRIGGER", "VIEW", "SQL", "AGGREGATE", "FUNCTION", "PROCEDURE", "EVENT"]);
const VERBS = new Set(["CREATE", "ALTER", "DROP"]);
const IF_EXISTS = new Set(["IF", "NOT", "EXISTS"]);

const DOT = 0x2e;

/** Of what is no definition. */
export const NO_HEAD: StatementHead = { verb: "", object: "", name: undefined };

/** Reads the beginning of a definition by its tokens: what comments, names and texts in it say counts for nothing. */
export function readHead(text: Buffer, facts: StatementFacts, modes: SqlModes): StatementHead {
  const tokens = readTokens(text, facts, modes) ?? [];
  const words = tokens.slice(0, 40).map((token) => (token.kind === TOKEN.WORD ? token.name.toUpperCase() : ""));
  const [verb = ""] = words;
  let at = 1;
  if (words[1] === "DEFINER") at = words.findIndex((one, i) => i > 3 && OF_DEFINER.has(one));
  const said = words[at] === "SCHEMA" ? "DATABASE" : words[at];
  if (!VERBS.has(verb) || (said !== "DATABASE" && said !== "TRIGGER")) return { verb, object: "", name: undefined };
  let next = at + 1;
  if (words[next] === "IF") while (IF_EXISTS.has(words[next] ?? "")) next++;
  return { verb, object: said, name: lastName(tokens, next) };
}

/** `name`, or the second one of `schema.name`. */
function lastName(tokens: readonly Token[], at: number): string | undefined {
  const dotted = tokens[at + 1]?.kind === TOKEN.OPERATOR && tokens[at + 1]?.code === DOT;
  const token = tokens[dotted ? at + 2 : at];
  return token?.kind === TOKEN.WORD || token?.kind === TOKEN.QUOTED ? token.name : undefined;
}
