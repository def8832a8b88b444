import { createTables } from "../integration/replication/chaos-writers.ts";
import { FaultyLink } from "../support/faulty-link.ts";
import { LedgerWriters } from "../support/ledger-writers.ts";
import type { ServeProcess } from "../support/serve-process.ts";
import { TestSystem } from "../support/system.ts";
import { ChaosClients, KEYLESS } from "./chaos-clients.ts";
import type { Breakable } from "./replication-faults.ts";

const CHAOS = "chaos";
const FAT_ROWS = 3000;
const FAT_BYTES = 12_000;
const WHOLE_ROWS = 900;
const WRITERS = 4;
const THINK_MS = 15;
const CHAOS_CLIENTS = 2;

/**
 * Tables of several chunks. `fat` is copied by key; the keys of `whole` are not ours to order, so it counts only once it is
 * whole. Clients count up `n` and nothing else.
 */
const LARGE = ["fat INT", "whole VARCHAR(20) COLLATE utf8mb4_0900_ai_ci"].map((text) => {
  const [name, ...type] = text.split(" ");
  return `CREATE TABLE ledger.${name} (id ${type.join(" ")} NOT NULL PRIMARY KEY, n INT NOT NULL, body VARCHAR(${FAT_BYTES}) CHARACTER SET latin1 NOT NULL)`;
});

export type Home = "old" | "new";

/** The whole program between two real servers, with a link of the soak's own before each, and clients that write. */
export class ReplicationPair implements Breakable {
  readonly system: TestSystem;
  readonly links: Readonly<Record<Home, FaultyLink>>;
  readonly serve: ServeProcess;
  readonly tables: readonly string[];
  readonly writers: LedgerWriters;
  readonly #chaos: ChaosClients;
  #home: Home = "old";

  private constructor(
    system: TestSystem,
    links: Readonly<Record<Home, FaultyLink>>,
    serve: ServeProcess,
    more: { readonly tables: readonly string[]; readonly random: () => number },
  ) {
    this.system = system;
    this.links = links;
    this.serve = serve;
    this.tables = more.tables;
    this.writers = new LedgerWriters(system.appUrl(serve), WRITERS, THINK_MS, 0, true);
    this.#chaos = new ChaosClients(CHAOS, more.random, () => countUp(more.random));
  }

  static async start(random: () => number): Promise<ReplicationPair> {
    const system = await TestSystem.start({ schemas: ["ledger", CHAOS] });
    try {
      await system.resetTables();
      // Copied one behind the other, the large ones in another order each time.
      const tables = [
        ...["entry", "counter", "fat", "whole"].map((table) => `ledger.${table}`),
        ...(await createTables(system.old, CHAOS)),
        `${CHAOS}.${KEYLESS}`,
      ]
        .map((table) => ({ table, at: random() }))
        .sort((a, b) => a.at - b.at)
        .map(({ table }) => table);
      await system.old.root(LARGE.join("; "));
      await system.old.root(
        `CREATE TABLE ${CHAOS}.${KEYLESS} (a INT, b VARCHAR(20), body VARCHAR(${FAT_BYTES}) CHARACTER SET latin1)`,
      );
      await fill(system);
      for (const server of [system.old, system.new]) {
        const { user } = system.application;
        await server.root(`GRANT ALL ON ${CHAOS}.* TO ${user}@'127.0.0.1'`);
      }
      const links = {
        old: await FaultyLink.start(() => system.old.port),
        new: await FaultyLink.start(() => system.new.port),
      };
      const serve = await system.serve({ config: configOf(system, links) });
      const pair = new ReplicationPair(system, links, serve, { tables, random });
      await pair.writers.start();
      pair.write();
      return pair;
    } catch (error) {
      await system.stop();
      throw error;
    }
  }

  get servers(): Readonly<Record<Home, TestSystem["old"]>> {
    return { old: this.system.old, new: this.system.new };
  }

  get home(): Home {
    return this.#home;
  }

  /** Where clients that go past the proxies write from now on. */
  set home(home: Home) {
    this.#home = home;
  }

  /** Each different row of the table without a key, and how often it is there. */
  get keylessCounts(): string {
    return `SELECT a, b, SHA2(body, 256) AS body, COUNT(*) AS n FROM ${CHAOS}.${KEYLESS} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`;
  }

  /** Lets all clients write. */
  write(): void {
    this.writers.resume();
    this.#chaos.start(() => this.#directUrl(), CHAOS_CLIENTS);
  }

  /** Resolves once nobody writes. */
  async rest(): Promise<void> {
    await Promise.all([this.restDirect(), this.writers.pause()]);
  }

  /** Resolves once nobody writes past the proxies: tables are about to move. */
  async restDirect(): Promise<void> {
    await this.#chaos.stop();
  }

  async stop(): Promise<void> {
    // Before anybody is waited for: a server that stands still answers nobody.
    for (const server of Object.values(this.servers)) if (server.pid !== 0) process.kill(server.pid, "SIGCONT");
    await this.serve.stop();
    for (const link of Object.values(this.links)) await link.close();
    await this.#chaos.stop();
    await this.writers.stop();
    await this.system.stop();
  }

  #directUrl(): string {
    return this.system.appUrl(this.servers[this.#home]);
  }
}

/** One of the large tables' rows is changed; in the log of either server its number may only grow. */
function countUp(random: () => number): string {
  const [table, id] =
    random() < 0.5
      ? ["fat", `${1 + Math.floor(random() * FAT_ROWS)}`]
      : ["whole", `'key${1 + Math.floor(random() * WHOLE_ROWS)}'`];
  return `UPDATE ledger.${table} SET n = n + 1 WHERE id = ${id}`;
}

async function fill({ old }: TestSystem): Promise<void> {
  const numbers = (rows: number): string =>
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) SELECT`;
  const body = `RPAD(SHA2(i, 512), ${FAT_BYTES}, SHA2(i * 7, 512))`;
  await old.root(
    `SET SESSION cte_max_recursion_depth = 100000;
     INSERT INTO ledger.fat ${numbers(FAT_ROWS)} i, 0, ${body} FROM n;
     INSERT INTO ledger.whole ${numbers(WHOLE_ROWS)} CONCAT('key', i), 0, ${body} FROM n;
     INSERT INTO ${CHAOS}.${KEYLESS} ${numbers(WHOLE_ROWS)} i % 20, NULL, ${body.replaceAll("(i", "(i % 20")} FROM n`,
  );
}

/** With the links in place of the servers, in clear text so that a link sees whose connection it carries. */
function configOf(system: TestSystem, links: Readonly<Record<Home, FaultyLink>>): string {
  let config = system.config.replace("level: debug", "level: info");
  for (const home of ["old", "new"] as const) {
    const entry = `port: ${system[home].port},`;
    if (!config.includes(entry)) throw new Error(`the configuration does not say "${entry}"`);
    config = config.replace(entry, `port: ${links[home].port}, tls: { mode: disabled },`);
  }
  return `${config}\nlimits: { childRestartMaxMs: 100, copyCycleMaxSeconds: 1 }`;
}
