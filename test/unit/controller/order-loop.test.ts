import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { SwitchyardError } from "../../../src/base/errors.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { OrderLoop, type OrderLoopOptions } from "../../../src/controller/order-loop.ts";
import { pruneRecords, recordKey } from "../../../src/controller/order-records.ts";
import type { OrderDocument } from "../../../src/cutover/order-document.ts";
import { ORDER_RECORDS_MAX } from "../../../src/cutover/order-record.ts";
import { noMetrics } from "../../../src/metrics/metrics.ts";
import { ORDERS_PREFIX } from "../../../src/rules/store-keys.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import type { Compare, Store } from "../../../src/store/store.ts";

const order = (id: string, state: OrderDocument["state"] = "pending"): OrderDocument => ({
  format: 1,
  id,
  command: "switch",
  migration: "orders",
  options: {},
  who: "ann",
  at: "2026-01-01T00:00:00.000Z",
  state,
  steps: [],
});

type Handle = (order: OrderDocument, step: (text: string) => void) => Promise<Record<string, unknown>>;

/** Accepts every order. */
const accepting =
  (handle: Handle, conditions: readonly Compare[] = []): OrderLoopOptions["accept"] =>
  (found) =>
    Promise.resolve({
      leadership: () => conditions,
      handle: (step) => handle(found, step),
      end: () => undefined,
    });

