import { type ChildProcess, fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestServer } from "../../support/servers.ts";
import { Random } from "../random.ts";
import { ACCOUNT, INNOCENT } from "./account.ts";
import { visit } from "./guest.ts";
import { runHostileClient } from "./hostile-client.ts";
import { HostileServer } from "./hostile-server.ts";
import { Innocents, type InnocentTally } from "./innocents.ts";
import type { Figures, FromWorkers, ToWorkers } from "./worker-messages.ts";

const INNOCENTS = 4;
/** How long the proxies may take to be rid of everything once nobody is there any more. */
const SETTLE_MS_MAX = 20_000;
const FIGURES_MS_MAX = 15_000;

/** Settings of mysqld that hostile clients would otherwise use up for everybody: that is not what is tried. */
export const SERVER_ARGS = ["--max-connections=2000", "--max-prepared-stmt-count=1000000", "--local-infile=1"];

/** Makes accounts and tables for a campaign. */
export async function prepareServer(server: TestServer): Promise<void> {
  await server.root(`
    SET GLOBAL max_connections = 2000, max_prepared_stmt_count = 1000000, local_infile = 1;
    CREATE DATABASE IF NOT EXISTS fuzz; CREATE DATABASE IF NOT EXISTS ledger;
    CREATE USER IF NOT EXISTS ${ACCOUNT.user}@'%' IDENTIFIED BY '${ACCOUNT.password}';
    GRANT ALL ON fuzz.* TO ${ACCOUNT.user}@'%';
    CREATE USER IF NOT EXISTS ${INNOCENT.user}@'%' IDENTIFIED BY '${INNOCENT.password}';
    GRANT ALL ON ledger.* TO ${INNOCENT.user}@'%';
    CREATE TABLE IF NOT EXISTS fuzz.t (id INT PRIMARY KEY AUTO_INCREMENT, v LONGTEXT);
    CREATE TABLE IF NOT EXISTS fuzz.numbers (n INT PRIMARY KEY);
    INSERT IGNORE INTO fuzz.numbers WITH RECURSIVE c AS (SELECT 1 n UNION ALL SELECT n + 1 FROM c WHERE n < 500) SELECT n FROM c;
    CREATE TABLE IF NOT EXISTS ledger.entries (id INT PRIMARY KEY AUTO_INCREMENT, owner CHAR(36), amount INT, note VARCHAR(100), KEY (owner));
    TRUNCATE ledger.entries; TRUNCATE fuzz.t;
  `);
}

/**
 * Proxies in a process of their own, a real server and hostile ones behind them, and sessions that must notice nothing
 * of what {@link run} does.
 */
export class Arena {
  readonly #hostile: readonly HostileServer[];
  readonly #free: number[];
  readonly #child: ChildProcess;
  readonly #started: Extract<FromWorkers, { kind: "started" }>;
  readonly #asked = new Map<number, (figures: Figures) => void>();
  readonly #waiting: (() => void)[] = [];
  #innocents: Innocents | undefined;
  #nextId = 1;
  #stopping = false;
  /** The first promise that did not hold. */
  failure: string | undefined;

