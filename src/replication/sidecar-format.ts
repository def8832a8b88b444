import { SwitchyardError } from "../base/errors.ts";
import { quoteId, quoteText } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { ERRNO, isMysqlError } from "../mysql/mysql-error.ts";
import {
  formatComment,
  SIDECAR_FORMAT,
  SIDECAR_SCHEMA,
  SIDECAR_TABLES_SQL,
  sidecarFormats,
} from "../rules/sidecar-schema.ts";
import { ddlComment, SIDECAR, SIDECAR_DDL } from "./sidecar.ts";

/** The present format, and by the format that it begins with what leads to the next. */
export interface SidecarFormats {
  readonly present: number;
  /**
   * Statements that may be repeated: a server that dies between them is met again in the format before. One that adds a
   * column may be; that it is there already is no error.
   */
  readonly steps: Readonly<Record<number, readonly string[]>>;
}

const FORMATS: SidecarFormats = {
  present: SIDECAR_FORMAT,
  steps: { 1: [`ALTER TABLE ${SIDECAR.ledger} ADD COLUMN sealed_by VARCHAR(80) NOT NULL DEFAULT ''`] },
};

const LOCK = "switchyard-sidecar";
const LOCK_WAIT_SECONDS = 60;

/**
 * Makes the sidecar schema and its tables where they are missing, and brings older ones to the present format. Safe to
 * run at any time, by several at once: one upgrades, the others wait for it.
 *
 * @throws {SwitchyardError} `REPLICATION_SIDECAR_FORMAT` when a newer version has made the tables, or somebody else
 */
export async function ensureSidecar(connection: Connection, formats: SidecarFormats = FORMATS): Promise<void> {
  const tables = await readFormats(connection);
  refuseForeign(tables, formats, connection.endpoint.name);
  if ([...tables.values()].some((format) => format < formats.present)) await upgrade(connection, formats);
  if (tables.size >= SIDECAR_DDL.length - 1) return;
  for (const statement of SIDECAR_DDL) await connection.query(`${ddlComment("-", "sidecar")} ${statement}`);
}

/**
 * Removes all rows of a migration. The schema stays, for other migrations and for the next; a server that has none is left
 * without. An older one is brought to the present format first.
 *
 * @throws {SwitchyardError} `REPLICATION_SIDECAR_FORMAT`: nothing was removed
 */
export async function dropSidecarRows(
  connection: Connection,
  migration: string,
  formats: SidecarFormats = FORMATS,
): Promise<void> {
  const tables = await readFormats(connection);
  refuseForeign(tables, formats, connection.endpoint.name);
  if ([...tables.values()].some((format) => format < formats.present)) await upgrade(connection, formats);
  for (const table of Object.values(SIDECAR)) {
    if (!tables.has(table.split("`")[3] ?? "")) continue;
    await connection.query(`DELETE FROM ${table} WHERE migration = ${quoteText(migration)}`);
  }
}

async function readFormats(connection: Connection): Promise<ReadonlyMap<string, number>> {
  return sidecarFormats(await connection.rows(SIDECAR_TABLES_SQL));
}

function refuseForeign(tables: ReadonlyMap<string, number>, { present, steps }: SidecarFormats, server: string): void {
  for (const [table, format] of tables) {
    if (format === present || (format < present && steps[format] !== undefined)) continue;
    throw new SwitchyardError("REPLICATION_SIDECAR_FORMAT", {
      what: `${SIDECAR_SCHEMA}.${table} on server "${server}" is ${Number.isNaN(format) ? "not a table of Switchyard" : `of format ${format}`}; this version knows ${formatComment(present)}`,
      changed: "Nothing was changed on this server.",
      fix: "Run the version of Switchyard that made the schema, or a newer one; a schema of somebody else's must get another name.",
    });
  }
}

async function upgrade(connection: Connection, formats: SidecarFormats): Promise<void> {
  const [got] = await connection.rows(`SELECT GET_LOCK(${quoteText(LOCK)}, ${LOCK_WAIT_SECONDS}) AS got`);
  if (got?.["got"] !== "1") {
    throw new SwitchyardError("TIMEOUT", {
      what: `the sidecar of server "${connection.endpoint.name}" is being upgraded`,
    });
  }
  try {
    // Read again under the lock: whoever had it before may have done all of this.
    let tables = await readFormats(connection);
    for (let format = Math.min(...tables.values()); format < formats.present; format += 1) {
      for (const statement of formats.steps[format] ?? []) {
        await connection.query(`${ddlComment("-", "sidecar")} ${statement}`).catch((error: unknown) => {
          if (!isMysqlError(error, ERRNO.DUPLICATE_COLUMN)) throw error;
        });
      }
      tables = await readFormats(connection);
      for (const [table, found] of tables) {
        if (found > format) continue;
        const name = `${quoteId(SIDECAR_SCHEMA)}.${quoteId(table)}`;
        await connection.query(
          `${ddlComment("-", "sidecar")} ALTER TABLE ${name} COMMENT = '${formatComment(format + 1)}'`,
        );
      }
    }
  } finally {
    await connection.query(`DO RELEASE_LOCK(${quoteText(LOCK)})`).catch(() => undefined);
  }
}
