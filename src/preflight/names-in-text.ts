import type { TableName } from "../base/table-name.ts";
import { tableKey } from "../base/table-name.ts";
import { TOKEN, Tokenizer } from "../sql/tokenizer.ts";

const MODES = { ansiQuotes: false, noBackslashEscapes: false };
const DOT = 0x2e;

/**
 * Which of the tables the body of a trigger, routine or event may use. Bodies are not parsed: a name counts wherever
 * it stands, by itself where the body's own schema completes it, or behind the right schema. So a column of the same
 * name counts too; a table in text that is put together at run time does not.
 */
export function tablesNamedIn(body: string, schema: string, tables: readonly TableName[]): readonly string[] {
  const found = new Set<string>();
  const lexer = new Tokenizer(Buffer.from(body, "utf8"), MODES);
  let previous = "";
  let dotted = false;
  while (lexer.next() !== TOKEN.END && lexer.kind !== TOKEN.BAD) {
    if (lexer.kind === TOKEN.OPERATOR && lexer.code === DOT) {
      dotted = true;
      continue;
    }
    const name = lexer.kind === TOKEN.WORD || lexer.kind === TOKEN.QUOTED ? spelled(lexer) : "";
    const owner = dotted ? previous : schema;
    for (const table of tables) {
      if (same(table.table, name) && same(table.schema, owner)) found.add(tableKey(table));
    }
    previous = name;
    dotted = false;
  }
  return [...found];
}

function spelled(lexer: Tokenizer): string {
  const text = lexer.text.toString("utf8", lexer.start, lexer.end);
  return lexer.kind === TOKEN.QUOTED ? text.slice(1, -1).replaceAll("``", "`") : text;
}

/** Without regard to case: rather one too many than one missed. */
function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
