import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Metrics, noMetrics } from "../../../src/metrics/metrics.ts";
import { withArmed, withHold, withTable } from "../../../src/rules/rules-edits.ts";
import { changeRules, readRules } from "../../../src/rules/rules-store.ts";
import { PROXIES_PREFIX, RULES_KEY } from "../../../src/rules/store-keys.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { DistantStore } from "./distant-store.ts";
import {
  abort,
  arm,
  drained,
  type Harness,
  type HarnessOptions,
  HOLD,
  hold,
  seed,
  startHarness,
  swap,
  TOKEN,
} from "./proxy-harness.ts";
import { startRelay, type TcpRelay } from "./tcp-relay.ts";

let servers: Record<"old" | "new", TestServer>;
let relays: Record<"old" | "new", TcpRelay>;
let harness: Harness;
let store: DistantStore;
let clients: Connection[] = [];

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  relays = { old: await startRelay(servers.old), new: await startRelay(servers.new) };
});

beforeEach(async () => {
  for (const server of Object.values(servers)) await server.root("TRUNCATE shop.orders; TRUNCATE shop.other");
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  clients = [];
  for (const relay of Object.values(relays)) relay.delayMs = 0;
  await harness?.close();
});

afterAll(async () => {
  for (const relay of Object.values(relays ?? {})) await relay.close();
  await stopServers(servers);
});

async function start(options: HarnessOptions = {}, early?: (store: DistantStore) => void): Promise<void> {
  const through = {
    old: { host: "127.0.0.1", port: relays.old.port } as TestServer,
    new: { host: "127.0.0.1", port: relays.new.port } as TestServer,
  };
  harness = await startHarness(through, {
    ...options,
    wrap: (real) => {
      store = new DistantStore(real);
      early?.(store);
      return store;
    },
  });
}

async function user(): Promise<Connection> {
  const connection = await harness.connect();
  connection.on("error", () => undefined);
  clients.push(connection);
  await connection.query("SELECT COUNT(*) FROM orders");
  return connection;
}

async function notes(server: "old" | "new", table = "orders"): Promise<(string | null | undefined)[]> {
  return (await servers[server].root(`SELECT note FROM shop.${table} ORDER BY id`)).map((row) => row["note"]);
}

const insert = (table: string, note: string): string => `INSERT INTO ${table} (note) VALUES ('${note}')`;

function watch(work: Promise<unknown>): { value: unknown } {
  const seen: { value: unknown } = { value: undefined };
  work.then(
    () => {
      seen.value = "done";
    },
    (error: { errno?: number }) => {
      seen.value = error.errno ?? error;
    },
  );
  return seen;
}

async function settled(seen: { value: unknown }): Promise<unknown> {
  for (let i = 0; i < 1000 && seen.value === undefined; i++) await sleep(10);
  return seen.value;
}

describe("joining", () => {
  /**
   * 1. The worker reads the rules of one generation.
   * 2. A controller sets a hold and counts the proxies that must drain: this one is not among them.
   * 3. The worker registers. Were it to serve by what it has read, it would write to a table that is being switched.
   */
  test("takes place under the rules that were loaded, or loads them again", async () => {
    let raced = false;
    await start({}, (distant) => {
      distant.before = async (conditions) => {
        if (raced || !conditions.some(({ key, revision }) => key === RULES_KEY && revision > 0)) return;
        raced = true;
        await changeRules(distant, (rules) =>
          withArmed(rules, "orders", { token: TOKEN, tables: HOLD.tables, newHome: "new" }),
        );
        await changeRules(distant, (rules) => withHold(rules, "orders", HOLD));
      };
    });
    expect(raced).toBe(true);
    expect((await harness.document()).holds["orders"]).toMatchObject({ token: TOKEN, state: "drained" });
    const client = await harness.connect();
    clients.push(client);
    const late = watch(client.query(insert("orders", "late")));
    await sleep(100);
    expect(late.value).toBeUndefined();
    await abort(harness);
    expect(await settled(late)).toBe("done");
  });

  test("is done again by a worker whose registration was removed", async () => {
    await start();
    const before = await harness.store.get(PROXIES_PREFIX + harness.worker.id);
    await harness.store.transact([], [{ delete: PROXIES_PREFIX + harness.worker.id }]);
    const { revision } = await readRules(harness.store);
    await harness.change((rules) => withTable(rules, "shop.nothing", { to: "old", migration: "x" }));
    for (let i = 0; i < 200; i++) {
      const again = await harness.store.get(PROXIES_PREFIX + harness.worker.id);
      if (again !== undefined && again.revision > (before?.revision ?? 0)) break;
      await sleep(10);
    }
    expect((await harness.document()).generation).toBe((await readRules(harness.store)).rules.generation);
    expect((await readRules(harness.store)).revision).toBeGreaterThan(revision);
  });
});

