import { isServerSchema, isServerTable } from "../rules/server-schemas.ts";
import { analyzeSql } from "../sql/classifier.ts";
import type { SqlModes } from "../sql/statement.ts";
import { TOKEN, Tokenizer } from "../sql/tokenizer.ts";

const DOT = 0x2e;
const PAREN_OPEN = 0x28;

/** Before the name of a table that need not be there yet. */
const BEFORE_TABLES: ReadonlySet<string> = new Set(
  "from join straight_join into update ignore low_priority quick table tables exists references like using".split(" "),
);
/** Functions of `sys` that only tell of the server; its procedures may execute what they are given. */
const SERVER_FUNCTION =
  /^sys\.(format_|extract_|list_|ps_is_|ps_thread_|quote_identifier$|sys_get_config$|version_(major|minor|patch)$)/;

/** What there is on a server, as far as it can be seen; keys in lower case. */
export interface KnownNames {
  readonly schemas: ReadonlySet<string>;
  /** Those of {@link schemas} of which every table can be seen. */
  readonly whole: ReadonlySet<string>;
  /** `schema.table`, views among them. */
  readonly tables: ReadonlySet<string>;
  /** `schema.routine`. */
  readonly routines: ReadonlySet<string>;
}

/** What the text of a view, a trigger or a routine may use; keys in lower case. */
export interface UsedNames {
  readonly tables: ReadonlySet<string>;
  readonly routines: ReadonlySet<string>;
  /** Why it may use more than that. */
  readonly unknown?: string | undefined;
}

/**
 * What a body may use. It is not parsed: a name counts wherever it stands, by itself where the body's own schema completes
 * it, or behind a schema. So a column of the same name counts too. A name behind a schema that is neither table nor routine
 * there counts as a table, since there may be some that cannot be seen; not where all can be seen and the schema's name may
 * be that of a table or alias: it stands by itself elsewhere in the body. Text that is put together at run time is unknown.
 */
export function namesInBody(body: string, schema: string, known: KnownNames, modes: SqlModes): UsedNames {
  const tables = new Set<string>();
  const routines = new Set<string>();
  let unknown: string | undefined;
  const lexer = new Tokenizer(Buffer.from(body, "utf8"), modes);
  const alone = new Set<string>();
  const perhapsColumns = new Map<string, string>();
  let previous = "";
  let before = "";
  let dotted = false;
  while (lexer.next() !== TOKEN.END) {
    if (lexer.kind === TOKEN.BAD) return { tables, routines, unknown: "a quote or a comment in it does not end" };
    if (lexer.kind === TOKEN.OPERATOR && lexer.code === DOT) {
      dotted = true;
      continue;
    }
    const isWord = lexer.kind === TOKEN.WORD;
    const name = isWord || lexer.kind === TOKEN.QUOTED ? spelled(lexer).toLowerCase() : "";
    if (isWord && !dotted && (name === "prepare" || name === "execute")) unknown = "it prepares statements";
    const owner = dotted ? previous : schema.toLowerCase();
    const key = `${owner}.${name}`;
    if (name !== "" && !dotted && !lexer.nextByteIs(DOT)) alone.add(name);
    if (name !== "" && !(dotted && isServerSchema(owner))) {
      if (known.tables.has(key)) tables.add(key);
      if (known.routines.has(key)) routines.add(key);
      else if (dotted && known.schemas.has(owner) && !known.tables.has(key)) {
        const called = lexer.nextByteIs(PAREN_OPEN);
        if (called) unknown = `it calls ${key}, which cannot be seen`;
        if (called || BEFORE_TABLES.has(before) || !known.whole.has(owner)) tables.add(key);
        else perhapsColumns.set(key, owner);
      }
    } else if (owner === "sys" && (before === "call" || lexer.nextByteIs(PAREN_OPEN)) && !SERVER_FUNCTION.test(key)) {
      unknown = `it calls ${key}, which may execute anything`;
    }
    before = previous;
    previous = name;
    dotted = false;
  }
  for (const [key, owner] of perhapsColumns) if (!alone.has(owner)) tables.add(key);
  return { tables, routines, unknown: lexer.doubt ?? unknown };
}

/** What a view uses. Its definition is a query, and the server gives it with every name complete. */
export function namesInView(definition: string, schema: string): UsedNames {
  const [facts, more] = analyzeSql(Buffer.from(definition, "utf8"), { ansiQuotes: false, noBackslashEscapes: false });
  const key = (owner: string | undefined, name: string): string => `${owner ?? schema}.${name}`.toLowerCase();
  const opaque = facts === undefined || more !== undefined || (facts.touchesEverything && facts.calls === undefined);
  const tables = (facts?.tables ?? []).map((ref) => key(ref.schema, ref.table));
  const calls = (facts?.calls ?? []).map((ref) => key(ref.schema, ref.name));
  return {
    tables: new Set(tables.filter((table) => !isServerTable(table))),
    routines: new Set(calls.filter((routine) => !SERVER_FUNCTION.test(routine))),
    unknown: opaque ? (facts?.everythingBecause ?? "it is not one query") : undefined,
  };
}

function spelled(lexer: Tokenizer): string {
  const text = lexer.text.toString("utf8", lexer.start, lexer.end);
  if (lexer.kind !== TOKEN.QUOTED) return text;
  const quote = text.slice(0, 1);
  return text.slice(1, -1).replaceAll(quote + quote, quote);
}
