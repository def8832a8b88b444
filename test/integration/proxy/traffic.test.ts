import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, ResultSetHeader } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { abort, arm, disarm, drained, type Harness, hold, seed, startHarness, swap } from "./proxy-harness.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  harness = await startHarness(servers);
});

afterAll(async () => {
  await harness?.close();
  await stopServers(servers);
});

/** Writes in one way until told to stop; counts what was acknowledged. */
interface Writer {
  readonly kind: string;
  acknowledged: number;
  longestMs: number;
  readonly errors: unknown[];
}

type Write = (client: Connection, sequence: number) => Promise<number>;

const WRITES: Readonly<Record<string, Write>> = {
  text: async (client, sequence) => {
    const [done] = await client.query<ResultSetHeader>(`INSERT INTO orders (client, note) VALUES (1, '${sequence}')`);
    return done.affectedRows;
  },
  prepared: async (client, sequence) => {
    const [done] = await client.execute<ResultSetHeader>("INSERT INTO orders (client, note) VALUES (?, ?)", [
      2,
      sequence,
    ]);
    return done.affectedRows;
  },
  transaction: async (client, sequence) => {
    await client.beginTransaction();
    await client.query("SELECT COUNT(*) FROM orders WHERE client = 3");
    await client.execute("INSERT INTO orders (client, note) VALUES (?, ?)", [3, sequence]);
    await client.query("UPDATE orders SET note = CONCAT(note, '!') WHERE id = LAST_INSERT_ID()");
    await client.commit();
    return 1;
  },
  rolledBack: async (client, sequence) => {
    await client.beginTransaction();
    await client.query(`INSERT INTO orders (client, note) VALUES (4, '${sequence}')`);
    await client.rollback();
    return 0;
  },
  reader: async (client) => {
    await client.query("SELECT COUNT(*) FROM orders");
    return 0;
  },
  elsewhere: async (client, sequence) => {
    await client.query(`INSERT INTO other (client, note) VALUES (6, '${sequence}')`);
    return 0;
  },
};

async function write(writer: Writer, client: Connection, stop: AbortSignal): Promise<void> {
  const one = WRITES[writer.kind];
  for (let sequence = 0; !stop.aborted && one !== undefined; sequence++) {
    const began = performance.now();
    try {
      writer.acknowledged += await one(client, sequence);
    } catch (error) {
      writer.errors.push(error);
      return;
    }
    writer.longestMs = Math.max(writer.longestMs, performance.now() - began);
    await sleep(1);
  }
}

async function count(server: "old" | "new"): Promise<number> {
  const [row] = await servers[server].root("SELECT COUNT(*) AS n FROM shop.orders");
  return Number(row?.["n"]);
}

describe("under traffic", () => {
  /**
   * Rows are not copied here, so each acknowledged row must be found once, on either server; and from the moment at
   * which a hold was acknowledged as drained until the next switch, the old home must not gain a row.
   */
  test("twenty switches and aborts to and fro lose, double and refuse nothing, and drained means drained", async () => {
    const stop = new AbortController();
    const writers: Writer[] = [];
    const clients: Connection[] = [];
    const working: Promise<void>[] = [];
    for (const kind of [...Object.keys(WRITES), ...Object.keys(WRITES)]) {
      const client = await harness.connect();
      const writer: Writer = { kind, acknowledged: 0, longestMs: 0, errors: [] };
      writers.push(writer);
      clients.push(client);
      working.push(write(writer, client, stop.signal));
    }
    await sleep(300);
    for (let attempt = 0; attempt < 20; attempt++) {
      const token = `attempt-${attempt}`;
      const [oldHome, newHome] = (attempt >> 1) % 2 === 0 ? (["old", "new"] as const) : (["new", "old"] as const);
      expect((await arm(harness, token, newHome)).armed["orders"]?.blocked).toEqual([]);
      await hold(harness, { token, oldHome, newHome });
      await drained(harness);
      const then = await count(oldHome);
      await sleep(20);
      expect(await count(oldHome)).toBe(then);
      // Of each two attempts the first is given up, and only the second moves the table.
      if (attempt % 2 === 0) await abort(harness, token);
      else {
        await swap(harness, token);
        await disarm(harness, token);
        const after = await count(oldHome);
        expect(after).toBe(then);
      }
      await sleep(60);
    }
    stop.abort();
    await Promise.all(working);
    await Promise.all(clients.map((client) => client.end()));
    expect(writers.flatMap(({ errors }) => errors)).toEqual([]);
    const acknowledged = writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
    const [onOld, onNew] = [await count("old"), await count("new")];
    expect(onOld + onNew).toBe(acknowledged);
    expect(Math.min(onOld, onNew)).toBeGreaterThan(0);
    for (const server of Object.values(servers)) {
      const doubled = await server.root("SELECT client, note FROM shop.orders WHERE client = 4");
      expect(doubled).toEqual([]);
    }
  });
});