describe("an order", () => {
  let store: Store;
  let loop: OrderLoop | undefined;
  beforeEach(async () => {
    store = await EmbeddedStore.open({ directory: undefined, clock: systemClock, log: silentLogger });
  });
  afterEach(async () => {
    await loop?.close();
    await store.close();
  });

  const put = (value: unknown, id: string): Promise<unknown> =>
    store.transact([], [{ put: ORDERS_PREFIX + id, value: JSON.stringify(value) }]);
  const read = async (id: string): Promise<OrderDocument> =>
    JSON.parse((await store.get(ORDERS_PREFIX + id))?.value ?? "null") as OrderDocument;
  const until = async (id: string, state: OrderDocument["state"]): Promise<OrderDocument> => {
    for (let tries = 0; tries < 200; tries += 1) {
      const now = await read(id);
      if (now.state === state) return now;
      await systemClock.sleep(5);
    }
    throw new Error(`order ${id} did not become ${state}`);
  };
  const run = async (handle: Handle): Promise<void> => {
    loop = new OrderLoop({
      store,
      clock: systemClock,
      log: silentLogger,
      metrics: noMetrics,
      accept: accepting(handle),
    });
    await loop.start();
  };

  test("leaves a record of who asked and what came of it, and the oldest records go, of its migration alone", async () => {
    const migration = order("a").migration;
    const old = (id: string) => ({ put: recordKey(migration, id), value: JSON.stringify({ format: 1, id }) });
    const ids = Array.from({ length: ORDER_RECORDS_MAX }, (_, index) => `0-${String(index).padStart(4, "0")}`);
    for (const id of ids) await store.transact([], [old(id)]);
    await store.transact([], [{ put: recordKey("another", "0-0000"), value: "{}" }]);
    await run(() => Promise.reject(new SwitchyardError("CUTOVER_GATE_REFUSED", { what: "not yet" })));
    await put(order("a"), "a");
    await until("a", "failed");
    const records = async (): Promise<string[]> =>
      (await store.list(recordKey(migration, ""))).entries.map(({ key }) => key);
    for (let tries = 0; tries < 200 && (await records()).length > ORDER_RECORDS_MAX; tries += 1)
      await systemClock.sleep(5);
    const kept = await records();
    expect(kept).toHaveLength(ORDER_RECORDS_MAX);
    expect(kept).not.toContain(recordKey(migration, "0-0000"));
    const record = JSON.parse((await store.get(recordKey(migration, "a")))?.value ?? "{}") as Record<string, unknown>;
    expect(record).toMatchObject({ who: order("a").who, outcome: "refused", error: "CUTOVER_GATE_REFUSED: not yet" });
    expect(await store.get(recordKey("another", "0-0000"))).toBeDefined();
  });

  test("of a client's own id is not the first to go when others are, and keeps its record", async () => {
    const { migration } = order("a");
    const surplus = 250;
    for (let index = 0; index < surplus; index += 1) await put(order(`m-${index}`, "done"), `m-${index}`);
    for (let index = 0; index < ORDER_RECORDS_MAX; index += 1) {
      await store.transact([], [{ put: recordKey(migration, `m-${index}`), value: "{}" }]);
    }
    await run(() => Promise.resolve({ fine: true }));
    await put(order("a"), "a");
    await until("a", "done");
    await put(order("b"), "b");
    await until("b", "done");
    const ids = async (prefix: string): Promise<readonly string[]> =>
      (await store.list(prefix)).entries.map(({ key }) => key.slice(prefix.length));
    const records = recordKey(migration, "");
    for (let tries = 0; tries < 200 && (await ids(records)).length > ORDER_RECORDS_MAX; tries += 1)
      await systemClock.sleep(5);
    expect(await ids(ORDERS_PREFIX)).toEqual(expect.arrayContaining(["a", "b"]));
    expect((await ids(ORDERS_PREFIX)).length, "the oldest have gone").toBeLessThan(surplus);
    expect(await ids(records)).toEqual(expect.arrayContaining(["a", "b", "m-499"]));
    expect(await ids(records)).not.toContain("m-0");
  });

  /**
   * 1. Two controllers find the same order to be the oldest that has ended, and one deletes it.
   * 2. Its client sends another of the same id. 3. The second controller deletes.
   */
  test("that came again after it had ended and was deleted is not deleted with it", async () => {
    const [again, untouched] = [order("m-0"), order("m-1", "done")];
    for (let index = 0; index <= 200; index += 1) await put(order(`m-${index}`, "done"), `m-${index}`);
    let deletes = 0;
    loop = new OrderLoop({
      store: Object.assign(Object.create(store) as Store, {
        watch: (...args: Parameters<Store["watch"]>) => store.watch(...args),
        transact: async (...[conditions, writes]: Parameters<Store["transact"]>) => {
          deletes += 1;
          if (deletes === 1) await put(again, again.id);
          return await store.transact(conditions, writes);
        },
      }),
      ...{ clock: systemClock, log: silentLogger, metrics: noMetrics, accept: () => Promise.resolve(undefined) },
    });
    await loop.start();
    await systemClock.sleep(20);
    expect(await read(again.id)).toEqual(again);
    expect(await read(untouched.id)).toEqual(untouched);
    // One that nobody has sent again goes.
    await put(order("m-201", "done"), "m-201");
    await put(order("m-202", "done"), "m-202");
    for (let tries = 0; tries < 200 && (await store.get(`${ORDERS_PREFIX}m-1`)) !== undefined; tries += 1)
      await systemClock.sleep(5);
    expect(await store.get(`${ORDERS_PREFIX}m-1`)).toBeUndefined();
    expect(await read(again.id)).toEqual(again);
  });

  /**
   * 1. A controller reads which records are surplus: that of m-0 is the oldest. 2. Another order of that id ends elsewhere.
   * 3. The controller deletes what it has read.
   */
  test("whose id comes again leaves a record that is not deleted as the old one", async () => {
    const { migration } = order("a");
    const record = (index: number, value: string) =>
      store.transact([], [{ put: recordKey(migration, `m-${index}`), value }]);
    for (let index = 0; index < ORDER_RECORDS_MAX + 2; index += 1) await record(index, "old");
    const list: Store["list"] = async (prefix) => {
      const read = await store.list(prefix);
      await record(0, "new");
      return read;
    };
    await pruneRecords(
      Object.assign(Object.create(store) as Store, { list, transact: store.transact.bind(store) }),
      migration,
    );
    expect(await store.get(recordKey(migration, "m-0"))).toMatchObject({ value: "new" });
    expect(await store.get(recordKey(migration, "m-1"))).toBeUndefined();
  });

  test("is handled once, though its own answers come back through the watch", async () => {
    let times = 0;
    await run((_order, step) => {
      times += 1;
      step("looked");
      return Promise.resolve({ fine: true });
    });
    await put(order("a"), "a");
    const done = await until("a", "done");
    await systemClock.sleep(50);
    expect(times).toBe(1);
    expect(done).toMatchObject({ steps: ["looked"], result: { fine: true } });
  });

  test("that fails is answered with the code and exit code of its error", async () => {
    await run(() => Promise.reject(new SwitchyardError("MIGRATION_PHASE_REFUSED", { what: "not now" })));
    await put(order("a"), "a");
    const failed = await until("a", "failed");
    expect(failed.error).toMatchObject({ code: "MIGRATION_PHASE_REFUSED", exit: 3 });
  });

  test("left running by a leader that died is handled by the next", async () => {
    await put(order("a", "running"), "a");
    await run(() => Promise.resolve({}));
    await until("a", "done");
  });

  test("is not answered by a leader whose order was taken over meanwhile", async () => {
    await run(async () => {
      await put({ ...order("a", "running"), steps: ["by the successor"] }, "a");
      return { mine: true };
    });
    await put(order("a"), "a");
    await systemClock.sleep(100);
    expect(await read("a")).toMatchObject({ state: "running", steps: ["by the successor"] });
  });

  test("has steps that follow each other fast written together, and behind them: clients wait for a switch, not for its words", async () => {
    const seen: (readonly string[])[] = [];
    const tell = (events: readonly { readonly value?: string }[]): void => {
      for (const { value } of events) seen.push((JSON.parse(value ?? "{}") as OrderDocument).steps);
    };
    await store.watch(ORDERS_PREFIX, { reset: () => undefined, change: tell });
    const naps: (() => void)[] = [];
    const clock = { ...systemClock, sleep: () => new Promise<void>((wake) => naps.push(wake)) };
    const steps = ["hold", "drain", "fence", "swap"];
    const handle: Handle = async (_order, step) => {
      for (const text of steps) step(text);
      for (const wake of naps.splice(0)) wake();
      while (seen.length < 3) await systemClock.sleep(2);
      step("the last");
      return {};
    };
    loop = new OrderLoop({ store, clock, log: silentLogger, metrics: noMetrics, accept: accepting(handle) });
    await loop.start();
    await put(order("a"), "a");
    await until("a", "done");
    // Placed, taken, the steps at once, done.
    expect(seen).toEqual([[], [], steps, [...steps, "the last"]]);
  });

  test("of a newer format is left alone, and others go on", async () => {
    await run(() => Promise.resolve({}));
    await put({ ...order("new"), format: 2 }, "new");
    await put(order("old"), "old");
    await until("old", "done");
    expect(await read("new")).toMatchObject({ format: 2, state: "pending" });
  });

  /** The store, whose answers to the writes of orders are lost or refused as `fate` says of each. */
  const unreliable = (fate: (write: number) => "lost" | "away" | undefined): Store => {
    let writes = 0;
    return Object.assign(Object.create(store) as Store, {
      get: (key: string) => store.get(key),
      list: (prefix: string) => store.list(prefix),
      watch: (...args: Parameters<Store["watch"]>) => store.watch(...args),
      transact: async (...args: Parameters<Store["transact"]>) => {
        const happens = fate(++writes);
        if (happens === "away") throw new SwitchyardError("STORE_UNAVAILABLE", { what: "the store is away" });
        const result = await store.transact(...args);
        if (happens === "lost") throw new SwitchyardError("STORE_OUTCOME_UNKNOWN", { what: "no answer came" });
        return result;
      },
    });
  };

  test.each<readonly [string, (write: number) => "lost" | "away" | undefined]>([
    ["the answer to a step was lost", (write) => (write === 2 ? "lost" : undefined)],
    ["the answer to its end was lost", (write) => (write === 3 ? "lost" : undefined)],
    ["answers to a step and to its end were lost", (write) => (write === 2 || write === 3 ? "lost" : undefined)],
    ["the store was away at its end", (write) => (write >= 3 && write <= 5 ? "away" : undefined)],
  ])("is answered though %s: whoever waits would wait for ever", async (_, fate) => {
    await put(order("o1"), "o1");
    loop = new OrderLoop({
      store: unreliable(fate),
      clock: systemClock,
      log: silentLogger,
      metrics: noMetrics,
      accept: accepting(async (_order, step) => {
        step("half of it");
        await systemClock.sleep(30);
        return { ok: true };
      }),
      stepsQuietMs: 5,
    });
    await loop.start();
    const done = await until("o1", "done");
    expect(done).toMatchObject({ result: { ok: true }, steps: ["half of it"] });
    await systemClock.sleep(100);
    expect(await read("o1"), "and stays so").toEqual(done);
  });

  test("waits for the controller that it is for, and is offered again when that may be this one", async () => {
    let mine = false;
    const accept = accepting(() => Promise.resolve({}));
    const offered: string[] = [];
    loop = new OrderLoop({
      ...{ store, clock: systemClock, log: silentLogger, metrics: noMetrics },
      accept: async (found) => {
        offered.push(found.id);
        return mine ? await accept(found) : undefined;
      },
    });
    await loop.start();
    await put(order("a"), "a");
    await systemClock.sleep(30);
    loop.reconsider();
    await systemClock.sleep(10);
    expect(offered).toEqual(["a", "a"]);
    expect((await read("a")).state).toBe("pending");
    mine = true;
    loop.reconsider();
    await until("a", "done");
    loop.reconsider();
    await systemClock.sleep(10);
    expect(offered).toHaveLength(3);
  });

  test("is not answered by a controller that leads no more", async () => {
    await put(order("o1"), "o1");
    loop = new OrderLoop({
      store,
      clock: systemClock,
      log: silentLogger,
      metrics: noMetrics,
      accept: accepting(() => Promise.resolve({}), [{ key: "/switchyard/leader", revision: 77 }]),
    });
    await loop.start();
    await systemClock.sleep(50);
    expect((await read("o1")).state).toBe("pending");
  });
});
