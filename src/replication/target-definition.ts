import { SwitchyardError } from "../base/errors.ts";
import { quoteId, quoteTable, type TableName, tableKey } from "../base/table-name.ts";

/** A table's definition, cut in two: rows load faster, and more safely, while there are no secondary keys. */
export interface TargetDefinition {
  readonly table: TableName;
  /** `CREATE TABLE` with columns, primary key and checks; keys that cannot be done without are kept. */
  readonly create: string;
  /** Clauses of one `ALTER TABLE` that adds the secondary keys, in the order of the definition. */
  readonly keys: readonly string[];
  /** Clauses that add the foreign keys, to be run when every table has its keys. */
  readonly foreignKeys: readonly string[];
}

/** Keys that the table has from the beginning, by name; all that find rows by value. */
export type KeysAtOnce = ReadonlySet<string> | "all";

const NO_KEYS: ReadonlySet<string> = new Set();
const SECONDARY_KEY = /^(?:UNIQUE |FULLTEXT |SPATIAL )?KEY /;
const FINDS_ROWS = /^(?:UNIQUE )?KEY /;
const FOREIGN_KEY = /^CONSTRAINT `(?:[^`]|``)+` FOREIGN KEY /;
const AUTO_INCREMENT_COLUMN = /^(`(?:[^`]|``)+`) .*\bAUTO_INCREMENT\b/;

/**
 * Cuts what `SHOW CREATE TABLE` printed. Secondary keys and foreign keys are left for later; the key that an
 * AUTO_INCREMENT column needs is kept where the primary key does not begin with it.
 *
 * UNIQUE keys must wait too: chunks of different snapshots may hold the same unique value for a while. Those `atOnce` do not:
 * the rows are told apart by one of them, or nothing but the values of a row finds it.
 *
 * Relies on the server's own layout, one column or key a line (MySQL manual, SHOW CREATE TABLE), read under an
 * empty `sql_mode`.
 *
 * @throws {SwitchyardError} `REPLICATION_DEFINITION_UNREADABLE` when the text is laid out otherwise.
 */
export function cutDefinition(table: TableName, showCreate: string, atOnce: KeysAtOnce = NO_KEYS): TargetDefinition {
  const lines = showCreate.split("\n");
  const head = lines[0] ?? "";
  const end = lines.findIndex((line, index) => index > 0 && line.startsWith(")"));
  if (!head.startsWith("CREATE TABLE ") || !head.endsWith("(") || end < 0) throw unreadable(table, head);
  const body = lines.slice(1, end).map((line) => line.trim().replace(/,$/, ""));
  const counter = body.map((line) => AUTO_INCREMENT_COLUMN.exec(line)?.[1]).find((name) => name !== undefined);
  const primaryServes = body.some((line) => line.startsWith(`PRIMARY KEY (${counter}`));
  let counterKey: string | undefined;
  if (counter !== undefined && !primaryServes) {
    counterKey = body.find((line) => SECONDARY_KEY.test(line) && line.includes(` (${counter}`));
  }
  const later = (line: string): boolean =>
    SECONDARY_KEY.test(line) &&
    line !== counterKey &&
    !(atOnce === "all" ? FINDS_ROWS.test(line) : atOnce.has(clauseName(line)));
  const kept = body.filter((line) => !later(line) && !FOREIGN_KEY.test(line));
  const tail = lines.slice(end).join("\n");
  return {
    table,
    create: `CREATE TABLE IF NOT EXISTS ${quoteTable(table)} (\n  ${kept.join(",\n  ")}\n${tail}`,
    keys: body.filter(later).map((line) => `ADD ${line}`),
    foreignKeys: body.filter((line) => FOREIGN_KEY.test(line)).map((line) => `ADD ${line}`),
  };
}

/** The name of the key or constraint that a clause of {@link TargetDefinition} adds. */
export function clauseName(clause: string): string {
  const match = /(?:KEY|CONSTRAINT) `((?:[^`]|``)+)`/.exec(clause);
  return (match?.[1] ?? "").replaceAll("``", "`");
}

/** `ALTER TABLE` with the clauses whose names are not in `present`; `undefined` when there is nothing to add. */
export function addClauses(
  table: TableName,
  clauses: readonly string[],
  present: ReadonlySet<string>,
): string | undefined {
  const missing = clauses.filter((clause) => !present.has(clauseName(clause)));
  return missing.length === 0 ? undefined : `ALTER TABLE ${quoteTable(table)} ${missing.join(", ")}`;
}

/** `CREATE DATABASE` with the character set and collation of the source's schema. */
export function createSchema(schema: string, characterSet: string, collation: string): string {
  return `CREATE DATABASE IF NOT EXISTS ${quoteId(schema)} CHARACTER SET ${characterSet} COLLATE ${collation}`;
}

function unreadable(table: TableName, head: string): SwitchyardError {
  return new SwitchyardError("REPLICATION_DEFINITION_UNREADABLE", {
    what: `the definition of ${tableKey(table)} is not laid out as expected; it begins with "${head.slice(0, 80)}"`,
    changed: "Nothing was created on the target for this table.",
    fix: "Move this table by other means, and report the output of SHOW CREATE TABLE.",
  });
}
