import { basename, dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Fleet, type Reach } from "../../support/fleet.ts";
import { LEDGER_TABLES, LedgerWriters } from "../../support/ledger-writers.ts";
import type { ServeProcess } from "../../support/serve-process.ts";
import { TestSystem } from "../../support/system.ts";

const WRITERS = 8;
const FIRST_LATE_MS = 500;

let system: TestSystem;
let fleet: Fleet | undefined;

beforeAll(async () => {
  system = await TestSystem.start();
}, 60_000);
afterAll(() => system?.stop());
beforeEach(() => system.resetTables());
afterEach(async () => {
  await fleet?.stop();
  fleet = undefined;
});

async function done(process: ServeProcess, ...args: readonly string[]): Promise<void> {
  const result = await process.run(...args);
  expect(result, result.stdout + result.stderr).toMatchObject({ exit: 0 });
}

/** A fleet with a migration that is ready to be switched, and clients that write through both proxies. */
async function begin(
  options: Parameters<typeof Fleet.start>[1] = {},
): Promise<{ fleet: Fleet; writers: LedgerWriters }> {
  const started = await Fleet.start(system, options);
  fleet = started;
  const writers = new LedgerWriters(started.appUrls, WRITERS);
  await writers.start();
  const create = ["migration", "create", "m", "--from", "old", "--to", "new", "--tables", LEDGER_TABLES, "--wait"];
  const [proxy] = started.proxies;
  if (proxy === undefined) throw new Error("there is no proxy");
  // Orders given to a proxy's admin API reach whichever controller leads.
  await done(proxy, ...create);
  await done(proxy, "diff", "start", "m");
  return { fleet: started, writers };
}

describe("a fleet of two proxies and two controllers", () => {
  test("switches and rolls back, ordered through any of its processes", async () => {
    // What the harness breaks it finds by a name or a place; the two agree though the second is ready before the first.
    const reach = async (name: string, etcdPort: number): Promise<Reach> => {
      if (name.endsWith("1")) await sleep(FIRST_LATE_MS);
      return { config: system.config, etcdPort };
    };
    const { fleet: running, writers } = await begin({ reach });
    const names = [...running.proxies, ...running.controllers].map(({ configPath }) => basename(dirname(configPath)));
    expect(names).toEqual(["p1", "p2", "c1", "c2"]);
    const { leads, standsBy } = await running.leader();
    await done(standsBy, "switch", "m");
    await done(leads, "rollback", "m");
    const [one, other] = running.proxies as [ServeProcess, ServeProcess];
    await done(one, "switch", "m");
    // Clients write and streams run meanwhile: nothing of that may look like something that was left behind.
    const looked = await one.run("doctor", "--config", one.configPath);
    expect(looked.json, looked.stdout + looked.stderr).toMatchObject({ store: expect.stringContaining("etcd") });
    const codes = (looked.json["findings"] as readonly { readonly code: string }[]).map(({ code }) => code);
    // Guards stay where transactions leave no pause; that is worth saying.
    expect(codes.filter((code) => code !== "guard-left")).toEqual([]);
    await done(other, "rollback", "m");
    await writers.stop();
    expect(writers.told).toMatchObject({ errors: [], unknown: 0 });
    expect(writers.told.acknowledged).toBeGreaterThan(100);
    expect(await writers.check(system.old)).toEqual([]);
  }, 240_000);
});
