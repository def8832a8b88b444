import mysql from "mysql2/promise";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { EtcdGateway } from "../../support/etcd-gateway.ts";
import { Fleet } from "../../support/fleet.ts";
import { LEDGER_TABLES, LedgerWriters } from "../../support/ledger-writers.ts";
import type { CommandResult, ServeProcess } from "../../support/serve-process.ts";
import { TestSystem } from "../../support/system.ts";

const WRITERS = 6;
const THINK_MS = 10;
const LEASE_MS = 2000;
/** Short leases, so that a case need not wait long for them; a drain that a test can hold open for a while. */
const LIMITS = `limits: { leaseTtlMs: ${LEASE_MS}, leaseMarginMs: 500, drainTimeoutMs: 4000 }`;
/** Leases and waits are of two seconds: the short lane sees each of them end several times over, the long one for a minute. */
const AWAY_MS = process.env["SWITCHYARD_LONG"] === undefined ? 8_000 : 60_000;
const SETTLE_MS_MAX = 60_000;
const CASE_TIMEOUT_MS = 180_000;

/**
 * What clients may be told while an armed proxy's lease has ended: its connections are gone, or a statement that waited
 * for the whole time was given up, unsent.
 */
const ALLOWED = /Connection lost|closed state|ECONNRESET|EPIPE|was given up; nothing was written/;

let system: TestSystem;
let fleet: Fleet;
let clients = 0;
const writing: LedgerWriters[] = [];

beforeAll(async () => {
  system = await TestSystem.start();
  await system.resetTables();
  fleet = await Fleet.start(system, { more: LIMITS });
  await done(proxy(0), "migration", "create", "m", "--from", "old", "--to", "new", "--tables", LEDGER_TABLES, "--wait");
  await done(proxy(0), "diff", "start", "m");
}, 120_000);

afterEach(async () => {
  for (const writers of writing.splice(0)) await writers.stop();
});

afterAll(async () => {
  await fleet?.stop();
  await system?.stop();
}, 60_000);

function proxy(index: 0 | 1): ServeProcess {
  const found = fleet.proxies[index];
  if (found === undefined) throw new Error("there is no such proxy");
  return found;
}

function told(result: CommandResult): string {
  return result.stdout + result.stderr;
}

async function done(by: ServeProcess, ...args: readonly string[]): Promise<void> {
  const result = await by.run(...args);
  expect(result, `${args.join(" ")}\n${told(result)}`).toMatchObject({ exit: 0 });
}

/** Clients that write through these proxies from now on, each with rows of its own. */
async function write(urls: readonly string[] = fleet.appUrls): Promise<LedgerWriters> {
  const writers = new LedgerWriters(urls, WRITERS, THINK_MS, clients);
  clients += WRITERS;
  writing.push(writers);
  await writers.start();
  return writers;
}

async function until<T>(look: () => Promise<T | undefined>, timeoutMs: number, what: string): Promise<T> {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    await sleep(20);
  }
  throw new Error(`not within ${timeoutMs} ms: ${what}`);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until nothing of an attempt is left, and gives the phase in which the migration rests. */
function settled(by: ServeProcess = proxy(0)): Promise<string> {
  return until(
    async () => {
      const answer = await by.get("/v1/migrations/m");
      const migration = answer["migration"] as { readonly phase?: string; readonly attempt?: unknown } | undefined;
      const { phase, attempt } = migration ?? {};
      return attempt === undefined && (phase === "running" || phase === "switched") ? phase : undefined;
    },
    SETTLE_MS_MAX,
    "the migration settles",
  );
}

/** Brings the tables back to the server where a switch begins. */
async function atTheOldHome(): Promise<void> {
  if ((await settled()) === "switched") {
    // The stream back has its lag measured first.
    const ready = async (): Promise<true | undefined> =>
      (await proxy(0).run("rollback", "m", "--dry-run")).exit === 0 ? true : undefined;
    await until(ready, 30_000, "the gate of the way back");
    await done(proxy(0), "rollback", "m");
  }
  expect(await settled()).toBe("running");
}