describe("between a decision and its first byte", () => {
  /**
   * 1. The table lives on the server `new`; a session decides to write to it and must first log in there, slowly.
   * 2. A hold comes. Nothing has been sent, so a worker that looks at bytes alone would report it drained.
   * 3. The login ends. The statement must not go to the home that is being left.
   */
  test("a statement counts as in flight, and is judged anew", async () => {
    await start();
    await harness.change((rules) => withTable(rules, "shop.orders", { to: "new", migration: "orders" }));
    await harness.told((told) => told.generation === 2, "generation 2");
    const client = await harness.connect();
    clients.push(client);
    await client.query("SELECT * FROM other");
    await harness.change((rules) => withArmed(rules, "orders", { token: TOKEN, tables: HOLD.tables, newHome: "old" }));
    relays.new.delayMs = 150;
    const late = watch(client.query(insert("orders", "late")));
    await sleep(100);
    await hold(harness, { oldHome: "new", newHome: "old" });
    expect((await harness.document()).holds["orders"]).toMatchObject({
      state: "holding",
      open: [{ reason: "a statement is in flight" }],
    });
    await drained(harness);
    expect(late.value).toBeUndefined();
    await swap(harness);
    expect(await settled(late)).toBe("done");
    expect([await notes("old"), await notes("new")]).toEqual([["late"], []]);
  });
});

describe("a store that is away", () => {
  const limits = { leaseTtlMs: 600, leaseMarginMs: 200, licenceWaitMs: 5000, storeRetryMs: 50 };

  test("changes nothing while no migration is armed", async () => {
    await start({ limits });
    const client = await user();
    store.takeAway();
    await sleep(800);
    await client.query(insert("orders", "served"));
    expect(await notes("old")).toEqual(["served"]);
    await store.bringBack();
  });

  test("stops the tables of an armed migration when the lease may have ended, and no others", async () => {
    await start({ limits });
    const [client, other] = [await user(), await user()];
    await arm(harness);
    await client.query(insert("orders", "licensed"));
    store.takeAway();
    await sleep(700);
    const late = watch(client.query(insert("orders", "late")));
    await other.query(insert("other", "passes"));
    await sleep(200);
    expect(late.value).toBeUndefined();
    expect(await notes("old")).toEqual(["licensed"]);
    await store.bringBack();
    expect(await settled(late)).toBe("done");
    await abort(harness);
  });

  test("gives armed statements up in the end, unsent", async () => {
    await start({ limits: { ...limits, licenceWaitMs: 300 } });
    const client = await user();
    await arm(harness);
    store.takeAway();
    await sleep(700);
    expect(await settled(watch(client.query(insert("orders", "never"))))).toBe(1205);
    await store.bringBack();
    await sleep(100);
    expect(await notes("old")).toEqual([]);
  });

  test("keeps a hold past its time; statements are given up with nothing written, and none goes to the old home", async () => {
    await start({ limits });
    const client = await user();
    await arm(harness);
    await hold(harness, { ttlMs: 400 });
    await drained(harness);
    store.takeAway();
    const late = watch(client.query(insert("orders", "never")));
    // Meanwhile the switch has taken place: only this worker has not heard of it.
    await swap(harness);
    expect(await settled(late)).toBe(1205);
    const next = watch(client.query(insert("orders", "next")));
    await sleep(200);
    expect(next.value).toBeUndefined();
    await store.bringBack();
    expect(await settled(next)).toBe("done");
    expect([await notes("old"), await notes("new")]).toEqual([[], ["next"]]);
  });
});

describe("a hold that nobody ends", () => {
  test("is removed by the worker itself once its time is over, and its statements go on at the old home", async () => {
    await start();
    const client = await user();
    await arm(harness);
    await hold(harness, { ttlMs: 300 });
    const late = watch(client.query(insert("orders", "late")));
    expect(await settled(late)).toBe("done");
    expect(await notes("old")).toEqual(["late"]);
    const { rules } = await readRules(harness.store);
    expect(rules.holds).toEqual({});
    // The switch needed that hold, so it can no longer take place.
    await swap(harness);
    expect((await readRules(harness.store)).rules.tables).toEqual({});
  });
});

