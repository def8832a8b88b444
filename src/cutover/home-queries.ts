import { printable } from "../base/printable.ts";
import { quoteText, type TableName, tableKey } from "../base/table-name.ts";
import { type FenceTrigger, fencesOf, listTriggers, readTriggers } from "./fence-triggers.ts";
import type { HomeView, LastingFence, LockHolder } from "./ports.ts";

export type TextRow = Readonly<Record<string, string | null>>;

/** What the queries run on. */
export interface RowSource {
  rows(sql: string): Promise<TextRow[]>;
}

/** Locks beside which a reader's table lock is granted. */
const READERS = new Set(["INTENTION_EXCLUSIVE", "SHARED", "SHARED_HIGH_PRIO", "SHARED_READ", "SHARED_READ_ONLY"]);

/** Of what clients say of themselves. */
const ATTRIBUTE_CHARS_MAX = 60;

/** A connection attribute of the holder `t`. */
function attribute(name: string): string {
  return (
    "(SELECT MAX(a.ATTR_VALUE) FROM performance_schema.session_connect_attrs a " +
    `WHERE a.PROCESSLIST_ID = t.PROCESSLIST_ID AND a.ATTR_NAME = '${name}')`
  );
}

/** Reads the facts of a server that matter to one migration's switch. */
export class HomeQueries implements HomeView {
  readonly #source: RowSource;
  readonly #migration: string;
  readonly #tables: readonly TableName[];
  /** Connections of ours, whose locks are nobody's way. */
  readonly #own: readonly number[];

  constructor(source: RowSource, migration: string, tables: readonly TableName[], own: readonly number[]) {
    this.#source = source;
    this.#migration = migration;
    this.#tables = tables;
    this.#own = own;
  }

  async serverUuid(): Promise<string> {
    return await readServerUuid(this.#source);
  }

  async executed(): Promise<string> {
    return await readExecuted(this.#source);
  }

  async holders(): Promise<readonly LockHolder[]> {
    const rows = await this.#source.rows(
      "SELECT m.OBJECT_SCHEMA db, m.OBJECT_NAME name, m.LOCK_TYPE lock_type, m.OWNER_THREAD_ID owner, " +
        "m.OWNER_EVENT_ID event, m.OBJECT_INSTANCE_BEGIN instance, t.PROCESSLIST_ID id, t.PROCESSLIST_USER user, " +
        "t.PROCESSLIST_HOST host, t.PROCESSLIST_COMMAND command, " +
        "GREATEST(COALESCE(t.PROCESSLIST_TIME, 0), COALESCE(FLOOR(e.TIMER_WAIT / 1000000000000), 0)) seconds, " +
        "UPPER(SUBSTRING_INDEX(LTRIM(LEFT(t.PROCESSLIST_INFO, 40)), ' ', 1)) statement, " +
        `${attribute("program_name")} program, ${attribute("_client_name")} driver, ${attribute("switchyard_client")} client ` +
        "FROM performance_schema.metadata_locks m " +
        "LEFT JOIN performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID " +
        "LEFT JOIN performance_schema.events_transactions_current e ON e.THREAD_ID = m.OWNER_THREAD_ID AND e.STATE = 'ACTIVE' " +
        `WHERE m.OBJECT_TYPE = 'TABLE' AND m.LOCK_STATUS = 'GRANTED' AND (m.OBJECT_SCHEMA, m.OBJECT_NAME) IN (${this.#names()}) ` +
        `AND COALESCE(t.PROCESSLIST_ID, 0) NOT IN (${["CONNECTION_ID()", ...this.#own].join(", ")})`,
    );
    return holdersOf(rows);
  }

  async autoIncrementSettings(): Promise<{ readonly increment: string; readonly offset: string }> {
    const [row] = await this.#source.rows(
      "SELECT @@GLOBAL.auto_increment_increment step, @@GLOBAL.auto_increment_offset start",
    );
    return { increment: row?.["step"] ?? "", offset: row?.["start"] ?? "" };
  }

  async fences(): Promise<readonly LastingFence[]> {
    return fencesOf(await this.triggers());
  }

  async triggers(): Promise<readonly FenceTrigger[]> {
    return readTriggers(await this.#source.rows(listTriggers(this.#migration, this.#tables)));
  }

  async connectionsOf(bootNonces: readonly string[]): Promise<readonly string[]> {
    if (bootNonces.length === 0) return [];
    const rows = await this.#source.rows(
      "SELECT DISTINCT t.PROCESSLIST_ID id FROM performance_schema.session_connect_attrs a " +
        "JOIN performance_schema.threads t ON t.PROCESSLIST_ID = a.PROCESSLIST_ID " +
        `WHERE a.ATTR_NAME = 'switchyard_proxy' AND a.ATTR_VALUE IN (${bootNonces.map(quoteText).join(", ")})`,
    );
    return rows.map((row) => row["id"] ?? "");
  }

  #names(): string {
    return this.#tables.map((name) => `(${quoteText(name.schema)}, ${quoteText(name.table)})`).join(", ");
  }
}

/** `server_uuid` of the server that answers. */
export async function readServerUuid(source: RowSource): Promise<string> {
  const [row] = await source.rows("SELECT @@global.server_uuid AS uuid");
  return row?.["uuid"] ?? "";
}

/** `gtid_executed` without the line breaks that the server puts in. */
export async function readExecuted(source: RowSource): Promise<string> {
  const [row] = await source.rows("SELECT @@GLOBAL.gtid_executed executed");
  return (row?.["executed"] ?? "").replaceAll(/\s/g, "");
}

function holdersOf(rows: readonly TextRow[]): readonly LockHolder[] {
  const holders = new Map<string, { holder: LockHolder; tables: Set<string>; locks: string[] }>();
  for (const row of rows) {
    const owner = row["id"] ?? `xa-${row["owner"] ?? ""}`;
    const table = tableKey({ schema: row["db"] ?? "", table: row["name"] ?? "" });
    const known = holders.get(owner) ?? { holder: newHolder(row), tables: new Set<string>(), locks: [] };
    known.tables.add(table);
    known.locks.push(`${row["instance"]}/${row["event"]}`);
    const writes = known.holder.writes || !READERS.has(row["lock_type"] ?? "");
    holders.set(owner, { ...known, holder: { ...known.holder, writes } });
  }
  return [...holders.values()]
    .map(({ holder, tables, locks }) => ({
      ...holder,
      tables: [...tables].sort(),
      // The oldest lock of a transaction stays until its end; later ones come and go with its statements.
      identity: `${holder.connectionId}/${locks.sort(byEvent)[0] ?? ""}`,
    }))
    .sort((a, b) => b.seconds - a.seconds);
}

function byEvent(a: string, b: string): number {
  return Number(a.slice(a.indexOf("/") + 1)) - Number(b.slice(b.indexOf("/") + 1));
}

/** A lock that no thread owns is that of a prepared XA transaction: it never goes by itself. */
function newHolder(row: TextRow): LockHolder {
  const orphan = row["id"] === null || row["id"] === undefined;
  return {
    connectionId: orphan ? "of a prepared XA transaction" : (row["id"] ?? ""),
    user: row["user"] ?? "",
    host: row["host"] ?? "",
    tables: [],
    idle: orphan || row["command"] === "Sleep",
    writes: false,
    seconds: Number(row["seconds"] ?? 0),
    identity: "",
    statement: row["statement"] ?? "",
    program: printable(row["program"] ?? row["driver"] ?? "", ATTRIBUTE_CHARS_MAX),
    client: printable(row["client"] ?? "", ATTRIBUTE_CHARS_MAX),
  };
}
