import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import { JournalFile } from "../../../src/store/journal-file.ts";
import { encodeRecord, type JournalFormats, type JournalRecord } from "../../../src/store/journal-format.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "switchyard-journal-"));
});
afterEach(() => rm(directory, { recursive: true }));

const journal = (): string => join(directory, "store.journal");
const header = (format: unknown): Buffer =>
  encodeRecord({ header: { kind: "switchyard-store", format: format as number, revision: 3 } });
const entries = (value: string): JournalRecord => ({ entries: [{ key: "/a", value, revision: 3 }] });

/** A third form: each step marks the values that it has led on. */
const mark =
  (by: string) =>
  (record: JournalRecord): JournalRecord =>
    "entries" in record
      ? { entries: record.entries.map((entry) => ({ ...entry, value: `${entry.value}${by}` })) }
      : record;
const THIRD: JournalFormats = { present: 3, steps: { 1: mark(" second"), 2: mark(" third") } };

async function open(formats: JournalFormats): Promise<readonly JournalRecord[]> {
  const { journal: file, records } = await JournalFile.open(directory, silentLogger, formats);
  await file.close();
  return records;
}

async function writeFirst(): Promise<void> {
  const store = await EmbeddedStore.open({ directory, clock: systemClock, log: silentLogger, journalBytesMax: 1 });
  await store.transact([], [{ put: "/a", value: "x" }]);
  await store.close();
}

describe("a journal of an older format", () => {
  test("is led to the present one step by step, once, and is of that one on the disk", async () => {
    await writeFirst();
    const led = await open(THIRD);
    expect(JSON.stringify(led)).toContain("x second third");
    expect(await readFile(journal(), "latin1")).toMatch(
      /^[0-9a-f]{8} \{"header":\{"kind":"switchyard-store","format":3,/,
    );
    expect(await open(THIRD)).toEqual(led);
    expect(await readdir(directory)).not.toContain("store.journal.new");
    await expect(open({ present: 1, steps: {} })).rejects.toMatchObject({ code: "STORE_FORMAT_NEWER" });
  });

  test("of a middle format goes the rest of the way", async () => {
    await writeFile(journal(), Buffer.concat([header(2), encodeRecord(entries("y"))]));
    expect((await open(THIRD))[1]).toEqual(entries("y third"));
  });

  /*
   * 1. A process writes the journal beside itself in the present format, and is killed before the rename.
   * 2. The next start finds the old journal whole and half of another beside it.
   */
  test("whose change was cut is changed by the next start", async () => {
    await writeFirst();
    await writeFile(`${journal()}.new`, header(3).subarray(0, 20));
    expect(JSON.stringify(await open(THIRD))).toContain("x second third");
  });

  test("loses the torn end of a write that was never acknowledged, and nothing else", async () => {
    await writeFirst();
    await appendFile(journal(), encodeRecord(entries("torn")).subarray(0, 20));
    expect(JSON.stringify(await open(THIRD))).toContain("x second third");
    expect(await readFile(journal(), "latin1")).not.toContain("torn");
  });
});

describe("a header", () => {
  test.each([0, -1, 1.5, "1", null, undefined])("that names the format %s is damage, not a guess", async (format) => {
    await writeFile(journal(), Buffer.concat([header(format), encodeRecord(entries("x"))]));
    const before = await readFile(journal());
    await expect(open({ present: 1, steps: {} })).rejects.toThrow(/STORE_CORRUPT: .* no version writes format/);
    expect((await readFile(journal())).equals(before)).toBe(true);
  });
});