describe("a backend that is lost", () => {
  test("in the middle of a statement ends the session, and the statement is never sent again", async () => {
    await start();
    const client = await user();
    const sent = watch(client.query("INSERT INTO orders (note) SELECT 'once' FROM (SELECT SLEEP(0.4)) AS s"));
    await sleep(150);
    relays.old.cut();
    expect(await settled(sent)).toBe(2013);
    await expect(client.ping()).rejects.toBeDefined();
    await sleep(600);
    expect((await notes("old")).length).toBeLessThanOrEqual(1);
  });

  test("between statements ends the sessions that need it, and no other", async () => {
    await start();
    const [one, two] = [await user(), await user()];
    await arm(harness);
    await two.beginTransaction();
    await two.query(insert("other", "open"));
    // The new home holds nothing of theirs yet: it is dialled anew when it is needed.
    relays.new.cut();
    await sleep(50);
    await one.ping();
    await two.commit();
    await hold(harness);
    await drained(harness);
    await swap(harness);
    await one.query(insert("orders", "anew"));
    expect(await notes("new")).toEqual(["anew"]);
    relays.old.cut();
    await sleep(50);
    await expect(two.ping()).rejects.toBeDefined();
  });

  test("by KILL at the server ends the client's session, as without a proxy", async () => {
    await start();
    const client = await user();
    await servers.old.root(`KILL ${client.threadId}`);
    await sleep(100);
    await expect(client.ping()).rejects.toBeDefined();
  });
});

describe("a client that breaks the protocol", () => {
  test.each([
    ["nonsense instead of a login", Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
    ["a login that claims more bytes than it has", Buffer.from([8, 0, 0, 1, 0x85, 0xa6, 0xff, 0x01, 0, 0, 0, 1])],
    ["a packet that claims 16 MiB", Buffer.from([0xff, 0xff, 0xff, 1, 1, 2, 3])],
    [
      "TLS asked for, then none",
      Buffer.concat([Buffer.from([32, 0, 0, 1, 0x00, 0x0a, 0, 0]), Buffer.alloc(28), Buffer.from("no")]),
    ],
  ])("by %s is disconnected, and others are served", async (_, bytes) => {
    await start({ limits: { loginTimeoutMs: 500 } });
    const { connect } = await import("node:net");
    const socket = connect(harness.port, "127.0.0.1");
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.on("error", () => undefined);
    socket.on("data", () => socket.write(bytes));
    await closed;
    await (await user()).ping();
  });
});

describe("who ended a session", () => {
  test("is told apart: the client, the proxy or the server, and why", async () => {
    const ends: string[] = [];
    const metrics: Metrics = {
      ...noMetrics,
      counter: (name, labels) => ({
        add: () => {
          if (name === "disconnects_total") ends.push(Object.values(labels).join(" "));
        },
      }),
    };
    await start({ metrics });
    const ended = async (count: number): Promise<void> => {
      for (let i = 0; i < 300 && ends.length < count; i++) await sleep(10);
    };
    await (await user()).end();
    await ended(1);
    (await user()).destroy();
    await ended(2);
    await expect(harness.connect({ password: "wrong" })).rejects.toMatchObject({ errno: 1045 });
    await ended(3);
    await servers.old.root(`KILL ${(await user()).threadId}`);
    await ended(4);
    const [victim, killer] = [await user(), await user()];
    await killer.query(`KILL ${victim.threadId}`);
    await ended(5);
    await harness.worker.close({ drainMs: 0 });
    const [fifth, last] = ends.slice(4);
    expect(ends.slice(0, 4)).toEqual(["client quit", "client gone", "backend login", "backend lost"]);
    expect(["proxy killed", "backend lost"]).toContain(fifth);
    expect(last).toBe("proxy shutdown");
  });
});

describe("shutting down", () => {
  test("lets an open transaction end and closes idle sessions", async () => {
    await start();
    const [open, idle] = [await user(), await user()];
    await open.beginTransaction();
    await open.query(insert("orders", "kept"));
    const closing = harness.worker.close({ drainMs: 5000 });
    await sleep(100);
    await expect(idle.ping()).rejects.toBeDefined();
    await open.commit();
    await closing;
    expect(await notes("old")).toEqual(["kept"]);
    expect(await harness.store.get(PROXIES_PREFIX + harness.worker.id)).toBeUndefined();
  });
});
