import type { Clock } from "../base/clock.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import { parseTableKey, quoteId, quoteTable, quoteText, type TableName, tableKey } from "../base/table-name.ts";
import { ROLE_ATTRIBUTE } from "../mysql/connect-attributes.ts";
import type { Connection } from "../mysql/connection.ts";
import { isConnectionLost } from "../mysql/connection-lost.ts";
import { killConnection } from "../mysql/kill-connection.ts";
import { MysqlError } from "../mysql/mysql-error.ts";
import { readExecuted } from "../mysql/read-executed.ts";
import { autoIncrementMax } from "./auto-increment-max.ts";
import { lockStatement, runBounded } from "./bounded-lock.ts";
import {
  askWhetherSessionsAreShown,
  createTriggers,
  dropTrigger,
  type FenceTrigger,
  guardLock,
  isGuarded,
  ourComment,
} from "./fence-triggers.ts";
import { HomeQueries, type RowSource, type TextRow } from "./home-queries.ts";
import { LOCK_WAIT_SECONDS } from "./migration-lock.ts";
import type { HomeSession, HomeView, LastingFence, LockHolder } from "./ports.ts";
import { killQueries, readWaitingDdl, type WaitingDdl } from "./waiting-ddl.ts";

export interface SessionFacts {
  readonly migration: string;
  readonly tables: readonly TableName[];
  readonly ownUser: string;
  /** Name of the server, for messages. */
  readonly server: string;
  readonly clock: Clock;
  /** For how long a guard that was left with its lock gone refuses whoever comes past the proxies. */
  readonly guardSeconds: number;
}

const QUIET_LOOKS = 6;
const QUIET_LOOK_MS = 10;

/**
 * The migration's session on a real server: one connection that holds the migration's lock, locks the tables and does
 * everything else that changes the server, and a second beside it that only looks, and interrupts the first.
 *
 * Neither ever reconnects. When either is gone, so is this.
 */
export class MysqlSession implements HomeSession {
  readonly lost: AbortSignal;
  readonly #main: Connection;
  readonly #helper: Connection;
  readonly #facts: SessionFacts;
  readonly #view: HomeQueries;
  readonly #gone = new AbortController();
  readonly #keepAlive: NodeJS.Timeout;
  #closing = false;

