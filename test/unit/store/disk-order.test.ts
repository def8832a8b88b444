import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { deferred } from "../../../src/base/deferred.ts";
import type { SwitchyardError } from "../../../src/base/errors.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import { fc } from "../../support/seeded-properties.ts";
import { Recorder } from "./conformance.ts";

let directory: string;
const failures: SwitchyardError[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "switchyard-store-"));
  failures.length = 0;
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true });
});

const openStore = (): Promise<EmbeddedStore> =>
  EmbeddedStore.open({
    directory,
    clock: systemClock,
    log: silentLogger,
    onFailure: (error) => failures.push(error),
    journalBytesMax: 2000,
  });

/** The prototype of all file handles, whose `datasync` the journal waits for. */
async function fileHandles(): Promise<FileHandle> {
  const handle = await open(join(directory, "probe"), "w");
  await handle.close();
  return Object.getPrototypeOf(handle) as FileHandle;
}

describe("a write that is not on the disk yet", () => {
  /*
   * 1. A switch is written; the disk takes its time.
   * 2. A proxy reads the rules. Were it told the new ones now and the machine died, the next start would serve the
   *    old ones: a statement would have gone to a home that never became one.
   */
  test("is seen by no reader and by no watcher, and shares its sync with those that came meanwhile", async () => {
    const store = await openStore();
    const seen = new Recorder();
    await store.watch("/", seen);
    const disk = deferred<void>();
    const sync = vi.spyOn(await fileHandles(), "datasync").mockImplementation(() => disk.promise);
    const told: string[] = [];
    const first = store.transact([], [{ put: "/rules", value: "new" }]).then(() => told.push("first"));
    await systemClock.sleep(10);
    const read = store.get("/rules").then((entry) => told.push(`read ${entry?.value}`));
    const list = store.list("/").then(({ entries }) => told.push(`list ${entries.length}`));
    const more = Array.from({ length: 20 }, (_, n) => store.transact([], [{ put: `/k${n}`, value: "" }]));
    await systemClock.sleep(30);
    expect([told, seen.changes]).toEqual([[], []]);
    disk.resolve();
    await Promise.all([first, read, list, ...more]);
    expect(told).toEqual(["first", "read new", "list 1"]);
    expect(seen.changes).toHaveLength(21);
    expect(sync).toHaveBeenCalledTimes(2);
    await store.close();
  });

  test("and will never be, because the disk fails: its outcome is unknown, and the store stops", async () => {
    const store = await openStore();
    await store.transact([], [{ put: "/rules", value: "old" }]);
    const seen = new Recorder();
    await store.watch("/", seen);
    const sync = vi.spyOn(await fileHandles(), "datasync").mockRejectedValue(new Error("ENOSPC: no space left"));
    const write = store.transact([], [{ put: "/rules", value: "new" }]);
    const read = store.get("/rules");
    await expect(write).rejects.toMatchObject({ code: "STORE_OUTCOME_UNKNOWN" });
    await expect(read).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await expect(store.get("/rules")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(failures.map((error) => error.message)).toEqual([expect.stringContaining("ENOSPC")]);
    expect([seen.changes.length, seen.reasons.length]).toEqual([0, 1]);
    sync.mockRestore();
    await store.close();
    const again = await openStore();
    expect(["old", "new"]).toContain((await again.get("/rules"))?.value);
    await again.close();
  });
});

test("a compaction that fails leaves the journal in use, and nothing is lost", async () => {
  const store = await openStore();
  const handles = await fileHandles();
  // The journal is written through the handle that is open; a compaction opens one of its own and syncs it first.
  const original = handles.datasync;
  let failing = 3;
  vi.spyOn(handles, "datasync").mockImplementation(function (this: FileHandle) {
    const compacting = new Error().stack?.includes("compact") ?? false;
    if (compacting && failing-- > 0) return Promise.reject(new Error("ENOSPC"));
    return original.call(this);
  });
  for (let n = 0; n < 200; n++) await store.transact([], [{ put: `/k${n % 5}`, value: `${n} ${"x".repeat(100)}` }]);
  const before = await store.list("/");
  await store.close();
  expect(failing).toBeLessThan(3);
  const again = await openStore();
  expect(await again.list("/")).toEqual(before);
  await again.close();
});

test("after any sequence of transactions, reopenings included, the store holds what a map would", async () => {
  const key = fc.constantFrom("/a", "/a/b", "/b", "/c");
  const write = fc.oneof(fc.record({ put: key, value: fc.string() }), fc.record({ delete: key }));
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.array(write, { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constant("reopen" as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      await rm(directory, { recursive: true });
      let store = await openStore();
      const model = new Map<string, string>();
      for (const one of steps) {
        if (one === "reopen") {
          await store.close();
          store = await openStore();
          continue;
        }
        const writes = [...new Map(one.map((each) => ["put" in each ? each.put : each.delete, each])).values()];
        await store.transact([], writes);
        for (const each of writes) {
          if ("put" in each) model.set(each.put, each.value);
          else model.delete(each.delete);
        }
        const { entries } = await store.list("/");
        expect(entries.map((entry) => [entry.key, entry.value])).toEqual(
          [...model].sort(([a], [b]) => (a < b ? -1 : 1)),
        );
      }
      await store.close();
    }),
    { numRuns: 40 },
  );
});
