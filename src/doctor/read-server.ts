import { messageOf } from "../base/errors.ts";
import { parseTableKey, quoteText, type TableName, tableKey } from "../base/table-name.ts";
import type { BackendConfig } from "../config/config.ts";
import { triggerTokenOf, triggerUserOf } from "../cutover/fence-triggers.ts";
import { type AdminConnection, type AdminRow, openAdmin } from "../mysql/admin-connection.ts";
import { MysqlError } from "../mysql/mysql-error.ts";
import type { Direction } from "../replication/direction.ts";
import { APPLIER_ATTRIBUTE } from "../replication/ledger.ts";
import { SIDECAR } from "../replication/sidecar.ts";
import { SIDECAR_TABLES_SQL, sidecarFormats } from "../rules/sidecar-schema.ts";
import type { FoundTrigger, HeldLock, LedgerRow, ServerAnswer, ServerFacts } from "./facts.ts";

/** Names are bound by the server's own limit, so that one question takes as many. */
const TABLES_ASKED_MAX = 500;

type SidecarFacts = Pick<ServerFacts, "sidecar" | "ledger" | "snapshots" | "traces">;
type ServerState = Pick<
  ServerFacts,
  "uuid" | "readOnly" | "superReadOnly" | "replica" | "executed" | "purged" | "tables" | "schemasSeen"
>;

/**
 * Reads all servers, in two rounds: what was applied first and what was executed afterwards, so that no ledger seems to be
 * ahead of the server that it follows. Nothing is changed anywhere.
 *
 * @param tables keys of those to look for, besides those that bear a trigger of ours on any server
 */
export async function readServers(
  backends: readonly BackendConfig[],
  tables: readonly string[],
): Promise<Readonly<Record<string, ServerAnswer>>> {
  const opened = await Promise.all(backends.map((backend) => lookAt(backend)));
  const fenced = opened.flatMap((look) => ("facts" in look ? look.facts.triggers.map(({ table }) => table) : []));
  const names = [...new Set([...tables, ...fenced])].map(parseTableKey);
  const answers = await Promise.all(
    opened.map(async (look): Promise<readonly [string, ServerAnswer]> => {
      if ("unreachable" in look) return [look.name, { unreachable: look.unreachable }];
      try {
        return [look.name, { ...look.facts, ...(await readState(look.connection, names)) }];
      } catch (error) {
        return [look.name, { unreachable: firstLine(error) }];
      } finally {
        await look.connection.close();
      }
    }),
  );
  return Object.fromEntries(answers);
}

type Look =
  | { readonly name: string; readonly unreachable: string }
  | {
      readonly name: string;
      readonly connection: AdminConnection;
      readonly facts: Omit<ServerFacts, keyof ServerState>;
    };

async function lookAt(backend: BackendConfig): Promise<Look> {
  const { name } = backend;
  let connection: AdminConnection | undefined;
  try {
    connection = await openAdmin(backend, { attributes: { switchyard_role: "doctor" } });
    const unseen: string[] = [];
    const see = async <T>(what: string, otherwise: T, read: () => Promise<T>): Promise<T> => {
      try {
        return await read();
      } catch (error) {
        if (!(error instanceof MysqlError)) throw error;
        unseen.push(what);
        return otherwise;
      }
    };
    const open = connection;
    const facts = {
      label: `${backend.host}:${backend.port}`,
      ...(await see("sidecar", NO_SIDECAR, () => readSidecar(open))),
      triggers: await see("triggers", [], () => readTriggers(open, backend.user)),
      locks: await see("user-level locks", [], () => readLocks(open)),
      appliers: await see("connection attributes", [], () => readAppliers(open)),
      unseen,
    };
    return { name, connection, facts };
  } catch (error) {
    await connection?.close();
    return { name, unreachable: firstLine(error) };
  }
}