  private constructor(
    child: ChildProcess,
    started: Extract<FromWorkers, { kind: "started" }>,
    hostile: readonly HostileServer[],
  ) {
    this.#child = child;
    this.#started = started;
    this.#hostile = hostile;
    this.#free = hostile.map((_, index) => index);
    child.on("message", (message) => this.#hear(message as FromWorkers));
    child.on("exit", (code, signal) => {
      if (!this.#stopping) this.#fail(`the proxies' process has ended, with ${signal ?? code}`);
    });
  }

  static async open(server: TestServer, hostileServers: number): Promise<Arena> {
    const hostile = await Promise.all(Array.from({ length: hostileServers }, () => HostileServer.listen()));
    const child = fork(new URL("./worker-process.ts", import.meta.url), {
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const started = new Promise<Extract<FromWorkers, { kind: "started" }>>((resolve, reject) => {
      child.once("message", (message: FromWorkers) => {
        if (message.kind === "started") resolve(message);
        else reject(new Error(JSON.stringify(message)));
      });
      child.once("exit", (code) => reject(new Error(`the proxies did not start: ${code}`)));
    });
    const address = { host: "127.0.0.1", port: server.port };
    const order: ToWorkers = {
      ...{ kind: "start", mysql: address },
      hostile: hostile.map(({ port }) => ({ host: "127.0.0.1", port })),
    };
    child.send(order);
    const arena = new Arena(child, await started, hostile);
    return arena;
  }

  get tally(): InnocentTally {
    return this.#innocents?.tally ?? { answers: 0, slowestMs: 0, connections: 0 };
  }

  begin(): void {
    this.#innocents = new Innocents(this.#started.port, INNOCENTS);
  }

  /** One hostile client, or one hostile server and its guest: all of it follows from the two numbers. */
  async run(seed: number, execution: number): Promise<void> {
    const random = Random.ofExecution(seed, execution);
    try {
      if (random.below(2) === 0) await runHostileClient(this.#started, random);
      else await this.#atHostile(random);
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
    if (this.#innocents?.failed !== undefined) this.#fail(this.#innocents.failed);
  }

  /** Resolves when nobody is left but the proxies, with what they then use; a failure where something stays behind. */
  async settle(): Promise<Figures> {
    await this.#innocents?.stop();
    if (this.#innocents?.failed !== undefined) this.#fail(this.#innocents.failed);
    for (const server of this.#hostile) server.begin(0);
    const endsAtMs = performance.now() + SETTLE_MS_MAX;
    let figures = await this.figures(false);
    while (performance.now() < endsAtMs && !isRid(figures) && this.failure === undefined) {
      await sleep(200);
      figures = await this.figures(false);
    }
    figures = await this.figures(true);
    if (!isRid(figures)) {
      const { clients, backends } = figures;
      const left = figures.sessions.filter((report) => !report.includes('"total":0')).join("\n");
      this.#fail(
        `left behind: ${clients} clients, ${backends} connections to servers, ${socketsOf(figures)} sockets\n${left}`,
      );
    }
    return figures;
  }

  async figures(settle: boolean): Promise<Figures> {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Figures>();
    this.#asked.set(id, resolve);
    const timer = setTimeout(() => reject(new Error("the proxies' process does not answer")), FIGURES_MS_MAX);
    this.#child.send({ kind: "figures", id, settle } satisfies ToWorkers);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    this.#stopping = true;
    await this.#innocents?.stop();
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.send({ kind: "stop" } satisfies ToWorkers);
      await ended;
    }
    for (const server of this.#hostile) await server.close();
  }

  async #atHostile(random: Random): Promise<void> {
    const index = await this.#takeHostile();
    try {
      this.#hostile[index]?.begin(random.next());
      const asDefault = random.below(2) === 0;
      const port = asDefault ? (this.#started.atHostile[index] ?? 0) : this.#started.port;
      await visit(port, `fuzz.at_hostile${index}`, random);
    } finally {
      this.#free.push(index);
      this.#waiting.shift()?.();
    }
  }

  async #takeHostile(): Promise<number> {
    for (;;) {
      const index = this.#free.pop();
      if (index !== undefined) return index;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #hear(message: FromWorkers): void {
    if (message.kind === "wrong") this.#fail(message.what);
    else if (message.kind === "figures") {
      this.#asked.get(message.id)?.(message.figures);
      this.#asked.delete(message.id);
    }
  }

  #fail(what: string): void {
    this.failure ??= what;
  }
}

/** Nobody is left, by the proxies' own count and by Node's. */
function isRid(figures: Figures): boolean {
  return figures.clients === 0 && figures.backends === 0 && socketsOf(figures) === 0;
}

function socketsOf({ resources }: Figures): number {
  return (resources["TCPSocketWrap"] ?? 0) + (resources["TLSWrap"] ?? 0);
}
