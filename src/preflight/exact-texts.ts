import { quoteTable } from "../base/table-name.ts";
import { MysqlError } from "../mysql/mysql-error.ts";
import type { ServerView } from "./server-view.ts";

type Row = Readonly<Record<string, string | null>>;

/** Where one of these is in a body, the information schema may show another text than the server executes. */
const MAY_BE_ESCAPED = /['"\\]/;

/** Not of the body, and a part of it looks like a user variable. Names are quoted as the mode of the routine says. */
const HEAD = /^CREATE DEFINER=(?:`(?:[^`]|``)*`|"(?:[^"]|"")*")@(?:`(?:[^`]|``)*`|"(?:[^"]|"")*") /;

const TEXT_COLUMNS = ["Create Procedure", "Create Function", "Create Event", "SQL Original Statement"];

/** There is no such routine, trigger, event. */
const GONE: ReadonlySet<number> = new Set([1305, 1360, 1539]);

/**
 * Rows of routines, triggers or events with the text that the server executes as `body`.
 *
 * The information schema shows texts without their escapes: `SELECT 'it''s'` as `SELECT 'it's'`, in which all that
 * follows reads as something else. Of those that have a quote or a backslash the whole definition is asked for, one by one; it
 * begins with `PROCEDURE`, `FUNCTION`, `TRIGGER` or `EVENT`, and is null where the account may not see it.
 *
 * @param rows with `kind`, `own_db`, `own_name` and `body`
 */
export async function exactTexts(server: ServerView, rows: readonly Row[]): Promise<readonly Row[]> {
  const exact: Row[] = [];
  for (const row of rows) {
    exact.push(MAY_BE_ESCAPED.test(row["body"] ?? "") ? { ...row, body: await wholeText(server, row) } : row);
  }
  return exact;
}

async function wholeText(server: ServerView, row: Row): Promise<string | null> {
  const name = { schema: row["own_db"] ?? "", table: row["own_name"] ?? "" };
  const shown = await shownBy(server, `SHOW CREATE ${row["kind"]} ${quoteTable(name)}`);
  const text = TEXT_COLUMNS.map((column) => shown?.[column]).find((found) => found !== undefined);
  return text === undefined || text === null ? null : text.replace(HEAD, "");
}

/** Undefined where it was dropped after it had been listed. */
async function shownBy(server: ServerView, sql: string): Promise<Row | undefined> {
  try {
    return (await server.rows(sql))[0];
  } catch (error) {
    if (error instanceof MysqlError && GONE.has(error.errno)) return undefined;
    throw error;
  }
}