/** The format of the sidecar that has the column. */
const SEALS_SINCE = 2;
const NO_SIDECAR: SidecarFacts = { sidecar: new Map(), ledger: [], snapshots: {}, traces: [] };

async function readState(connection: AdminConnection, tables: readonly TableName[]): Promise<ServerState> {
  const [row] = await connection.rows(
    "SELECT @@GLOBAL.server_uuid uuid, @@GLOBAL.read_only ro, @@GLOBAL.super_read_only super_ro, " +
      "@@GLOBAL.gtid_executed executed, @@GLOBAL.gtid_purged purged",
  );
  const gtids = (column: string): string => (row?.[column] ?? "").replaceAll(/\s/g, "");
  return {
    uuid: row?.["uuid"] ?? "",
    readOnly: row?.["ro"] === "1",
    superReadOnly: row?.["super_ro"] === "1",
    replica: row?.["ro"] === "1" || (await followsAnother(connection)),
    executed: gtids("executed"),
    purged: gtids("purged"),
    tables: await readTables(connection, tables),
    schemasSeen: await readSchemasSeen(connection, new Set(tables.map(({ schema }) => schema))),
  };
}

/** Whether a replication channel is set up. Where that cannot be asked, the server is taken for a replica. */
async function followsAnother(connection: AdminConnection): Promise<boolean> {
  try {
    const rows = await connection.rows(
      "SELECT 1 FROM performance_schema.replication_connection_configuration WHERE HOST <> '' AND CHANNEL_NAME NOT LIKE 'group\\_replication%'",
    );
    return rows.length > 0;
  } catch (error) {
    if (error instanceof MysqlError) return true;
    throw error;
  }
}

/**
 * Schemas in which no table can hide from our account: a server lists only tables that one has a right to. Rights by role or by
 * pattern are not counted.
 */
async function readSchemasSeen(
  connection: AdminConnection,
  schemas: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const [everywhere] = await connection.rows(
    "SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'SELECT'",
  );
  if (everywhere !== undefined) return schemas;
  const rows = await connection.rows(
    "SELECT TABLE_SCHEMA db FROM information_schema.SCHEMA_PRIVILEGES WHERE PRIVILEGE_TYPE = 'SELECT'",
  );
  const granted = rows.map((row) => (row["db"] ?? "").replaceAll(/\\([_%])/g, "$1"));
  return new Set(granted.filter((schema) => schemas.has(schema)));
}

async function readSidecar(connection: AdminConnection): Promise<SidecarFacts> {
  const sidecar = sidecarFormats(await connection.rows(SIDECAR_TABLES_SQL));
  const has = (qualified: string): boolean => !Number.isNaN(sidecar.get(qualified.split("`")[3] ?? "") ?? Number.NaN);
  const traces = new Set<string>();
  for (const table of Object.values(SIDECAR)) {
    if (!has(table)) continue;
    for (const row of await connection.rows(`SELECT DISTINCT migration FROM ${table}`))
      traces.add(row["migration"] ?? "");
  }
  const sealed = (sidecar.get("ledger") ?? 0) < SEALS_SINCE ? "''" : "sealed_by";
  const ledger = has(SIDECAR.ledger)
    ? await connection.rows(
        `SELECT migration, direction, worker, epoch, gtids, start_token, ${sealed} AS sealed_by, source_uuid FROM ${SIDECAR.ledger}`,
      )
    : [];
  const snapshots: Record<string, string[]> = {};
  if (has(SIDECAR.snapshot)) {
    for (const row of await connection.rows(`SELECT migration, gtids FROM ${SIDECAR.snapshot}`)) {
      const id = row["migration"] ?? "";
      snapshots[id] = [...(snapshots[id] ?? []), row["gtids"] ?? ""];
    }
  }
  return { sidecar, ledger: ledger.map(ledgerRow), snapshots, traces: [...traces].sort() };
}

