import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startServers, stopServers } from "../../support/servers.ts";
import { createTables, seeded, TINY, writers } from "./chaos-writers.ts";
import { type Ends, type OpenedStream, openStream, settled, untilRunning } from "./stream-bench.ts";

let ends: Ends;
let opened: OpenedStream | undefined;

beforeAll(async () => {
  ends = await startServers(["source", "target"]);
}, 60_000);
afterAll(async () => stopServers(ends as unknown as Record<string, never>));
afterEach(async () => {
  await opened?.stream.close();
  opened = undefined;
});

describe("under writers that change keys and swap unique values", () => {
  test("a copy of many short snapshots ends equal", async () => {
    const seed = Date.now() % 1_000_000;
    process.stderr.write(`seed ${seed}\n`);
    const random = seeded(seed);
    const tables = await createTables(ends.source, "cycles");
    const clients = writers(ends.source, "cycles", 3, random);
    opened = await openStream(ends, tables, { migration: "cycles", limits: TINY });
    await untilRunning(opened, 120_000);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await clients.stop();
    const { source, target } = await settled(ends, opened, tables);
    expect(target, `seed ${seed}`).toEqual(source);
    expect(opened.stream.status().drift, `seed ${seed}`).toBe(0);
    const [row] = await ends.target.root("SELECT COUNT(*) AS n FROM _switchyard.snapshot WHERE migration = 'cycles'");
    expect(Number(row?.["n"])).toBeGreaterThan(2);
  }, 180_000);
});
