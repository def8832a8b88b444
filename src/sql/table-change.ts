import { analyzeSql } from "./classifier.ts";
import type { SqlModes } from "./statement.ts";
import { readTokens, type Token } from "./token-list.ts";
import { TOKEN } from "./tokenizer.ts";

/**
 * What one action of an ALTER TABLE changes: `columns`, `keys`, `checks` and `options` of the table; a `foreign-key`;
 * or something `else`: partitions, the table's name, or what is not known.
 */
export type TableAction = "columns" | "keys" | "checks" | "options" | "foreign-key" | "else";

/** A statement that changes the definition, or empties, one table. */
export interface TableChange {
  readonly kind: "alter" | "truncate";
  readonly table: { readonly schema?: string; readonly table: string };
  readonly actions: ReadonlySet<TableAction>;
  /** Why the same statement may give other rows on another server; absent where it does not. */
  readonly unrepeatable?: string;
  /** Rows that are there get a time of the statement's own, in the session's zone. */
  readonly fillsTime: boolean;
  /** Rows that are there get a time that is written as the session's zone has it. */
  readonly zonedDefault: boolean;
  /** Columns that get another definition: by their name before, and their name then. */
  readonly retyped: readonly { readonly from: string; readonly to: string }[];
  /** Names of columns move, or some go and others come: what it makes of a table that it has changed already is another one. */
  readonly rearranges: boolean;
  /**
   * The change as a statement about the table with this quoted name; without the actions that `without` names. Undefined
   * where nothing is left. An index that is made or dropped by itself is spelled as the ALTER TABLE that it is.
   */
  spell(name: string, without?: ReadonlySet<TableAction>): string | undefined;
}

interface Action {
  readonly kind: TableAction;
  readonly text: string;
  readonly unrepeatable?: string;
  readonly fillsTime?: boolean;
  readonly zonedDefault?: boolean;
  readonly retyped?: { readonly from: string; readonly to: string };
  readonly moves?: "comes" | "goes" | "renames";
}

const COMMA = 0x2c;
const DOT = 0x2e;
const OPEN = 0x28;

const KEY_WORDS = new Set(["INDEX", "KEY", "UNIQUE", "FULLTEXT", "SPATIAL", "PRIMARY"]);
const OPTION_WORDS = new Set(
  (
    "COMMENT ENGINE ROW_FORMAT AUTO_INCREMENT FORCE ALGORITHM LOCK DEFAULT CHARACTER CHARSET COLLATE STATS_PERSISTENT " +
    "STATS_AUTO_RECALC STATS_SAMPLE_PAGES KEY_BLOCK_SIZE CHECKSUM AVG_ROW_LENGTH MAX_ROWS MIN_ROWS DELAY_KEY_WRITE PACK_KEYS"
  ).split(" "),
);
/** Words that no name is without quotes, or that begin what is not an option, wherever in an action they stand. */
const ELSEWHERE = new Set([
  "PARTITION",
  "PARTITIONING",
  "TABLESPACE",
  "DIRECTORY",
  "UNION",
  "DISCARD",
  "IMPORT",
  "ORDER",
]);
const TIMES = new Set(["CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP", "CURDATE", "CURRENT_DATE"]);

/**
 * Reads ALTER TABLE, CREATE INDEX, DROP INDEX and TRUNCATE. Undefined for every other statement, and for a text that
 * servers of other versions would read otherwise (in comments with a version).
 */
export function readTableChange(sql: string, modes: SqlModes): TableChange | undefined {
  const text = Buffer.from(sql, "utf8");
  const [facts, more] = analyzeSql(text, modes);
  if (facts === undefined || more !== undefined || /\/\*M?!/.test(sql)) return undefined;
  const tokens = readTokens(text, facts, modes);
  if (tokens === undefined) return undefined;
  const [first, second] = tokens.map(word);
  if (first === "ALTER" && second === "TABLE") return alter(text, tokens);
  if (first === "CREATE") return createIndex(text, tokens);
  if (first === "DROP" && second === "INDEX") return dropIndex(text, tokens);
  if (first === "TRUNCATE") return truncate(tokens, second === "TABLE" ? 2 : 1);
  return undefined;
}

/** An unquoted word in upper case; empty for all else. */
function word(token: Token | undefined): string {
  return token?.kind === TOKEN.WORD ? token.name.toUpperCase() : "";
}

function isOperator(token: Token | undefined, code: number): boolean {
  return token?.kind === TOKEN.OPERATOR && token.code === code;
}

/** The table's name at `at`, and the index of what follows it. */
function tableAt(
  tokens: readonly Token[],
  at: number,
): { readonly table: TableChange["table"]; readonly next: number } | undefined {
  const isName = (token: Token | undefined): token is Token =>
    token?.kind === TOKEN.WORD || token?.kind === TOKEN.QUOTED;
  const [one, dot, two] = tokens.slice(at, at + 3);
  if (!isName(one)) return undefined;
  if (!isOperator(dot, DOT)) return { table: { table: one.name }, next: at + 1 };
  return isName(two) ? { table: { schema: one.name, table: two.name }, next: at + 3 } : undefined;
}