function ledgerRow(row: AdminRow): LedgerRow {
  return {
    migration: row["migration"] ?? "",
    direction: row["direction"] as Direction,
    worker: Number(row["worker"]),
    epoch: row["epoch"] ?? "",
    gtids: row["gtids"] ?? "",
    startToken: row["start_token"] ?? "",
    sealedBy: row["sealed_by"] ?? "",
    sourceUuid: row["source_uuid"] ?? "",
  };
}

/** `switchyard_<migration>_<digest of the table>_<event>`, `g` before the event of a guard. Ids have no underscore. */
const TRIGGER_NAME = /^switchyard_([^_]+)_[0-9a-f]{8}_(g?)[iud]$/;

async function readTriggers(connection: AdminConnection, ourUser: string): Promise<readonly FoundTrigger[]> {
  const rows = await connection.rows(
    "SELECT TRIGGER_SCHEMA db, TRIGGER_NAME name, EVENT_OBJECT_SCHEMA table_db, EVENT_OBJECT_TABLE table_name, " +
      "EVENT_MANIPULATION event, ACTION_STATEMENT body FROM information_schema.TRIGGERS " +
      "WHERE LEFT(TRIGGER_NAME, 11) = 'switchyard_'",
  );
  return rows.flatMap((row) => {
    const [, migration, guard] = TRIGGER_NAME.exec(row["name"] ?? "") ?? [];
    const body = row["body"] ?? "";
    if (migration === undefined || !body.includes("switchyard migration=")) return [];
    return [
      {
        schema: row["db"] ?? "",
        name: row["name"] ?? "",
        table: tableKey({ schema: row["table_db"] ?? "", table: row["table_name"] ?? "" }),
        migration,
        kind: guard === "g" ? ("guard" as const) : ("fence" as const),
        event: row["event"] ?? "",
        token: triggerTokenOf(body),
        letsUsPass: (triggerUserOf(body) ?? ourUser) === ourUser,
      },
    ];
  });
}

async function readLocks(connection: AdminConnection): Promise<readonly HeldLock[]> {
  const rows = await connection.rows(
    "SELECT m.OBJECT_NAME name, t.PROCESSLIST_ID id, t.PROCESSLIST_USER user " +
      "FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID " +
      "WHERE m.OBJECT_TYPE = 'USER LEVEL LOCK' AND m.LOCK_STATUS = 'GRANTED' AND LEFT(m.OBJECT_NAME, 10) = 'switchyard'",
  );
  return rows.map((row) => ({ name: row["name"] ?? "", connectionId: row["id"] ?? "", user: row["user"] ?? "" }));
}

async function readAppliers(connection: AdminConnection): Promise<ServerFacts["appliers"]> {
  const rows = await connection.rows(
    "SELECT PROCESSLIST_ID id, ATTR_VALUE stream FROM performance_schema.session_connect_attrs " +
      `WHERE ATTR_NAME = '${APPLIER_ATTRIBUTE}'`,
  );
  return rows.map((row) => ({ stream: row["stream"] ?? "", connectionId: row["id"] ?? "" }));
}

async function readTables(connection: AdminConnection, tables: readonly TableName[]): Promise<ReadonlySet<string>> {
  const there = new Set<string>();
  for (let at = 0; at < tables.length; at += TABLES_ASKED_MAX) {
    const names = tables
      .slice(at, at + TABLES_ASKED_MAX)
      .map((name) => `(${quoteText(name.schema)}, ${quoteText(name.table)})`);
    const rows = await connection.rows(
      "SELECT TABLE_SCHEMA db, TABLE_NAME name FROM information_schema.TABLES " +
        `WHERE TABLE_TYPE = 'BASE TABLE' AND (TABLE_SCHEMA, TABLE_NAME) IN (${names.join(", ")})`,
    );
    for (const row of rows) there.add(tableKey({ schema: row["db"] ?? "", table: row["name"] ?? "" }));
  }
  return there;
}

function firstLine(error: unknown): string {
  return messageOf(error).split("\n").slice(0, 2).join(" ").trim();
}
