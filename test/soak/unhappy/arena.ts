import mysql, { type Connection } from "mysql2/promise";
import { expect } from "vitest";
import type { EtcdServer } from "../../../servers/etcd-server.ts";
import type { Failpoint } from "../../../src/base/failpoints.ts";
import { startEtcd, stopEtcd } from "../../support/etcd.ts";
import { LEDGER_TABLES, LedgerWriters } from "../../support/ledger-writers.ts";
import type { CommandResult, ServeProcess } from "../../support/serve-process.ts";
import { TestSystem } from "../../support/system.ts";

const WRITERS = 3;
const THINK_MS = 25;
/** Leases so short that a case need not wait long for them. */
const LIMITS = { leaseTtlMs: 4000, leaseMarginMs: 1000, drainTimeoutMs: 3000, armTimeoutMs: 8000 };
/** All tables lie in one file that may grow so far, so that it can be full. */
const SMALL_TABLESPACE = ["--innodb-file-per-table=OFF", "--innodb-data-file-path=ibdata1:12M:autoextend:max:96M"];
const SETTLE_MS_MAX = 60_000;
const TRIES_MAX = 10;

export interface ArenaOptions {
  /** How many MiB the disk of the new server's binary log has; as large as the machine's where left out. */
  readonly logDiskMebibytes?: number;
  /** The store is an etcd; embedded where left out. */
  readonly etcd?: boolean;
  /** `limits:` other than the usual ones. */
  readonly limits?: Readonly<Record<string, number>>;
}

type Move = "switch" | "rollback";

interface Live {
  readonly status?: { readonly strays?: { readonly strays: readonly { readonly what: string }[] } };
}

interface Journal {
  readonly phase?: string;
  readonly attempt?: unknown;
  readonly streams?: Readonly<Record<"forward" | "reverse", { readonly stoppedAtDdl?: string }>>;
}

/**
 * A `serve` with two proxy workers and clients that write through them, a migration that is ready to switch, and what the cases of "unhappy but normal"
 * have in common: whatever goes wrong, clients are told nothing, and the same command succeeds when the cause is gone.
 */
export class Arena {
  readonly system: TestSystem;
  readonly serve: ServeProcess;
  readonly writers: LedgerWriters;
  readonly #etcd: EtcdServer | undefined;
  readonly #opened: Connection[] = [];
  #undo: (() => Promise<unknown>)[] = [];

  private constructor(system: TestSystem, serve: ServeProcess, etcd: EtcdServer | undefined) {
    this.system = system;
    this.serve = serve;
    this.#etcd = etcd;
    this.writers = new LedgerWriters(system.appUrl(serve), WRITERS, THINK_MS);
  }

  static async start(options: ArenaOptions = {}): Promise<Arena> {
    const { logDiskMebibytes } = options;
    const system = await TestSystem.start({
      args: SMALL_TABLESPACE,
      ...(logDiskMebibytes === undefined ? {} : { logDiskMebibytesOf: { new: logDiskMebibytes } }),
    });
    await system.resetTables();
    await system.old.root("CREATE TABLE ledger.other (id INT PRIMARY KEY)");
    const etcd = options.etcd === true ? await startEtcd() : undefined;
    const store = etcd === undefined ? "" : `\nstore: { etcd: { endpoints: ["${etcd.endpoint}"] } }`;
    const limits = JSON.stringify({ ...LIMITS, ...options.limits });
    const config = `${system.config}\nworkers: 2\nlimits: ${limits}${store}`;
    const arena = new Arena(system, await system.serve({ config }), etcd);
    await arena.done("migration", "create", "m", "--from", "old", "--to", "new", "--tables", LEDGER_TABLES, "--wait");
    await arena.done("diff", "start", "m");
    await arena.writers.start();
    return arena;
  }

