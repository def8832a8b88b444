import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { parseTableKey, quoteText, type TableName } from "../base/table-name.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import { MIGRATION_ATTRIBUTE, ROLE_ATTRIBUTE } from "../mysql/connect-attributes.ts";
import { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { openLock } from "./fence-triggers.ts";
import { HomeQueries, readServerUuid } from "./home-queries.ts";
import { requireKnownServer } from "./known-server.ts";
import { endLeftDiffs } from "./left-diffs.ts";
import { type TakeTablesOver, takeTablesOver } from "./lock-takeover.ts";
import { LOCK_WAIT_SECONDS, type TakeLockOver, takeFreeLock, takeLockOver } from "./migration-lock.ts";
import { MysqlSession } from "./mysql-session.ts";
import type { Home, HomeSession, HomeView, OpenSession, StrayWatch } from "./ports.ts";
import { BinlogStrayWatch } from "./stray-watch.ts";
import type { SwitchLimits } from "./switch-options.ts";

export interface MysqlHomeOptions {
  readonly endpoint: Endpoint;
  readonly migration: string;
  /** Keys `schema.table`. */
  readonly tables: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: Pick<SwitchLimits, "holdBudgetMs" | "lockWaitTimeoutSeconds" | "armTimeoutMs">;
}

/** How long a table may be kept by others while its lock is taken over. */
const TAKE_OVER_TIMEOUT_MS = 20_000;
const QUEUE_WAIT_SECONDS = 60;
/** Longer than anybody waits; the most that the server allows. */
const PATIENT_WAIT_SECONDS = 31_536_000;

/** Time for another controller to come and finish. Past it nobody is refused by what nobody has come for. */
const LEFT_GUARD_SECONDS = 900;
/** A session that opens guards is closed by us, when these refuse nobody any more; not by the server before. */
const OPEN_GRACE_SECONDS = 60;

/** A real MySQL server, as one migration's switch uses it. */
export class MysqlHome implements Home {
  readonly #options: MysqlHomeOptions;
  readonly #tables: readonly TableName[];

  constructor(options: MysqlHomeOptions) {
    this.#options = options;
    this.#tables = options.tables.map(parseTableKey);
  }

  get backend(): string {
    return this.#options.endpoint.name;
  }

  get label(): string {
    return `${this.#options.endpoint.host}:${this.#options.endpoint.port}`;
  }

  get ownUser(): string {
    return this.#options.endpoint.user;
  }

  async inspect<T>(look: (view: HomeView) => Promise<T>): Promise<T> {
    const connection = await this.#connect();
    try {
      return await look(new HomeQueries(connection, this.#facts(), []));
    } finally {
      await connection.close();
    }
  }

  async open(options: OpenSession): Promise<HomeSession> {
    const { takeOver, serverUuid, stillOurs, endDiffs = false, patience, ddlEnded } = options;
    const { migration, clock } = this.#options;
    const [main, helper] = await this.#pair(serverUuid);
    try {
      const order: TakeLockOver = { migration, server: this.backend, clock, stillOurs };
      if (takeOver === "keep-lock") await this.#keepLock(main, helper, { ...order, patience, ddlEnded });
      if (takeOver === "never") await takeFreeLock(main, migration, this.backend);
      else await takeLockOver(main, order);
      if (endDiffs) await endLeftDiffs(helper, migration, this.ownUser);
    } catch (error) {
      main.destroy();
      helper.destroy();
      throw error;
    }
    return new MysqlSession(
      main,
      helper,
      { ...this.#facts(), server: this.backend, clock, guardSeconds: this.#guardSeconds() },
      (this.#idleSeconds() * 1000) / 5,
    );
  }

  async watchStrays(position: string, serverUuid?: string): Promise<StrayWatch> {
    const connection = await this.#connectTo(serverUuid);
    const { migration, clock } = this.#options;
    return new BinlogStrayWatch(connection, { migration, clock, tables: this.#tables, from: GtidSet.parse(position) });
  }

  async openGuards(token: string, signal: AbortSignal): Promise<void> {
    const connection = await this.#connect();
    const { clock, migration, log } = this.#options;
    try {
      const seconds = this.#guardSeconds();
      await connection.query(`SET SESSION wait_timeout = ${seconds + OPEN_GRACE_SECONDS}`);
      const row = await connection.one(`SELECT GET_LOCK(${quoteText(openLock(token))}, ${LOCK_WAIT_SECONDS}) AS got`);
      // Whoever has it has opened the same guards: this step is done again where a later one failed.
      if (row?.["got"] !== "1") return await connection.close();
      const over = clock.sleep(seconds * 1000, signal).catch(() => undefined);
      void Promise.race([over, connection.closed]).then(() => connection.close());
    } catch (error) {
      connection.destroy();
      throw error;
    }
    log.info({ migration, backend: this.backend }, "guards are left, open to everybody while this process runs");
  }

  #facts(): { readonly migration: string; readonly tables: readonly TableName[]; readonly ownUser: string } {
    return { migration: this.#options.migration, tables: this.#tables, ownUser: this.ownUser };
  }

  async #keepLock(
    main: Connection,
    helper: Connection,
    order: TakeLockOver & Pick<TakeTablesOver, "patience" | "ddlEnded">,
  ): Promise<void> {
    await order.stillOurs?.();
    await takeTablesOver({
      ...order,
      session: main,
      helper,
      tables: this.#tables,
      timeoutMs: TAKE_OVER_TIMEOUT_MS,
      openQueueSession: async () => {
        const place = await this.#connect();
        const seconds = order.patience === undefined ? QUEUE_WAIT_SECONDS : PATIENT_WAIT_SECONDS;
        await place.query(`SET SESSION lock_wait_timeout = ${seconds}, wait_timeout = ${seconds}`);
        return place;
      },
    });
  }

  async #pair(serverUuid: string | undefined): Promise<readonly [Connection, Connection]> {
    const main = await this.#connectTo(serverUuid);
    try {
      const helper = await this.#connectTo(serverUuid);
      await Promise.all([main.query(this.#settings()), helper.query(this.#settings())]);
      return [main, helper];
    } catch (error) {
      main.destroy();
      throw error;
    }
  }

  /** An idle session must outlive every wait of a switch: the server would drop its locks with it. */
  #settings(): string {
    const { lockWaitTimeoutSeconds } = this.#options.limits;
    const idle = this.#idleSeconds();
    return (
      `SET SESSION wait_timeout = ${idle}, interactive_timeout = ${idle}, lock_wait_timeout = ${lockWaitTimeoutSeconds}, ` +
      `innodb_lock_wait_timeout = ${lockWaitTimeoutSeconds}, information_schema_stats_expiry = 0, autocommit = 1, ` +
      "sql_mode = '', max_execution_time = 0"
    );
  }

  #idleSeconds(): number {
    return Math.max(60, Math.ceil((10 * this.#options.limits.holdBudgetMs) / 1000));
  }

  /** From when guards are put up: an attempt has to end first, be it by its swap. */
  #guardSeconds(): number {
    const { armTimeoutMs, holdBudgetMs } = this.#options.limits;
    return LEFT_GUARD_SECONDS + Math.ceil((armTimeoutMs + holdBudgetMs) / 1000);
  }

  /** Each connection is asked for itself: the address may lead elsewhere from one to the next. */
  async #connectTo(serverUuid: string | undefined): Promise<Connection> {
    const connection = await this.#connect();
    try {
      if (serverUuid !== undefined) requireKnownServer(this, serverUuid, await readServerUuid(connection));
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  async #connect(): Promise<Connection> {
    return await Connection.connect(this.#options.endpoint, {
      attributes: { [MIGRATION_ATTRIBUTE]: this.#options.migration, [ROLE_ATTRIBUTE]: "switch" },
    });
  }
}