function alter(text: Buffer, tokens: readonly Token[]): TableChange | undefined {
  const named = tableAt(tokens, 2);
  if (named === undefined) return undefined;
  const actions: Action[] = [];
  let run: Token[] = [];
  for (const token of [...tokens.slice(named.next), undefined]) {
    if (token !== undefined && !(token.depth === 0 && isOperator(token, COMMA))) {
      run.push(token);
      continue;
    }
    if (run.length > 0) actions.push(readAction(text, run));
    run = [];
  }
  // How the source went about it says nothing of how the other server can.
  const lasting = actions.filter(({ text: spelled }) => !/^(?:ALGORITHM|LOCK)\b/i.test(spelled));
  const kept = lasting.length === 0 ? actions : lasting;
  return kept.length === 0 ? undefined : changeOf(named.table, kept);
}

function changeOf(table: TableChange["table"], actions: readonly Action[]): TableChange {
  const unrepeatable = actions.find((action) => action.unrepeatable !== undefined)?.unrepeatable;
  const moves = new Set(actions.map((action) => action.moves));
  return {
    kind: "alter",
    table,
    actions: new Set(actions.map(({ kind }) => kind)),
    ...(unrepeatable === undefined ? {} : { unrepeatable }),
    fillsTime: actions.some(({ fillsTime }) => fillsTime === true),
    zonedDefault: actions.some(({ zonedDefault }) => zonedDefault === true),
    retyped: actions.flatMap(({ retyped }) => retyped ?? []),
    rearranges: moves.has("renames") || (moves.has("comes") && moves.has("goes")),
    spell: (name, without = new Set()) => {
      const left = actions.filter(({ kind }) => !without.has(kind));
      return left.length === 0 ? undefined : `ALTER TABLE ${name} ${left.map((action) => action.text).join(", ")}`;
    },
  };
}

function readAction(text: Buffer, tokens: readonly Token[]): Action {
  const words = tokens.map(word);
  const first = tokens[0] as Token;
  const last = tokens.at(-1) as Token;
  const spelled = text.toString("utf8", first.start, last.end);
  const top = tokens.filter(({ depth }) => depth === 0).map(word);
  // A definition may be followed by words about the table's partitions, without a comma.
  const elsewhere = top.some((one) => ELSEWHERE.has(one));
  const kind = elsewhere ? "else" : kindOf(words, top);
  if (kind !== "columns") return { kind, text: spelled };
  if (words[0] === "DROP") return { kind, text: spelled, moves: "goes" };
  if (words[0] === "RENAME") return { kind, text: spelled, moves: "renames" };
  if (words.includes("REFERENCES")) return { kind: "foreign-key", text: spelled };
  const adds = words[0] === "ADD";
  const byExpression = tokens.some((_, i) => words[i] === "DEFAULT" && isOperator(tokens[i + 1], OPEN));
  const unrepeatable =
    adds && (words.includes("AUTO_INCREMENT") || isSerial(tokens, words))
      ? "it numbers the rows in the order in which the server finds them"
      : adds && byExpression
        ? "rows get the value of an expression"
        : words[0] === "CONVERT" && words.includes("DEFAULT")
          ? "it depends on the schema's own character set"
          : undefined;
  const retyped = retypedBy(tokens, words);
  const renames = retyped !== undefined && retyped.from.toLowerCase() !== retyped.to.toLowerCase();
  return {
    kind,
    text: spelled,
    ...(unrepeatable === undefined ? {} : { unrepeatable }),
    fillsTime: words.some((one) => TIMES.has(one)),
    zonedDefault:
      adds && words.includes("TIMESTAMP") && tokens.some((_, i) => isConstantDefault(text, tokens.slice(i, i + 3))),
    ...(retyped === undefined ? {} : { retyped }),
    ...(adds ? { moves: "comes" } : renames ? { moves: "renames" } : {}),
  };
}