  async stop(): Promise<void> {
    await this.writers.stop().catch(() => undefined);
    await this.serve.stop();
    await this.system.stop();
    await stopEtcd([this.#etcd]);
  }

  get etcd(): EtcdServer {
    if (this.#etcd === undefined) throw new Error("the store is an embedded one");
    return this.#etcd;
  }

  run(...args: readonly string[]): Promise<CommandResult> {
    return this.serve.run(...args);
  }

  /** A command that must succeed. */
  async done(...args: readonly string[]): Promise<CommandResult> {
    const result = await this.run(...args);
    expect(result, `${args.join(" ")}\n${told(result)}`).toMatchObject({ exit: 0 });
    return result;
  }

  /** A client of the proxy. */
  async client(): Promise<Connection> {
    return await this.#connect(this.system.appUrl(this.serve));
  }

  /** A client that goes straight to a server, as an application's account. */
  async past(server: "old" | "new"): Promise<Connection> {
    return await this.#connect(this.system.appUrl(this.system[server]));
  }

  /** A client with every right, straight at a server. */
  async root(server: "old" | "new"): Promise<Connection> {
    const { socket, rootUser } = this.system[server];
    return this.#keep(await mysql.createConnection({ socketPath: socket, user: rootUser }));
  }

  /** What has to be undone when the case ends, whatever comes before that. */
  later(undo: () => Promise<unknown>): void {
    this.#undo.push(undo);
  }

  /**
   * Begins a move and comes back while it holds its clients: `end` ends the transaction, opened through the proxy, for
   * which it waits.
   */
  async heldMove(kind: Move): Promise<{ readonly order: Promise<CommandResult>; readonly end: () => Promise<void> }> {
    const slow = await this.client();
    await slow.query("BEGIN");
    await slow.query("INSERT INTO ledger.entry (client, sequence, note) VALUES (-1, 1, 'slow')");
    const order = this.run(kind, "m");
    await this.until(async () => ((await this.#holds()) > 0 ? true : undefined), 20_000, "a hold in the rules");
    return { order, end: async () => void (await slow.query("ROLLBACK")) };
  }

  /**
   * A move that stands still at a failpoint of its controller while `meanwhile` goes on. One that does not come so far, as on
   * a busy machine, has changed nothing and is begun again.
   */
  async moveWith(kind: Move, point: Failpoint, meanwhile: () => Promise<void>): Promise<CommandResult> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      this.serve.armWait(point);
      let early: CommandResult | undefined;
      const order = this.run(kind, "m").then((result) => {
        early = result;
        return result;
      });
      while (early === undefined && !this.serve.waitsAtFailpoint) await nap(5);
      try {
        if (early === undefined) await meanwhile();
      } finally {
        this.serve.letGo();
      }
      if (early === undefined) return await order;
      process.stderr.write(`${kind} is begun again: ${told(early)}\n`);
      await this.settled();
    }
    throw new Error(`no ${kind} comes to ${point}`);
  }

  async #holds(): Promise<number> {
    const { rules } = (await this.serve.get("/v1/rules")) as { readonly rules?: { readonly holds?: object } };
    return Object.keys(rules?.holds ?? {}).length;
  }

  /** Waits until nothing of an attempt is left, and gives the phase in which the migration rests. */
  settled(): Promise<string> {
    return this.until(
      async () => {
        const { phase, attempt } = await this.journal();
        return attempt === undefined && (phase === "running" || phase === "switched") ? phase : undefined;
      },
      SETTLE_MS_MAX,
      "the migration settles",
    );
  }

  async journal(): Promise<Journal> {
    const answer = await this.serve.get("/v1/migrations/m");
    return (answer["migration"] ?? {}) as Journal;
  }

  async #history(): Promise<readonly { readonly what: string; readonly result?: string }[]> {
    const { history } = await this.serve.get("/v1/migrations/m/history");
    return history as readonly { readonly what: string; readonly result?: string }[];
  }

  /** Waits until the status of the migration, as a person is shown it, says so. */
  async statusSays(what: RegExp, timeoutMs: number, migration = "m"): Promise<void> {
    const said = async (): Promise<true | undefined> =>
      what.test(told(await this.run("migration", "status", migration))) ? true : undefined;
    await this.until(said, timeoutMs, `the status says ${what.source}`);
  }

  /** Waits until one of the writes past the proxies that the status shows matches. */
  async strayShown(what: RegExp): Promise<void> {
    const shown = async (): Promise<true | undefined> => {
      const { status } = (await this.serve.get("/v1/migrations/m")) as Live;
      return status?.strays?.strays.some((stray) => what.test(stray.what)) === true ? true : undefined;
    };
    await this.until(shown, 30_000, `a stray is shown: ${what.source}`);
  }

  /** Fills the new server, and gives its stream more to write than there can be room for. */
  async fillTarget(): Promise<void> {
    const { old, new: target } = this.system;
    await target.root(
      "CREATE DATABASE filler; CREATE TABLE filler.bytes (id INT AUTO_INCREMENT PRIMARY KEY, b LONGBLOB)",
    );
    this.later(async () => void (await target.root("DROP DATABASE IF EXISTS filler")));
    for (const size of ["2000000", "200000", "8000"]) {
      const fill = `INSERT INTO filler.bytes (b) VALUES (REPEAT('x', ${size}))`;
      while (
        await target.root(fill).then(
          () => true,
          () => false,
        )
      );
    }
    await old.root(
      "SET SESSION cte_max_recursion_depth = 60000; INSERT INTO ledger.entry (client, sequence, note) " +
        "WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT -9, i, REPEAT('y', 60) FROM n",
    );
  }

  async emptyTarget(): Promise<void> {
    await this.system.new.root("DROP DATABASE filler");
  }

  /** Waits until the stream has stopped at DDL, and gives its transaction. */
  stoppedAtDdl(direction: "forward" | "reverse"): Promise<string> {
    const stop = async (): Promise<string | undefined> => (await this.journal()).streams?.[direction]?.stoppedAtDdl;
    return this.until(stop, 30_000, "a stop at DDL");
  }

  /** The stream has stopped at DDL: somebody has done the same on its target, and says so; a diff proves it. */
  async passDdl(direction: "forward" | "reverse"): Promise<void> {
    const gtid = await this.stoppedAtDdl(direction);
    await this.done("migration", "resume", "m", "--after-ddl", gtid);
    // A diff that begins before the stream has passed the statement proves nothing of what comes behind it.
    const passed = async (): Promise<true | undefined> => {
      const history = await this.#history();
      return history.some(({ result }) => result === `transaction ${gtid}`) ? true : undefined;
    };
    await this.until(passed, 60_000, "the stream is behind the DDL");
    await this.#cleanDiff();
  }

  /** A diff that counts: one during which DDL was seen says that it is to be run again. */
  async #cleanDiff(): Promise<void> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      await this.done("diff", "start", "m");
      const diff = (await this.#history()).findLast(({ what }) => what.startsWith("diff "));
      expect(diff?.result, "what the diff has found").toMatch(/ 0 differences/);
      if (diff?.result?.endsWith(" 0 differences") === true) return;
      process.stderr.write(`the diff is run again: ${diff?.result}\n`);
    }
    throw new Error("no diff counts");
  }

  /** The migration rests, with the tables on the old home; no client has been told anything. */
  async calm(): Promise<void> {
    expect(await this.settled()).toBe("running");
    expect(this.writers.told.errors).toEqual([]);
  }

  /** The stream has had its time for what came while it could not write. */
  async caughtUp(timeoutMs: number): Promise<void> {
    const lag = async (): Promise<number | undefined> => {
      const { status } = (await this.serve.get("/v1/migrations/m")) as { status?: { stream?: { lagMs?: number } } };
      return status?.stream?.lagMs;
    };
    await this.until(
      async () => (((await lag()) ?? Infinity) < 500 ? true : undefined),
      timeoutMs,
      "a stream that is near",
    );
  }

  /** The cause is gone: the command that has failed is given again and succeeds, and so does the way back. */
  async again(): Promise<void> {
    await this.restored();
    await this.moves("switch");
    await this.moves("rollback");
    await this.calm();
    expect(await this.writers.checkSoFar(this.system.old)).toEqual([]);
  }

  /** A move, given once more where the machine was too busy for it: a refusal or an abort has changed nothing. */
  async moves(kind: Move): Promise<void> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const result = await this.run(kind, "m");
      if (result.exit === 0) return;
      if (result.exit !== 3 && result.exit !== 4) break;
      process.stderr.write(`${kind} is given again: ${told(result)}\n`);
      await this.settled();
      await nap(500);
    }
    await this.done(kind, "m");
  }

  /** Takes back what the case has left behind. */
  async restored(): Promise<void> {
    const undo = this.#undo.reverse();
    this.#undo = [];
    for (const one of undo) await one();
    for (const one of this.#opened.splice(0)) one.destroy();
  }

  /** However the case ended: the next one begins with the tables on the old home. */
  async atRest(): Promise<void> {
    await this.restored();
    if ((await this.settled()) === "switched") await this.moves("rollback");
  }

  async until<T>(look: () => Promise<T | undefined>, timeoutMs: number, what: string): Promise<T> {
    const end = Date.now() + timeoutMs;
    while (Date.now() < end) {
      const found = await look().catch(() => undefined);
      if (found !== undefined) return found;
      await nap(20);
    }
    throw new Error(`not within ${timeoutMs} ms: ${what}`);
  }

  async #connect(url: string): Promise<Connection> {
    return this.#keep(await mysql.createConnection(url));
  }

  #keep(connection: Connection): Connection {
    connection.on("error", () => undefined);
    this.#opened.push(connection);
    return connection;
  }
}

type Told = Pick<CommandResult, "exit" | "stdout" | "stderr">;

export function told(result: Told): string {
  return result.stdout + result.stderr;
}

export function nap(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The command has ended so, and says each of these. */
export function expectEnd(result: Told, exit: number | RegExp, ...says: readonly RegExp[]): void {
  const text = told(result);
  expect(String(result.exit), text).toMatch(exit instanceof RegExp ? exit : new RegExp(`^${exit}$`));
  for (const each of says) expect(text).toMatch(each);
}
