import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CountingWriters, countingTable } from "../../support/counting-writers.ts";
import { Fleet } from "../../support/fleet.ts";
import type { ServeProcess } from "../../support/serve-process.ts";
import { TestSystem } from "../../support/system.ts";

const MIGRATIONS = ["m1", "m2", "m3", "m4"];
const LEASE_MS = 2000;
const LIMITS = `limits: { leaseTtlMs: ${LEASE_MS}, leaseMarginMs: 500 }`;
const CASE_TIMEOUT_MS = 120_000;

let system: TestSystem;
let fleet: Fleet;
let writers: CountingWriters;

beforeAll(async () => {
  system = await TestSystem.start();
  await system.resetTables();
  for (const table of MIGRATIONS) await system.old.root(countingTable(table));
  fleet = await Fleet.start(system, { more: LIMITS });
  writers = new CountingWriters(fleet.appUrls[0] ?? "", MIGRATIONS, 10);
  writers.start();
  const create = (id: string): Promise<void> =>
    done(proxy(), "migration", "create", id, "--from", "old", "--to", "new", "--tables", `ledger.${id}`, "--wait");
  await Promise.all(MIGRATIONS.map(create));
}, CASE_TIMEOUT_MS);

afterAll(async () => {
  await writers?.stop();
  await fleet?.stop();
  await system?.stop();
}, 60_000);

function proxy(): ServeProcess {
  return fleet.proxies[0] as ServeProcess;
}

function controllers(): [ServeProcess, ServeProcess] {
  return fleet.controllers as [ServeProcess, ServeProcess];
}

async function done(by: ServeProcess, ...args: readonly string[]): Promise<void> {
  const result = await by.run(...args);
  expect(result, `${args.join(" ")}\n${result.stdout}${result.stderr}`).toMatchObject({ exit: 0 });
}

async function until(look: () => Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + 60_000;
  while (Date.now() < end) {
    if (await look().catch(() => false)) return;
    await sleep(50);
  }
  const logs = controllers().map(({ log }) => log.slice(-3000));
  throw new Error(`never: ${what}\n${JSON.stringify(await owners())}\n${logs.join("\n---\n")}`);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

interface Shown {
  readonly id: string;
  readonly controller?: string;
  readonly status?: { readonly stream?: { readonly state: string } };
}

async function shown(): Promise<readonly Shown[]> {
  return ((await proxy().get("/v1/migrations")) as { migrations: Shown[] }).migrations;
}

/** Who runs each migration, as the admin API has it. */
async function owners(): Promise<ReadonlyMap<string, string>> {
  return new Map((await shown()).map(({ id, controller }) => [id, controller ?? ""]));
}

function idOf(controller: ServeProcess): string {
  return `-${controller.childPid("controller")}-controller`;
}

async function ownedBy(controller: ServeProcess): Promise<string[]> {
  return [...(await owners())].filter(([, owner]) => owner.endsWith(idOf(controller))).map(([id]) => id);
}

async function spreadEvenly(): Promise<void> {
  const even = async (): Promise<boolean> =>
    (await Promise.all(controllers().map(async (one) => (await ownedBy(one)).length === 2))).every(Boolean);
  await until(even, "two migrations for each controller");
  await running();
}

async function running(): Promise<void> {
  const all = async (): Promise<boolean> =>
    (await shown()).every(({ status, controller }) => status?.stream?.state === "running" && controller !== undefined);
  await until(all, "every stream runs");
}

/** Everything that was acknowledged is on both servers, once, and nothing else. Clients write on afterwards. */
async function everythingIsEqual(): Promise<void> {
  const before = writers.acknowledged;
  await writers.stop();
  expect(before).toBeGreaterThan(20);
  expect(await writers.check(system.old)).toEqual([]);
  await until(async () => (await writers.check(system.new)).length === 0, "the new server has the same rows");
  await sleep(100);
  expect(await writers.check(system.new)).toEqual([]);
  writers.start();
}

describe("the migrations of two controllers", () => {
  test(
    "are shared out, and each controller shows its own streams",
    async () => {
      await spreadEvenly();
      for (const controller of controllers()) {
        const text = await (await fetch(`http://127.0.0.1:${controller.adminPort}/metrics`)).text();
        const lines = text.split("\n").filter((line) => line.startsWith("switchyard_stream_lag_seconds{"));
        const labels = lines.map((line) => /migration="([^"]*)"/.exec(line)?.[1]).sort();
        expect(labels).toEqual(await ownedBy(controller));
        expect(text).toContain("switchyard_controller_migrations 2");
      }
    },
    CASE_TIMEOUT_MS,
  );

  test(
    "are switched and rolled back by whoever runs them, whatever API is asked, and stay where they are",
    async () => {
      const { standsBy, leads } = await fleet.leader();
      const [migration = ""] = await ownedBy(standsBy);
      await done(leads, "diff", "start", migration);
      await done(proxy(), "switch", migration);
      expect(await ownedBy(standsBy)).toContain(migration);
      await done(standsBy, "rollback", migration);
      await everythingIsEqual();
    },
    CASE_TIMEOUT_MS,
  );

  test(
    "go on after a controller that is none of theirs any more has claimed a ledger in passing",
    async () => {
      // As one that was stopped while it claimed, and woke: the epoch is raised, and it then ends.
      await system.new.root("UPDATE _switchyard.ledger SET epoch = epoch + 1, holder = 'late' WHERE migration = 'm1'");
      const claimedAgain = async (): Promise<boolean> => {
        const rows = await system.new.root("SELECT holder FROM _switchyard.ledger WHERE migration = 'm1'");
        return rows.length > 0 && rows.every((row) => row["holder"] !== "late");
      };
      await until(claimedAgain, "the stream has claimed its ledger again");
      await everythingIsEqual();
    },
    CASE_TIMEOUT_MS,
  );

  /**
   * 1. A controller is stopped in the midst of its streams, for longer than its lease lasts.
   * 2. The other one has taken its migrations over; clients write on.
   * 3. The first wakes with transactions in its hands.
   */
  test(
    "of one that is stopped past its lease go on at the other, and nothing comes of it when it wakes",
    async () => {
      const { standsBy: sleeps, leads } = await fleet.leader();
      const pid = sleeps.childPid("controller");
      process.kill(pid, "SIGSTOP");
      try {
        await until(async () => (await ownedBy(leads)).length === 4, "the other one runs all four");
        await running();
      } finally {
        process.kill(pid, "SIGCONT");
      }
      await until(() => Promise.resolve(sleeps.childPid("controller") !== pid), "the one that slept has ended");
      await running();
      await everythingIsEqual();
    },
    CASE_TIMEOUT_MS,
  );

  test(
    "are handed over to one that joins, and go on at the other when its machine is lost, with its orders",
    async () => {
      await spreadEvenly();
      await everythingIsEqual();
      const { leads, standsBy } = await fleet.leader();
      const [migration = ""] = await ownedBy(leads);
      await leads.killMachine();
      // It waits for whoever takes the migration over.
      await done(standsBy, "migration", "pause", migration);
      await done(proxy(), "migration", "resume", migration);
      await until(async () => (await ownedBy(standsBy)).length === 4, "the other one runs all four");
      await running();
      await everythingIsEqual();
    },
    CASE_TIMEOUT_MS,
  );
});