  constructor(main: Connection, helper: Connection, facts: SessionFacts, keepAliveMs: number) {
    this.#main = main;
    this.#helper = helper;
    this.#facts = facts;
    this.lost = this.#gone.signal;
    const own = [main.threadId, helper.threadId];
    this.#view = new HomeQueries(this.#guarded(helper), facts, own);
    for (const connection of [main, helper]) void connection.closed.then(() => this.#gone.abort());
    this.#keepAlive = setInterval(() => {
      for (const connection of [main, helper]) connection.ping().catch(() => undefined);
    }, keepAliveMs);
    this.#keepAlive.unref();
  }

  /** Id of the connection that holds the locks. */
  get threadId(): number {
    return this.#main.threadId;
  }

  serverUuid(): Promise<string> {
    return this.#view.serverUuid();
  }

  async executed(): Promise<string> {
    return await readExecuted(this.#guarded(this.#main));
  }

  holders(): Promise<readonly LockHolder[]> {
    return this.#view.holders();
  }

  standstill(): Promise<string | undefined> {
    return this.#view.standstill();
  }

  closedBy(): Promise<readonly string[]> {
    return this.#view.closedBy();
  }

  autoIncrementSettings(): ReturnType<HomeView["autoIncrementSettings"]> {
    return this.#view.autoIncrementSettings();
  }

  fences(): Promise<readonly LastingFence[]> {
    return this.#view.fences();
  }

  connectionsOf(bootNonces: readonly string[]): Promise<readonly string[]> {
    return this.#view.connectionsOf(bootNonces);
  }

  async lock(mode: "write" | "read", pendingMs: number): Promise<boolean> {
    return await this.#bounded(lockStatement(this.#facts.tables, mode), { pendingMs });
  }

  async prove(): Promise<void> {
    const [table] = this.#facts.tables;
    await this.#run(table === undefined ? "SELECT 1" : `SELECT 1 FROM ${quoteTable(table)} LIMIT 0`);
  }

  async unlock(): Promise<void> {
    await this.#run("UNLOCK TABLES");
  }

  async installFences(token: string): Promise<void> {
    const { migration, tables, ownUser } = this.#facts;
    const standing = await this.fences();
    for (const table of tables.map(tableKey)) {
      if (standing.some((fence) => fence.table === table && fence.token === token && fence.complete)) continue;
      await this.#dropTriggers(token, (one) => one.table === table && one.kind === "fence");
      for (const statement of createTriggers(table, "fence", { migration, token, ownUser })) await this.#run(statement);
    }
    await this.#dropTriggers(token, (one) => one.kind === "guard");
  }

  async dropFences(token: string): Promise<void> {
    await this.#dropTriggers(token, () => true);
  }

  async installGuards(token: string): Promise<void> {
    const { migration, tables, ownUser } = this.#facts;
    const [row] = await this.#run(`SELECT GET_LOCK(${quoteText(guardLock(migration))}, ${LOCK_WAIT_SECONDS}) got`);
    if (row?.["got"] !== "1") throw this.#lostError("another session holds the guard's lock");
    const definition = { migration, token, ownUser, guardUntilUnixSeconds: await this.#guardUntil() };
    const standing = await this.#view.triggers();
    for (const table of tables.map(tableKey)) {
      // Another attempt's guard may be past its time. While its lock is held it refuses like ours, where no fence does.
      const fenced = standing.some((one) => one.table === table && one.kind === "fence");
      if (isGuarded(standing, table, fenced ? token : undefined)) continue;
      await this.#dropTriggers(token, (one) => one.table === table && one.kind === "guard");
      for (const statement of createTriggers(table, "guard", definition)) await this.#run(statement);
    }
    await this.#dropTriggers(token, (one) => one.kind === "fence");
  }

  async liftGuard(): Promise<void> {
    await this.#run(`DO RELEASE_LOCK(${quoteText(guardLock(this.#facts.migration))})`);
  }

  async removeGuards(token: string, pendingMs: number): Promise<boolean> {
    const guards = (await this.#view.triggers()).filter(({ kind }) => kind === "guard");
    const tables = new Set(guards.map(({ table }) => table));
    const quiet = await this.#quietOf(tables);
    let left = 0;
    for (const table of tables) {
      const own = guards.filter((guard) => guard.table === table);
      // Those before it took their time.
      const free = quiet.has(table) && (await this.#free(new Set([table]))).has(table);
      for (const guard of own) {
        const drop = dropTrigger(guard, this.#facts.migration, token);
        if (!free || !(await this.#bounded(drop, { pendingMs, bound: "waits" }))) left += 1;
      }
    }
    return left === 0;
  }

  /**
   * Those of the tables that no transaction has been seen to hold for a while. DDL that is pending makes a deadlock's victim
   * of a transaction that has read the table and now writes to it; where transactions come often enough for one to
   * begin between the last look and the DDL, one is met in an earlier look.
   */
  async #quietOf(tables: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    let quiet = await this.#free(tables);
    for (let look = 1; look < QUIET_LOOKS && quiet.size > 0; look += 1) {
      await this.#facts.clock.sleep(QUIET_LOOK_MS);
      quiet = await this.#free(quiet);
    }
    return quiet;
  }

  async #free(tables: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const held = new Set((await this.holders()).flatMap((holder) => holder.tables));
    return new Set([...tables].filter((table) => !held.has(table)));
  }

  async autoIncrements(): Promise<ReadonlyMap<string, bigint>> {
    const rows = await this.#run(
      "SELECT TABLE_SCHEMA db, TABLE_NAME name, AUTO_INCREMENT value FROM information_schema.TABLES " +
        `WHERE (TABLE_SCHEMA, TABLE_NAME) IN (${this.#names()}) AND AUTO_INCREMENT IS NOT NULL`,
    );
    return new Map(rows.map((row) => [keyOf(row), BigInt(row["value"] ?? "0")]));
  }

  async autoIncrementLimits(): Promise<ReadonlyMap<string, bigint>> {
    const rows = await this.#run(
      "SELECT TABLE_SCHEMA db, TABLE_NAME name, COLUMN_TYPE type FROM information_schema.COLUMNS " +
        `WHERE (TABLE_SCHEMA, TABLE_NAME) IN (${this.#names()}) AND EXTRA LIKE '%auto_increment%'`,
    );
    return new Map(rows.map((row) => [keyOf(row), autoIncrementMax(row["type"] ?? "")]));
  }

  async raiseAutoIncrement(table: string, value: bigint, token: string): Promise<void> {
    const comment = ourComment(this.#facts.migration, token);
    await this.#run(`${comment} ALTER TABLE ${quoteTable(parseTableKey(table))} AUTO_INCREMENT = ${value}`);
  }

  async kill(connectionIds: readonly string[]): Promise<readonly string[]> {
    const killed: string[] = [];
    for (const id of connectionIds) if (await killConnection(this.#guarded(this.#main), id)) killed.push(id);
    return killed;
  }

  waitingDdl(): Promise<readonly WaitingDdl[]> {
    return readWaitingDdl(this.#guarded(this.#helper), this.#facts.tables);
  }

  async interrupt(connectionIds: readonly string[]): Promise<void> {
    // In the session that a successor would have ended: whoever was replaced interrupts nobody.
    await killQueries(this.#guarded(this.#main), connectionIds);
  }

  async renameTables(
    pairs: readonly { readonly from: TableName; readonly to: TableName }[],
    token: string,
  ): Promise<void> {
    const present = await this.#present(pairs.map((pair) => pair.from));
    const left = pairs.filter((pair) => present.has(tableKey(pair.from)));
    if (left.length === 0) return;
    const renames = left.map((pair) => `${quoteTable(pair.from)} TO ${quoteTable(pair.to)}`).join(", ");
    await this.#run(`${ourComment(this.#facts.migration, token)} RENAME TABLE ${renames}`);
  }

  async dropTables(tables: readonly TableName[], token: string): Promise<void> {
    if (tables.length === 0) return;
    const comment = ourComment(this.#facts.migration, token);
    await this.#run(`${comment} DROP TABLE IF EXISTS ${tables.map(quoteTable).join(", ")}`);
  }

  async dropEmptySchemas(schemas: readonly string[], token: string): Promise<readonly string[]> {
    const comment = ourComment(this.#facts.migration, token);
    const left: string[] = [];
    for (const schema of schemas) {
      const [row] = await this.#run(
        `SELECT (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${quoteText(schema)}) + ` +
          `(SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${quoteText(schema)}) + ` +
          `(SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${quoteText(schema)}) things`,
      );
      if (row?.["things"] === "0") await this.#run(`${comment} DROP DATABASE IF EXISTS ${quoteId(schema)}`);
      else left.push(schema);
    }
    return left;
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#keepAlive);
    await Promise.all([this.#main.close(), this.#helper.close()]);
  }

  /** Runs a statement that waits for metadata locks, and takes it back when it waits for too long. */
  async #bounded(statement: string, bound: Parameters<typeof runBounded>[4]): Promise<boolean> {
    const guarded = this.#guarded(this.#main);
    const session = { threadId: this.#main.threadId, rows: (sql: string) => guarded.rows(sql) };
    return await runBounded(session, this.#guarded(this.#helper), this.#facts.clock, statement, bound);
  }

  /**
   * By the server's clock; undefined where a guard could not tell the proxies' sessions from others, and would keep all of
   * them from a home in use.
   */
  async #guardUntil(): Promise<number | undefined> {
    try {
      const [row] = await this.#run(askWhetherSessionsAreShown(ROLE_ATTRIBUTE));
      return row?.["shown"] === "1" ? Number(row["now"]) + this.#facts.guardSeconds : undefined;
    } catch (error) {
      if (error instanceof MysqlError) return undefined;
      throw error;
    }
  }

  async #dropTriggers(token: string, which: (trigger: FenceTrigger) => boolean): Promise<void> {
    const triggers = await this.#view.triggers();
    for (const trigger of triggers.filter(which)) {
      await this.#run(dropTrigger(trigger, this.#facts.migration, token));
    }
  }

  async #present(tables: readonly TableName[]): Promise<ReadonlySet<string>> {
    const names = tables.map((name) => `(${quoteText(name.schema)}, ${quoteText(name.table)})`).join(", ");
    const rows = await this.#run(
      `SELECT TABLE_SCHEMA db, TABLE_NAME name FROM information_schema.TABLES WHERE (TABLE_SCHEMA, TABLE_NAME) IN (${names})`,
    );
    return new Set(rows.map(keyOf));
  }

  #names(): string {
    return this.#facts.tables.map((name) => `(${quoteText(name.schema)}, ${quoteText(name.table)})`).join(", ");
  }

  #run(sql: string): Promise<TextRow[]> {
    return this.#guarded(this.#main).rows(sql);
  }

  /** The same connection, with its loss told as the loss of this session. */
  #guarded(connection: Connection): RowSource {
    return {
      rows: async (sql) => {
        if (this.lost.aborted) throw this.#lostError("it had ended before");
        try {
          return await connection.rows(sql);
        } catch (error) {
          if (isConnectionLost(error) || connection.isClosed) throw this.#lostError(messageOf(error), error);
          throw error;
        }
      },
    };
  }

  #lostError(why: string, cause?: unknown): SwitchyardError {
    return new SwitchyardError("CUTOVER_SESSION_LOST", {
      what: this.#closing
        ? `the migration's session on ${this.#facts.server} is closed`
        : `the migration's session on ${this.#facts.server} was lost`,
      details: [why],
      fix: "Somebody may have ended it (KILL), or the network cuts idle connections.",
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

function keyOf(row: TextRow): string {
  return tableKey({ schema: row["db"] ?? "", table: row["name"] ?? "" });
}
