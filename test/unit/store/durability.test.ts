import { spawn } from "node:child_process";
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import { encodeRecord } from "../../../src/store/journal-format.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "switchyard-store-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

const journal = (): string => join(directory, "store.journal");

function openStore(journalBytesMax?: number): Promise<EmbeddedStore> {
  return EmbeddedStore.open({
    directory,
    clock: systemClock,
    log: silentLogger,
    ...(journalBytesMax === undefined ? {} : { journalBytesMax }),
  });
}

async function withStore<T>(work: (store: EmbeddedStore) => Promise<T>): Promise<T> {
  const store = await openStore();
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

const values = (store: EmbeddedStore): Promise<(readonly [string, string])[]> =>
  store.list("/").then(({ entries }) => entries.map(({ key, value }) => [key, value] as const));

describe("a store that is opened again", () => {
  test("has every key with its revision, goes on counting, and has none that were under a lease", async () => {
    const before = await withStore(async (store) => {
      const lease = await store.lease(60_000);
      await store.transact([], [{ put: "/a", value: "1" }]);
      await store.transact(
        [],
        [
          { put: "/b", value: "2" },
          { put: "/leased", value: "3", lease },
        ],
      );
      await store.transact([], [{ put: "/was-durable", value: "4" }]);
      await store.transact([], [{ put: "/was-durable", value: "5", lease }]);
      await store.transact([], [{ put: "/was-leased", value: "6", lease }]);
      await store.transact([], [{ put: "/was-leased", value: "7" }]);
      await store.transact([], [{ put: "/gone", value: "8" }]);
      await store.transact([], [{ delete: "/gone" }]);
      return store.list("/");
    });
    await withStore(async (store) => {
      const expected = before.entries.filter(({ key }) => ["/a", "/b", "/was-leased"].includes(key));
      expect((await store.list("/")).entries).toEqual(expected);
      const { revision } = await store.transact([], [{ put: "/next", value: "" }]);
      expect(revision).toBeGreaterThan(before.revision);
    });
  });

  test("is the same after its journal was compacted, and the file is small", async () => {
    const store = await openStore(20_000);
    for (let n = 0; n < 2000; n++) await store.transact([], [{ put: `/k${n % 7}`, value: `${n} ${"x".repeat(100)}` }]);
    const before = await store.list("/");
    await store.close();
    expect((await stat(journal())).size).toBeLessThan(60_000);
    await withStore(async (again) => {
      expect(await again.list("/")).toEqual(before);
    });
  });

  test("refuses a second process, and this one again, with what to do", async () => {
    const store = await openStore();
    await expect(openStore()).rejects.toMatchObject({
      code: "STORE_LOCKED",
      message: expect.stringContaining("dataDirectory"),
    });
    await store.close();
    await withStore(async () => undefined);
  });
});

describe("a write that was cut off", () => {
  test("at any byte leaves the store as it was before it", async () => {
    await withStore((store) => store.transact([], [{ put: "/a", value: "1" }]));
    const whole = await readFile(journal());
    await withStore((store) => store.transact([], [{ put: "/a", value: "2" }]));
    const longer = await readFile(journal());
    for (let cut = whole.length; cut < longer.length; cut++) {
      await writeFile(journal(), longer.subarray(0, cut));
      expect(await withStore(values), `cut at byte ${cut} of ${longer.length}`).toEqual([["/a", "1"]]);
      expect((await readFile(journal())).equals(whole)).toBe(true);
    }
    await writeFile(journal(), longer);
    expect(await withStore(values)).toEqual([["/a", "2"]]);
  });

  test("with pages that never reached the disk (NUL bytes) leaves the store as it was before it", async () => {
    await withStore((store) => store.transact([], [{ put: "/a", value: "1" }]));
    const torn = encodeRecord({ batch: [{ revision: 9, changes: [["/a", "x".repeat(2000)]] }] });
    await appendFile(journal(), torn.fill(0, 512, 1024));
    expect(await withStore(values)).toEqual([["/a", "1"]]);
    await appendFile(journal(), Buffer.alloc(5000));
    expect(await withStore(values)).toEqual([["/a", "1"]]);
  });
});

describe("a journal that is damaged", () => {
  test("at any byte but in what was never acknowledged is an error that changes nothing", async () => {
    await withStore(async (store) => {
      for (let n = 0; n < 3; n++) await store.transact([], [{ put: "/a", value: String(n) }]);
    });
    const whole = await readFile(journal());
    for (let at = 0; at < whole.length - 1; at++) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x01;
      await writeFile(journal(), damaged);
      await expect(openStore(), `byte ${at}`).rejects.toMatchObject({ code: "STORE_CORRUPT" });
      expect((await readFile(journal())).equals(damaged)).toBe(true);
    }
  });

  test("or of a newer format, or of another kind, is refused by name", async () => {
    await writeFile(journal(), encodeRecord({ header: { kind: "switchyard-store", format: 2, revision: 0 } }));
    await expect(openStore()).rejects.toMatchObject({ code: "STORE_FORMAT_NEWER" });
    await writeFile(journal(), encodeRecord({ batch: [] }));
    await expect(openStore()).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    await writeFile(journal(), "not a journal\n");
    await expect(openStore()).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  });
});

describe("a store killed in the middle of writes", () => {
  /*
   * 1. A process writes two keys per transaction as fast as it can, compacting all the time, and says which
   *    transactions were acknowledged.
   * 2. It is killed with SIGKILL at a random moment.
   * 3. What is opened again holds every acknowledged transaction, and each transaction whole.
   */
  test("holds everything that it acknowledged, and no half transaction", { timeout: 60_000 }, async () => {
    let acknowledged = -1;
    for (let round = 0; round < 8; round++) {
      acknowledged = Math.max(acknowledged, await writeUntilKilled(20 + Math.random() * 150));
      await withStore(async (store) => {
        const left = Number((await store.get("/left"))?.value ?? -1);
        const right = Number((await store.get("/right"))?.value ?? -1);
        expect(left).toBe(right);
        expect(left).toBeGreaterThanOrEqual(acknowledged);
        acknowledged = left;
      });
    }
    expect(acknowledged).toBeGreaterThan(0);
  });

  /** Runs the writer until it has acknowledged something and `ms` have passed; returns the last acknowledged number. */
  function writeUntilKilled(ms: number): Promise<number> {
    const script = new URL("./store-writer.child.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, [script, directory], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (text: string) => {
      if (output === "") setTimeout(() => child.kill("SIGKILL"), ms);
      output += text;
    });
    return new Promise((resolve) => {
      child.on("close", () => {
        const whole = output.slice(0, output.lastIndexOf("\n"));
        resolve(Number(whole.split("\n").at(-1)));
      });
    });
  }
});