/** DEFAULT with a constant behind it, maybe one with a type, other than the zero that all zones have alike. */
function isConstantDefault(text: Buffer, [first, ...rest]: readonly Token[]): boolean {
  if (word(first) !== "DEFAULT") return false;
  const constant = rest.find(({ kind }) => kind === TOKEN.STRING || kind === TOKEN.NUMBER);
  return constant !== undefined && !/^['"]?(?:0000|0$)/.test(slice(text, [constant]));
}

/** SERIAL is a type that numbers the rows, and SERIAL DEFAULT VALUE says so of another type; it may be a column's name as well. */
function isSerial(tokens: readonly Token[], words: readonly string[]): boolean {
  return words.some((one, i) => {
    if (one !== "SERIAL") return false;
    if (words[i + 1] === "DEFAULT" && words[i + 2] === "VALUE") return true;
    const before = tokens[i - 2];
    const begins =
      words[i - 2] === "ADD" || words[i - 2] === "COLUMN" || isOperator(before, OPEN) || isOperator(before, COMMA);
    return begins && words[i - 1] !== "COLUMN" && (tokens[i - 1]?.name ?? "") !== "";
  });
}

/** The column that MODIFY or CHANGE gives another definition. */
function retypedBy(tokens: readonly Token[], words: readonly string[]): Action["retyped"] {
  if (words[0] !== "MODIFY" && words[0] !== "CHANGE") return undefined;
  const at = words[1] === "COLUMN" ? 2 : 1;
  const from = tokens[at]?.name ?? "";
  return { from, to: words[0] === "CHANGE" ? (tokens[at + 1]?.name ?? "") : from };
}

function kindOf(words: readonly string[], top: readonly string[]): TableAction {
  const [first = "", second = "", third = ""] = words;
  switch (first) {
    case "ADD":
      return ofAdded(second, second === "CONSTRAINT" ? top.slice(2) : top.slice(1));
    case "DROP":
      if (KEY_WORDS.has(second)) return "keys";
      if (second === "FOREIGN" || second === "CONSTRAINT") return "foreign-key";
      return second === "CHECK" ? "checks" : "columns";
    case "MODIFY":
    case "CHANGE":
      return "columns";
    case "CONVERT":
      return second === "TO" && third !== "" ? "columns" : "else";
    case "RENAME":
      return second === "COLUMN" ? "columns" : second === "INDEX" || second === "KEY" ? "keys" : "else";
    case "ALTER":
      if (second === "INDEX") return "keys";
      return second === "CHECK" || second === "CONSTRAINT" ? "checks" : "columns";
    default:
      return isOption(words) ? "options" : "else";
  }
}

function ofAdded(second: string, rest: readonly string[]): TableAction {
  if (second !== "CONSTRAINT") {
    if (KEY_WORDS.has(second)) return "keys";
    if (second === "FOREIGN") return "foreign-key";
    return second === "CHECK" ? "checks" : "columns";
  }
  // A constraint may have a name, which is any word.
  const said = rest.find((one) => one === "FOREIGN" || one === "CHECK" || one === "UNIQUE" || one === "PRIMARY");
  if (said === "FOREIGN") return "foreign-key";
  if (said === "CHECK") return "checks";
  return said === undefined ? "else" : "keys";
}

function isOption(words: readonly string[]): boolean {
  const engine = words.indexOf("ENGINE");
  if (engine >= 0 && words.slice(engine + 1).find((one) => one !== "") !== "INNODB") return false;
  return OPTION_WORDS.has(words[0] ?? "");
}

/** CREATE [UNIQUE | FULLTEXT | SPATIAL] INDEX name [USING type] ON table (parts) options */
function createIndex(text: Buffer, tokens: readonly Token[]): TableChange | undefined {
  const index = tokens.findIndex((token, i) => i < 3 && word(token) === "INDEX");
  const on = tokens.findIndex((token, i) => i > index + 1 && word(token) === "ON");
  if (index < 0 || on < 0) return undefined;
  if (index === 2 && !KEY_WORDS.has(word(tokens[1]))) return undefined;
  const named = tableAt(tokens, on + 1);
  if (named === undefined) return undefined;
  const head = slice(text, tokens.slice(1, on));
  const tail = slice(text, withoutHints(tokens.slice(named.next)));
  return changeOf(named.table, [{ kind: "keys", text: `ADD ${head} ${tail}` }]);
}

/** DROP INDEX name ON table */
function dropIndex(text: Buffer, tokens: readonly Token[]): TableChange | undefined {
  const [, , name, on] = tokens;
  const named = word(on) === "ON" ? tableAt(tokens, 4) : undefined;
  if (named === undefined || name === undefined) return undefined;
  return changeOf(named.table, [{ kind: "keys", text: `DROP INDEX ${slice(text, [name])}` }]);
}

/** ALGORITHM and LOCK stand at the end, and say only how the server is to go about it. */
function withoutHints(tokens: readonly Token[]): readonly Token[] {
  const hint = tokens.findIndex((token) => token.depth === 0 && ["ALGORITHM", "LOCK"].includes(word(token)));
  return hint < 0 ? tokens : tokens.slice(0, hint);
}

function slice(text: Buffer, tokens: readonly Token[]): string {
  const [first] = tokens;
  return first === undefined ? "" : text.toString("utf8", first.start, tokens.at(-1)?.end);
}

function truncate(tokens: readonly Token[], at: number): TableChange | undefined {
  const named = tableAt(tokens, at);
  if (named === undefined || named.next !== tokens.length) return undefined;
  return {
    kind: "truncate",
    table: named.table,
    actions: new Set(),
    fillsTime: false,
    zonedDefault: false,
    retyped: [],
    rearranges: false,
    spell: (name) => `TRUNCATE TABLE ${name}`,
  };
}
