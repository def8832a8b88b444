import type { Connection } from "../mysql/connection.ts";

/** The schema on each server that Switchyard writes to. It is left out of every copy, stream and diff. */
export const SIDECAR_SCHEMA = "_switchyard";

/** Qualified names of the sidecar's tables. */
export const SIDECAR = {
  ledger: "`_switchyard`.`ledger`",
  chunk: "`_switchyard`.`chunk`",
  snapshot: "`_switchyard`.`snapshot`",
  startPosition: "`_switchyard`.`start_position`",
  heartbeat: "`_switchyard`.`heartbeat`",
} as const;

const TABLE_OPTIONS = "ENGINE=InnoDB DEFAULT CHARSET=ascii COLLATE=ascii_bin COMMENT='switchyard format 1'";

const DDL: readonly string[] = [
  `CREATE DATABASE IF NOT EXISTS \`${SIDECAR_SCHEMA}\``,
  // Worker 0 holds what was folded at the last claim; each applying connection has a row of its own after that.
  `CREATE TABLE IF NOT EXISTS ${SIDECAR.ledger} (
    migration VARCHAR(40) NOT NULL,
    direction ENUM('forward','reverse') NOT NULL,
    worker INT UNSIGNED NOT NULL,
    epoch BIGINT UNSIGNED NOT NULL,
    gtids LONGTEXT NOT NULL,
    start_token VARCHAR(80) NOT NULL DEFAULT '',
    newest_gtid VARCHAR(120) NOT NULL DEFAULT '',
    newest_commit_us BIGINT UNSIGNED NOT NULL DEFAULT 0,
    PRIMARY KEY (migration, direction, worker)
  ) ${TABLE_OPTIONS}`,
  `CREATE TABLE IF NOT EXISTS ${SIDECAR.snapshot} (
    migration VARCHAR(40) NOT NULL,
    snapshot INT UNSIGNED NOT NULL,
    gtids LONGTEXT NOT NULL,
    PRIMARY KEY (migration, snapshot)
  ) ${TABLE_OPTIONS}`,
  // Bounds are JSON arrays of the key's parts; NULL stands for the end on that side.
  `CREATE TABLE IF NOT EXISTS ${SIDECAR.chunk} (
    migration VARCHAR(40) NOT NULL,
    table_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    chunk INT UNSIGNED NOT NULL,
    low LONGTEXT,
    high LONGTEXT,
    snapshot INT UNSIGNED NOT NULL,
    row_count BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (migration, table_key, chunk)
  ) ${TABLE_OPTIONS}`,
  `CREATE TABLE IF NOT EXISTS ${SIDECAR.startPosition} (
    migration VARCHAR(40) NOT NULL,
    direction ENUM('forward','reverse') NOT NULL,
    token VARCHAR(80) NOT NULL,
    gtids LONGTEXT NOT NULL,
    PRIMARY KEY (migration, direction, token)
  ) ${TABLE_OPTIONS}`,
  `CREATE TABLE IF NOT EXISTS ${SIDECAR.heartbeat} (
    migration VARCHAR(40) NOT NULL,
    direction ENUM('forward','reverse') NOT NULL,
    beat BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (migration, direction)
  ) ${TABLE_OPTIONS}`,
];

/** Makes the sidecar schema and its tables where they are missing. */
export async function ensureSidecar(connection: Connection): Promise<void> {
  for (const statement of DDL) await connection.query(statement);
}

/** Removes all rows of a migration. The schema stays, for other migrations and for the next. */
export async function dropSidecarRows(connection: Connection, migration: string): Promise<void> {
  for (const table of Object.values(SIDECAR)) {
    await connection.query(`DELETE FROM ${table} WHERE migration = '${migration}'`);
  }
}
