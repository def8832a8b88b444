import { formatComment, SIDECAR_FORMAT, SIDECAR_SCHEMA } from "../rules/sidecar-schema.ts";

/**
 * Qualified names of the sidecar's tables, on each server that a stream writes to or follows. What a stream has done to a
 * server stands there, changed in the same transactions as the data, so that both cannot disagree.
 *
 * - `ledger`: what has been applied. A transaction in a binary log is ours if and only if it changes this table.
 * - `chunk`, `snapshot`: how far the copy is, and as of when.
 * - `shape`: the definitions by which rows of the log are read, as they were when the stream began; of a table with a mapping also that of
 *   the target, whose keys are put aside during the copy.
 * - `start_position`: where the stream of a switch attempt begins, by the attempt's token.
 * - `diff_run`, `diff_table`, `diff_key`: how far the last diff is that compared with this server, and the keys of the rows that
 *   it has found to differ.
 * - `ddl`: a definition statement that is about to be carried on, and the table's definition before and after it.
 * - `heartbeat`: changed on the followed server, so that an idle log still tells how late the stream is.
 */
export const SIDECAR = {
  ledger: "`_switchyard`.`ledger`",
  chunk: "`_switchyard`.`chunk`",
  snapshot: "`_switchyard`.`snapshot`",
  shape: "`_switchyard`.`shape`",
  startPosition: "`_switchyard`.`start_position`",
  ddl: "`_switchyard`.`ddl`",
  heartbeat: "`_switchyard`.`heartbeat`",
  diffRun: "`_switchyard`.`diff_run`",
  diffTable: "`_switchyard`.`diff_table`",
  diffKey: "`_switchyard`.`diff_key`",
} as const;

/** Names without schema, as they come in a binary log. */
export const LEDGER_TABLE = "ledger";
export const HEARTBEAT_TABLE = "heartbeat";

const TABLE_OPTIONS = `ENGINE=InnoDB DEFAULT CHARSET=ascii COLLATE=ascii_bin COMMENT='${formatComment(SIDECAR_FORMAT)}'`;

/** What makes the schema and its tables where they are missing, in the present format. */
export const SIDECAR_DDL: readonly string[] = [
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
    source_uuid VARCHAR(36) NOT NULL DEFAULT '',
    writes BIGINT UNSIGNED NOT NULL DEFAULT 0,
    holder VARCHAR(36) NOT NULL DEFAULT '',
    sealed_by VARCHAR(80) NOT NULL DEFAULT '',
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
    complete TINYINT NOT NULL,
    PRIMARY KEY (migration, table_key, chunk)
  ) ${TABLE_OPTIONS}`,
  `CREATE TABLE IF NOT EXISTS ${SIDECAR.shape} (
    migration VARCHAR(40) NOT NULL,
    direction ENUM('forward','reverse') NOT NULL,
    table_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    definition LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    shape LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    keyed TINYINT NOT NULL,
    PRIMARY KEY (migration, direction, table_key)
  ) ${TABLE_OPTIONS}`,
  `CREATE TABLE IF NOT EXISTS ${SIDECAR.startPosition} (
    migration VARCHAR(40) NOT NULL,
    direction ENUM('forward','reverse') NOT NULL,
    token VARCHAR(80) NOT NULL,
    gtids LONGTEXT NOT NULL,
    PRIMARY KEY (migration, direction, token)
  ) ${TABLE_OPTIONS}`,
  `CREATE TABLE IF NOT EXISTS ${SIDECAR.ddl} (
    migration VARCHAR(40) NOT NULL,
    direction ENUM('forward','reverse') NOT NULL,
    gtid VARCHAR(120) NOT NULL,
    before_text LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    after_text LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    PRIMARY KEY (migration, direction)
  ) ${TABLE_OPTIONS}`,
  `CREATE TABLE IF NOT EXISTS ${SIDECAR.heartbeat} (
    migration VARCHAR(40) NOT NULL,
    direction ENUM('forward','reverse') NOT NULL,
    beat BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (migration, direction)
  ) ${TABLE_OPTIONS}`,
  `CREATE TABLE IF NOT EXISTS ${SIDECAR.diffRun} (
    migration VARCHAR(40) NOT NULL,
    direction ENUM('forward','reverse') NOT NULL,
    run VARCHAR(80) NOT NULL,
    finished_at VARCHAR(30) NOT NULL DEFAULT '',
    PRIMARY KEY (migration)
  ) ${TABLE_OPTIONS}`,
  // The state is JSON; the fields of a key are hexadecimal, with commas between them.
  `CREATE TABLE IF NOT EXISTS ${SIDECAR.diffTable} (
    migration VARCHAR(40) NOT NULL,
    table_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    state LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    PRIMARY KEY (migration, table_key)
  ) ${TABLE_OPTIONS}`,
  `CREATE TABLE IF NOT EXISTS ${SIDECAR.diffKey} (
    migration VARCHAR(40) NOT NULL,
    table_key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    number INT UNSIGNED NOT NULL,
    fields LONGTEXT NOT NULL,
    PRIMARY KEY (migration, table_key, number)
  ) ${TABLE_OPTIONS}`,
];

/** The comment by which a stream that follows a server knows a definition statement in its log as ours. */
export function ddlComment(migration: string, token: string): string {
  return `/* switchyard migration=${migration} token=${token} */`;
}

/**
 * Whether a statement from a binary log carries {@link ddlComment}: in front, or, in a CREATE TRIGGER, after that word.
 * The server writes that statement anew, beginning with the definer, and drops what stood before TRIGGER.
 */
export function isOurDdl(sql: string): boolean {
  return /^\s*(?:CREATE\s+DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*`\s+TRIGGER\s+)?\/\* switchyard migration=/i.test(sql);
}