async function check(writers: LedgerWriters, home: "old" | "new", atLeast = 50): Promise<void> {
  await writers.stop();
  expect(writers.told.acknowledged).toBeGreaterThan(atLeast);
  expect(await writers.check(system[home])).toEqual([]);
}

describe("a fleet whose etcd is away", () => {
  test(
    `for ${AWAY_MS} ms, with nothing armed: every client of both proxies writes on, and a switch works afterwards`,
    async () => {
      await atTheOldHome();
      const writers = await write();
      await sleep(500);
      fleet.etcd.pause();
      const end = Date.now() + AWAY_MS;
      let slowest = Number.POSITIVE_INFINITY;
      while (Date.now() < end) {
        const before = writers.told.acknowledged;
        await sleep(Math.min(2000, Math.max(1, end - Date.now() + 1)));
        if (Date.now() < end) slowest = Math.min(slowest, writers.told.acknowledged - before);
      }
      // A balancer asks the proxies, which can serve; the store is shown as away.
      const ready = await proxy(1).get("/readyz");
      expect(ready).toMatchObject({ ready: true });
      expect(ready["checks"]).toContainEqual(expect.objectContaining({ name: "store", ok: false, required: false }));
      fleet.etcd.resume();
      expect(slowest, "writes in the slowest two seconds").toBeGreaterThan(WRITERS);
      expect(writers.told).toMatchObject({ errors: [], unknown: expect.any(Number) });
      await until(
        async () => ((await proxy(0).run("switch", "m", "--dry-run")).exit === 0 ? true : undefined),
        30_000,
        "the gate",
      );
      await done(proxy(1), "switch", "m");
      expect(writers.told.errors).toEqual([]);
      await check(writers, "new");
      expect(writers.told.unknown).toBe(0);
    },
    CASE_TIMEOUT_MS,
  );

  /**
   * 1. A client has a transaction open; the switch holds everybody else and waits for it.
   * 2. etcd stops where it stands, for three times the lease of proxies and controllers.
   * 3. The client commits, or finds that its connection is gone. etcd goes on. Nobody does anything.
   */
  test(
    "for longer than the lease in the midst of a hold: it ends by itself, and nothing is lost or doubled",
    async () => {
      await atTheOldHome();
      const writers = await write();
      const slow = await mysql.createConnection(fleet.appUrls[0] ?? "");
      slow.on("error", () => undefined);
      await slow.query("BEGIN");
      await slow.query("INSERT INTO ledger.entry (client, sequence, note) VALUES (-1, 1, 'slow')");
      const gateway = new EtcdGateway(fleet.etcd.endpoint);
      const order = proxy(0).run("switch", "m");
      await until(async () => ((await holds(gateway)) > 0 ? true : undefined), 20_000, "a hold in the rules");
      fleet.etcd.pause();
      await sleep(300);
      const committed = await slow.query("COMMIT").then(
        () => true,
        () => false,
      );
      await sleep(3 * LEASE_MS);
      fleet.etcd.resume();
      slow.destroy();
      await order;
      const home = (await settled()) === "switched" ? "new" : "old";
      expect(await holds(gateway)).toBe(0);
      expect(writers.told.errors.filter((error) => !ALLOWED.test(error))).toEqual([]);
      await check(writers, home);
      const [row] = await system[home].root(
        "SELECT COUNT(*) AS n FROM ledger.entry WHERE client = -1 AND sequence = 1",
      );
      if (committed) expect(Number(row?.["n"])).toBe(1);
      else expect(Number(row?.["n"])).toBeLessThanOrEqual(1);
      // And the fleet is whole again.
      const fresh = await write();
      await atTheOldHome();
      await done(proxy(1), "switch", "m");
      await check(fresh, "new");
      expect(fresh.told).toMatchObject({ errors: [], unknown: 0 });
    },
    CASE_TIMEOUT_MS,
  );
});

/** How many holds etcd has in the rules, asked past the program. */
async function holds(gateway: EtcdGateway): Promise<number> {
  const rules = (await gateway.all("/switchyard/")).get("/switchyard/rules");
  const { holds: found } = JSON.parse(rules ?? "{}") as { readonly holds?: object };
  if (found === undefined) throw new Error(`no rules in etcd: ${rules}`);
  return Object.keys(found).length;
}

