import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import type { Store, StoreEntry, StoreEvent, WatchHandler } from "../../../src/store/store.ts";

/** A store made ready for one test, and what takes it away again. */
export interface StoreUnderTest {
  readonly store: Store;
  end(): Promise<void>;
}

/** Records what a watcher is told. */
export class Recorder implements WatchHandler {
  readonly resets: (readonly StoreEntry[])[] = [];
  readonly changes: (readonly StoreEvent[])[] = [];
  readonly reasons: string[] = [];

  reset(entries: readonly StoreEntry[]): void {
    this.resets.push(entries);
  }

  change(events: readonly StoreEvent[]): void {
    this.changes.push(events);
  }

  stale(reason: string): void {
    this.reasons.push(reason);
  }
}

/** Waits until `look` holds; fails after five seconds. */
export async function eventually(look: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (await look()) return;
    await systemClock.sleep(10);
  }
  throw new Error("did not come about within 5 s");
}

/** What every implementation of {@link Store} must keep, in the words of the interface. */
export function storeConformance(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name} keeps the contract of a store`, () => {
    let under: StoreUnderTest;
    let store: Store;

    beforeEach(async () => {
      under = await open();
      store = under.store;
    });

    afterEach(async () => {
      await under.end();
    });

    test("a key that was never written does not exist, and one that was has value and revision", async () => {
      expect(await store.get("/a")).toBeUndefined();
      const { succeeded, revision } = await store.transact([], [{ put: "/a", value: "1" }]);
      expect(succeeded).toBe(true);
      expect(await store.get("/a")).toEqual({ key: "/a", value: "1", revision });
    });

    test("lists exactly the keys of a prefix, in order", async () => {
      for (const key of ["/b/2", "/b/10", "/a", "/b/1", "/c", "/b"])
        await store.transact([], [{ put: key, value: key }]);
      await store.transact([], [{ delete: "/b/2" }]);
      const { entries, revision } = await store.list("/b/");
      expect(entries.map((entry) => entry.key)).toEqual(["/b/1", "/b/10"]);
      expect(revision).toBeGreaterThanOrEqual(Math.max(...entries.map((entry) => entry.revision)));
    });

    test("a transaction is made whole or not at all", async () => {
      const first = await store.transact([{ key: "/a", revision: 0 }], [{ put: "/a", value: "1" }]);
      const refused = await store.transact(
        [
          { key: "/a", revision: first.revision },
          { key: "/other", revision: 7 },
        ],
        [
          { put: "/a", value: "2" },
          { put: "/b", value: "2" },
        ],
      );
      expect(refused.succeeded).toBe(false);
      expect((await store.list("/")).entries.map(({ key, value }) => [key, value])).toEqual([["/a", "1"]]);
      const made = await store.transact(
        [{ key: "/a", revision: first.revision }],
        [
          { put: "/b", value: "3" },
          { put: "/c", value: "3" },
        ],
      );
      const revisions = (await store.list("/")).entries.map((entry) => entry.revision);
      expect(revisions).toEqual([first.revision, made.revision, made.revision]);
    });

    test("a condition on revision 0 refuses a key that exists, and holds again once it is deleted", async () => {
      await store.transact([], [{ put: "/a", value: "1" }]);
      const put = () => store.transact([{ key: "/a", revision: 0 }], [{ put: "/a", value: "2" }]);
      expect((await put()).succeeded).toBe(false);
      await store.transact([], [{ delete: "/a" }]);
      expect((await put()).succeeded).toBe(true);
    });

    test("no increment is lost between 20 that compare and swap at once", async () => {
      const increment = async (): Promise<void> => {
        for (;;) {
          const now = await store.get("/n");
          const value = String(Number(now?.value ?? 0) + 1);
          const { succeeded } = await store.transact(
            [{ key: "/n", revision: now?.revision ?? 0 }],
            [{ put: "/n", value }],
          );
          if (succeeded) return;
        }
      };
      await Promise.all(Array.from({ length: 20 }, increment));
      expect((await store.get("/n"))?.value).toBe("20");
    });

    test("a watch tells first what is there and then every change in order, one call a transaction", async () => {
      await store.transact([], [{ put: "/w/a", value: "0" }]);
      const seen = new Recorder();
      const watch = await store.watch("/w/", seen);
      expect(seen.resets.map((entries) => entries.map((entry) => entry.value))).toEqual([["0"]]);
      const writes = Array.from({ length: 200 }, (_, n) =>
        store.transact(
          [],
          [
            { put: "/w/a", value: String(n) },
            { put: "/w/b", value: String(n) },
            { put: "/x", value: "not watched" },
          ],
        ),
      );
      // Which of those that were sent at once came first is the store's to say, by the revision that it answers.
      const made = (await Promise.all(writes)).map(({ revision }, n) => ({ revision, n }));
      const inOrder = made.sort((a, b) => a.revision - b.revision).map(({ n }) => n);
      await store.transact([], [{ delete: "/w/b" }]);
      await eventually(() => seen.changes.length === 201);
      expect(seen.changes.slice(0, 200).map((events) => events.map((event) => event.value))).toEqual(
        inOrder.map((n) => [String(n), String(n)]),
      );
      expect(seen.changes[200]).toEqual([{ key: "/w/b", revision: expect.any(Number) }]);
      const revisions = seen.changes.flat().map((event) => event.revision);
      expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
      await watch.close();
      await store.transact([], [{ put: "/w/a", value: "after" }]);
      await store.get("/w/a");
      expect(seen.changes).toHaveLength(201);
    });

    test("a watcher that throws does not keep another from hearing", async () => {
      const seen = new Recorder();
      await store.watch("/w/", {
        reset: () => undefined,
        change: () => {
          throw new Error("a watcher's own defect");
        },
      });
      await store.watch("/w/", seen);
      await store.transact([], [{ put: "/w/a", value: "1" }]);
      await eventually(() => seen.changes.length === 1);
    });

    test("keys under a lease stay while it is kept alive, and vanish when it is revoked", async () => {
      const lease = await store.lease(200);
      await store.transact(
        [],
        [
          { put: "/l/1", value: "1", lease },
          { put: "/l/2", value: "1", lease },
          { put: "/other", value: "1" },
        ],
      );
      const firstConfirmed = lease.confirmedSentAtMs();
      await systemClock.sleep(700);
      expect((await store.list("/l/")).entries).toHaveLength(2);
      expect(lease.lost.aborted).toBe(false);
      expect(lease.confirmedSentAtMs()).toBeGreaterThan(firstConfirmed);
      expect(lease.confirmedSentAtMs()).toBeLessThanOrEqual(systemClock.monotonicMs());
      const seen = new Recorder();
      await store.watch("/l/", seen);
      await lease.revoke();
      await eventually(() => seen.changes.length > 0);
      expect(seen.changes.flat().map(({ key, value }) => [key, value])).toEqual([
        ["/l/1", undefined],
        ["/l/2", undefined],
      ]);
      expect((await store.list("/")).entries.map((entry) => entry.key)).toEqual(["/other"]);
    });

    test("a key written again without the lease, or under another, does not vanish with the first", async () => {
      const first = await store.lease(60_000);
      const second = await store.lease(60_000);
      for (const key of ["/a", "/b", "/c"]) await store.transact([], [{ put: key, value: "1", lease: first }]);
      await store.transact([], [{ put: "/a", value: "2" }]);
      await store.transact([], [{ put: "/b", value: "2", lease: second }]);
      await first.revoke();
      expect((await store.list("/")).entries.map((entry) => entry.key)).toEqual(["/a", "/b"]);
      await second.revoke();
      expect((await store.list("/")).entries.map((entry) => entry.key)).toEqual(["/a"]);
    });

    test("a write under a lease that has ended is refused whole", async () => {
      const lease = await store.lease(60_000);
      await lease.revoke();
      const write = store.transact(
        [],
        [
          { put: "/a", value: "1" },
          { put: "/b", value: "1", lease },
        ],
      );
      await expect(write).rejects.toMatchObject({ code: "STORE_LEASE_LOST" });
      expect((await store.list("/")).entries).toEqual([]);
    });

    test.each([
      ["129 writes", Array.from({ length: 129 }, (_, n) => ({ put: `/k${n}`, value: "" }))],
      ["the same key twice", [{ put: "/a", value: "1" }, { delete: "/a" }]],
      ["an empty key", [{ put: "", value: "1" }]],
      ["a key of 513 bytes", [{ put: "k".repeat(513), value: "1" }]],
      ["a value above one mebibyte", [{ put: "/a", value: "v".repeat(1024 * 1024 + 1) }]],
    ])("a transaction with %s is refused and changes nothing", async (_, writes) => {
      await expect(store.transact([], writes)).rejects.toMatchObject({ code: "STORE_REQUEST_INVALID" });
      expect((await store.list("/")).entries).toEqual([]);
    });

    test("a transaction has 128 conditions and 128 writes at most", async () => {
      const keys = Array.from({ length: 128 }, (_, n) => `/k${n}`);
      const conditions = keys.map((key) => ({ key, revision: 0 }));
      const writes = keys.map((key) => ({ put: key, value: "" }));
      expect((await store.transact(conditions, writes)).succeeded).toBe(true);
      expect((await store.list("/")).entries).toHaveLength(128);
      const more = [...conditions, { key: "/other", revision: 0 }];
      await expect(store.transact(more, writes)).rejects.toMatchObject({ code: "STORE_REQUEST_INVALID" });
    });

    test.each([[0], [99], [Number.NaN], [3_600_001]])("a lease of %d ms is refused", async (ttlMs) => {
      await expect(store.lease(ttlMs)).rejects.toMatchObject({ code: "STORE_REQUEST_INVALID" });
    });

    test("text of any kind comes back as it was", async () => {
      const value = 'line\nfeed " \\ \u0000 ü 🙂 \u2028';
      await store.transact([], [{ put: "/ü/🙂", value }]);
      expect(await store.get("/ü/🙂")).toMatchObject({ value });
      expect((await store.list("/ü")).entries).toHaveLength(1);
    });

    test("a store that was closed refuses everything as certainly not done", async () => {
      await store.close();
      for (const request of [
        () => store.get("/a"),
        () => store.list("/"),
        () => store.transact([], [{ put: "/a", value: "1" }]),
        () => store.watch("/", new Recorder()),
        () => store.lease(1000),
      ]) {
        await expect(request()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      }
    });
  });
}
