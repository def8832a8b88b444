import { printable } from "../base/printable.ts";
import { quoteText, type TableName, tableKey } from "../base/table-name.ts";
import { ROLE_ATTRIBUTE } from "../mysql/connect-attributes.ts";
import { readExecuted } from "../mysql/read-executed.ts";
import { commitsStandStill } from "../mysql/standstill.ts";
import { type FenceTrigger, fencesOf, listTriggers, readTriggers } from "./fence-triggers.ts";
import { HELD_BY, type HeldBy, type HomeView, type LastingFence, type LockHolder } from "./ports.ts";

export type TextRow = Readonly<Record<string, string | null>>;

/** What the queries run on. */
export interface RowSource {
  rows(sql: string): Promise<TextRow[]>;
}

/** Locks beside which a reader's table lock is granted. */
const READERS = new Set(["INTENTION_EXCLUSIVE", "SHARED", "SHARED_HIGH_PRIO", "SHARED_READ", "SHARED_READ_ONLY"]);

/** Of what is shown of a session: what its client says of itself, and its newest statement. */
export const SESSION_TEXT_CHARS_MAX = { attribute: 60, statement: 80 } as const;

/** Any of them keeps clients from writing. */
const CLOSING = ["read_only", "super_read_only", "offline_mode"] as const;

/** What the server says of a thread whose statement cannot go on for a lock of a table's definition. */
const WAITING = "Waiting for table metadata lock";

/** Locks that `LOCK TABLES` and `FLUSH TABLES … WITH READ LOCK` take; DDL takes them as well, while it runs. */
const TABLE_LOCKS = new Set(["SHARED_READ_ONLY", "SHARED_NO_WRITE", "SHARED_NO_READ_WRITE"]);

/**
 * The newest statement of the holder `t`, in the server's own form of it, which has no values; where the server does not
 * keep that, the first word of one that runs.
 */
export const STATEMENT =
  "COALESCE((SELECT LEFT(s.DIGEST_TEXT, 200) FROM performance_schema.events_statements_current s " +
  "WHERE s.THREAD_ID = t.THREAD_ID AND s.NESTING_EVENT_LEVEL = 0 ORDER BY s.EVENT_ID DESC LIMIT 1), " +
  "UPPER(SUBSTRING_INDEX(LTRIM(LEFT(t.PROCESSLIST_INFO, 40)), ' ', 1)))";

/** A connection attribute of the holder `t`. */
export function attribute(name: string): string {
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
  /** Connections of ours, whose locks are in nobody's way. */
  readonly #own: readonly number[];
  readonly #ownUser: string;

  constructor(
    source: RowSource,
    { migration, tables, ownUser }: { migration: string; tables: readonly TableName[]; ownUser: string },
    own: readonly number[],
  ) {
    this.#source = source;
    this.#ownUser = ownUser;
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
      "SELECT m.OBJECT_TYPE scope, m.OBJECT_SCHEMA db, m.OBJECT_NAME name, m.LOCK_TYPE lock_type, m.OWNER_THREAD_ID owner, " +
        "m.OWNER_EVENT_ID event, m.OBJECT_INSTANCE_BEGIN instance, t.PROCESSLIST_ID id, t.PROCESSLIST_USER user, " +
        "t.PROCESSLIST_HOST host, t.PROCESSLIST_COMMAND command, t.PROCESSLIST_STATE state, " +
        "GREATEST(COALESCE(t.PROCESSLIST_TIME, 0), COALESCE(FLOOR(e.TIMER_WAIT / 1000000000000), 0)) seconds, " +
        `${STATEMENT} statement, ` +
        `${attribute(ROLE_ATTRIBUTE)} role, ${attribute("program_name")} program, ${attribute("_client_name")} driver, ${attribute("switchyard_client")} client ` +
        "FROM performance_schema.metadata_locks m " +
        "LEFT JOIN performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID " +
        "LEFT JOIN performance_schema.events_transactions_current e ON e.THREAD_ID = m.OWNER_THREAD_ID AND e.STATE = 'ACTIVE' " +
        "WHERE m.LOCK_STATUS = 'GRANTED' AND (" +
        `m.OBJECT_TYPE = 'TABLE' AND (m.OBJECT_SCHEMA, m.OBJECT_NAME) IN (${this.#names()}) ` +
        "OR m.OBJECT_TYPE IN ('GLOBAL', 'BACKUP LOCK') AND m.LOCK_TYPE = 'SHARED') " +
        `AND COALESCE(t.PROCESSLIST_ID, 0) NOT IN (${["CONNECTION_ID()", ...this.#own].join(", ")})`,
    );
    const all = this.#tables.map(tableKey);
    return holdersOf(rows, all).map((holder) => {
      const ours = holder.user === this.#ownUser;
      return { ...holder, ours, role: ours ? holder.role : "" };
    });
  }

  async standstill(): Promise<string | undefined> {
    return await commitsStandStill(this.#source);
  }

  async closedBy(): Promise<readonly string[]> {
    const columns = CLOSING.map((name) => `@@GLOBAL.${name} ${name}`).join(", ");
    const [row] = await this.#source.rows(`SELECT ${columns}`);
    return CLOSING.filter((name) => row?.[name] !== "0");
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

function holdersOf(rows: readonly TextRow[], all: readonly string[]): readonly LockHolder[] {
  const holders = new Map<string, { holder: LockHolder; tables: Set<string>; locks: string[] }>();
  for (const row of rows) {
    const owner = row["id"] ?? `xa-${row["owner"] ?? ""}`;
    const known = holders.get(owner) ?? { holder: newHolder(row), tables: new Set<string>(), locks: [] };
    const ofServer = row["scope"] !== "TABLE";
    const touched = ofServer ? all : [tableKey({ schema: row["db"] ?? "", table: row["name"] ?? "" })];
    for (const table of touched) known.tables.add(table);
    known.locks.push(`${row["instance"]}/${row["event"]}`);
    const writes = known.holder.writes || ofServer || !READERS.has(row["lock_type"] ?? "");
    holders.set(owner, { ...known, holder: { ...known.holder, writes, by: graver(known.holder.by, heldBy(row)) } });
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

function heldBy(row: TextRow): HeldBy {
  if (row["scope"] === "GLOBAL") return "global read lock";
  if (row["scope"] === "BACKUP LOCK") return "backup lock";
  return row["command"] === "Sleep" && TABLE_LOCKS.has(row["lock_type"] ?? "") ? "table lock" : "transaction";
}

function graver(one: HeldBy, other: HeldBy): HeldBy {
  return HELD_BY.indexOf(one) < HELD_BY.indexOf(other) ? other : one;
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
    waits: row["state"] === WAITING,
    writes: false,
    seconds: Number(row["seconds"] ?? 0),
    identity: "",
    by: "transaction",
    ours: false,
    role: printable(row["role"] ?? "", SESSION_TEXT_CHARS_MAX.attribute),
    statement: printable(row["statement"] ?? "", SESSION_TEXT_CHARS_MAX.statement),
    program: printable(row["program"] ?? row["driver"] ?? "", SESSION_TEXT_CHARS_MAX.attribute),
    client: printable(row["client"] ?? "", SESSION_TEXT_CHARS_MAX.attribute),
  };
}
