import { quoteTable, type TableName } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { SIDECAR_SCHEMA } from "../rules/sidecar-schema.ts";
import type { TableChange } from "../sql/table-change.ts";
import { enterSession, leaveSession, type StatementSession } from "./ddl-session.ts";
import { ddlComment } from "./sidecar.ts";
import type { StreamName } from "./stream-session.ts";
import { readDefinition, type TableDefinition, withoutCounter } from "./table-definitions.ts";

const FOREIGN_KEY_LINE = /^\s*CONSTRAINT `(?:[^`]|``)+` FOREIGN KEY /;
const CHECK_LINE = /^\s*CONSTRAINT `((?:[^`]|``)+)` CHECK /gm;
const HEAD = /^CREATE TABLE `(?:[^`]|``)+` \(/;

/**
 * What a change makes of a table, tried on an empty one of the same definition in the sidecar schema: the server itself
 * says which columns and keys there are afterwards, whatever the table has become where the change was made first. Foreign
 * keys are left out of both, since the tables that they name are not there.
 *
 * Leaves the session as `leaveSession` does, and no table. What the server refuses is thrown.
 *
 * @param definition as SHOW CREATE TABLE prints it under an empty `sql_mode`
 */
export async function tryChange(
  connection: Connection,
  name: StreamName,
  of: {
    readonly table: TableName;
    readonly definition: string;
    readonly change: TableChange;
    readonly session: StatementSession;
  },
): Promise<TableDefinition> {
  const scratch = { schema: SIDECAR_SCHEMA, table: `preflight_ddl_${name.migration}_${name.direction[0] ?? ""}` };
  const own = ddlComment(name.migration, "scratch");
  const statement = of.change.spell(quoteTable(scratch), new Set(["foreign-key"] as const));
  await connection.query(`DROP TABLE IF EXISTS ${quoteTable(scratch)}`);
  try {
    await connection.query(
      `${own} ${withoutForeignKeys(of.definition).replace(HEAD, () => `CREATE TABLE ${quoteTable(scratch)} (`)}`,
    );
    if (statement !== undefined) {
      await enterSession(connection, of.session);
      await connection.query("SET SESSION foreign_key_checks = 0");
      await connection.query(`${own} ${statement}`);
    }
    await leaveSession(connection);
    await connection.query("SET SESSION sql_mode = ''");
    const { definition, shape } = await readDefinition(connection, scratch);
    const named = renamed(definition, { from: scratch.table, to: of.table.table, before: of.definition });
    return { name: of.table, definition: named, shape: { ...shape, name: of.table } };
  } finally {
    if (!connection.isClosed) {
      await leaveSession(connection);
      await connection.query(`DROP TABLE IF EXISTS ${quoteTable(scratch)}`);
    }
  }
}

/**
 * A definition under another name. Names that the server has made of the table's for constraints follow it, with numbers that
 * no constraint has, before or after.
 */
export function renamed(
  definition: string,
  { from, to, before }: { readonly from: string; readonly to: string; readonly before: string },
): string {
  const own = to.replaceAll("`", "``");
  const numbers = [...`${before}\n${definition}`.matchAll(CHECK_LINE)]
    .map(([, name = ""]) =>
      name.toLowerCase().startsWith(`${own.toLowerCase()}_chk_`) ? Number(name.slice(own.length + 5)) : 0,
    )
    .filter((number) => Number.isSafeInteger(number));
  let highest = Math.max(0, ...numbers);
  return definition
    .replace(HEAD, () => `CREATE TABLE \`${own}\` (`)
    .replaceAll(CHECK_LINE, (line, name: string) =>
      name.startsWith(`${from}_chk_`) ? line.replace(name, () => `${own}_chk_${++highest}`) : line,
    );
}

/** A definition with nothing in it that may differ between a table and one made in its likeness. */
export function comparableDefinition(definition: string): string {
  return withoutCounter(withoutForeignKeys(definition))
    .replace(HEAD, "CREATE TABLE (")
    .replaceAll(/CONSTRAINT `(?:[^`]|``)+` CHECK /g, "CHECK ");
}

/** Relies on one column, key or constraint a line, as the copy does. */
function withoutForeignKeys(definition: string): string {
  const lines = definition.split("\n");
  const end = lines.findIndex((line, i) => i > 0 && line.startsWith(")"));
  if (end < 0) return definition;
  const body = lines.slice(1, end).filter((line) => !FOREIGN_KEY_LINE.test(line));
  const last = body.length - 1;
  const closed = body.map((line, i) => (i === last ? line.replace(/,$/, "") : line));
  return [lines[0], ...closed, ...lines.slice(end)].join("\n");
}