describe("a fleet in the midst of a switch", () => {
  /** A switch that stands still at the arming, with nobody held, while `meanwhile` goes on. */
  async function switchWith(by: ServeProcess, meanwhile: () => Promise<void>): Promise<CommandResult> {
    by.armWait("switch-after-arm");
    const order = proxy(0).run("switch", "m");
    try {
      await until(() => Promise.resolve(by.waitsAtFailpoint ? true : undefined), 60_000, "the arming");
      await meanwhile();
    } finally {
      by.letGo();
    }
    return await order;
  }

  // A watch that has to begin anew after a compaction: test/integration/store/etcd-faults.test.ts.
  test(
    "whose second operator orders the opposite at the other controller, a diff and a repair, and whose etcd is compacted, sees it through",
    async () => {
      await atTheOldHome();
      const writers = await write();
      const { runs, other } = await fleet.runs(proxy(1), "m");
      const refused: CommandResult[] = [];
      const result = await switchWith(runs, async () => {
        const orders = [["rollback"], ["diff", "start"], ["diff", "repair"]];
        refused.push(...(await Promise.all(orders.map((order) => other.run(...order, "m")))));
        new EtcdGateway(fleet.etcd.endpoint).writeAndCompactAtOnce("/beside/switchyard");
      });
      for (const one of refused) {
        expect(one, told(one)).toMatchObject({ exit: 3 });
        expect(told(one)).toMatch(/MIGRATION_BUSY: migration \\?"m\\?" is busy: switch, ordered by/);
      }
      expect(refused).toHaveLength(3);
      expect(result.exit, told(result)).toBe(0);
      await check(writers, "new");
      expect(writers.told).toMatchObject({ errors: [], unknown: 0 });
    },
    CASE_TIMEOUT_MS,
  );
});

describe("a fleet that loses a machine", () => {
  test.each([
    ["switch-before-swap", "running", "old", 4],
    ["switch-after-swap", "switched", "new", 0],
  ] as const)(
    "the controller's that runs the migration, at %s: the other one takes over and ends the switch",
    async (point, phase, home, exit) => {
      await atTheOldHome();
      const writers = await write();
      const { runs, other } = await fleet.runs(proxy(1), "m");
      runs.armFailpoints(point);
      const order = proxy(1).run("switch", "m");
      await until(() => Promise.resolve(runs.failpointsLeft.length === 0 ? true : undefined), 60_000, point);
      await runs.killMachine();
      const result = await order;
      expect(result.exit, told(result)).toBe(exit);
      expect(await settled(proxy(1))).toBe(phase);
      expect((await fleet.runs(proxy(1), "m")).runs).toBe(other);
      await check(writers, home);
      expect(writers.told).toMatchObject({ errors: [], unknown: 0 });
      await runs.restart();
    },
    CASE_TIMEOUT_MS,
  );

  test(
    "a proxy's: the next switch is refused by its name, and goes through once it is forgotten",
    async () => {
      await atTheOldHome();
      const [first = "", second = ""] = fleet.appUrls;
      const unhurt = await write([first]);
      const hit = await write([second]);
      await sleep(500);
      const { leads } = await fleet.leader();
      await proxy(1).killMachine();
      const gone = await until(
        async () => {
          const { proxies } = (await leads.get("/v1/proxies")) as { proxies: { id: string; alive: boolean }[] };
          const [dead, ...more] = proxies.filter(({ alive }) => !alive);
          return more.length === 0 ? dead?.id : undefined;
        },
        30_000,
        "the proxy that shows no sign of life",
      );
      const refused = await proxy(0).run("switch", "m");
      expect(refused.exit, told(refused)).toBe(3);
      expect(told(refused)).toContain(gone);
      await done(proxy(0), "proxies", "forget", gone, "--reason", "its machine is gone");
      await done(proxy(0), "switch", "m");
      await check(unhurt, "new");
      expect(unhurt.told).toMatchObject({ errors: [], unknown: 0 });
      // Their proxy has gone after half a second.
      await check(hit, "new", 10);
      await proxy(1).restart();
      await done(proxy(1), "rollback", "m");
    },
    CASE_TIMEOUT_MS,
  );
});
