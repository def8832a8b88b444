import { describe, expect, test } from "vitest";
import {
  HISTORY_ENTRIES_MAX,
  migrationKey,
  parseMigration,
  readMigration,
  updateMigration,
  withHistory,
} from "../../../src/cutover/journal.ts";
import { LEADER_KEY } from "../../../src/rules/store-keys.ts";
import { migrationDocument, storeWith } from "./memory-store.ts";

const entry = (value: string): Parameters<typeof parseMigration>[0] => ({ key: migrationKey("m"), value, revision: 1 });

describe("the journal of a migration", () => {
  test.each([
    [JSON.stringify({ ...migrationDocument(), format: 4 }), "CUTOVER_FORMAT_NEWER", "a newer version wrote it"],
    [JSON.stringify({ ...migrationDocument(), format: "1" }), "CUTOVER_DOCUMENT_INVALID", "its format is no number"],
    ["{", "CUTOVER_DOCUMENT_INVALID", "it is cut short"],
    ["null", "CUTOVER_DOCUMENT_INVALID", "it is no object"],
    [JSON.stringify({ format: 1, id: "m" }), "CUTOVER_DOCUMENT_INVALID", "it has no phase"],
  ])("is refused, not guessed at: %s", (value, code) => {
    expect(() => parseMigration(entry(value))).toThrow(code);
  });

  test("of the format before mappings is read as one without", () => {
    const before = { ...migrationDocument(), format: 1 };
    expect(parseMigration(entry(JSON.stringify(before)))).toEqual({ ...before, format: 3, onDdl: "stop" });
  });

  test("names a migration that does not exist", async () => {
    const store = await storeWith();
    await expect(readMigration(store, "other")).rejects.toThrow(
      'CUTOVER_MIGRATION_UNKNOWN: there is no migration "other"',
    );
  });

  test("never grows past its bound, and never forgets how it began", () => {
    let document = migrationDocument();
    for (let index = 0; index < HISTORY_ENTRIES_MAX + 50; index += 1) {
      document = withHistory(document, { at: "", who: "x", what: `step ${index}` });
    }
    expect(document.history).toHaveLength(HISTORY_ENTRIES_MAX);
    expect(document.history[0]?.what).toBe("created");
    expect(document.history.at(-1)?.what).toBe(`step ${HISTORY_ENTRIES_MAX + 49}`);
  });

  test("keeps what two writers add at the same time", async () => {
    const store = await storeWith();
    const add = (what: string): Promise<unknown> =>
      updateMigration(store, "m", [], (document) => withHistory(document, { at: "", who: "x", what }));
    await Promise.all(Array.from({ length: 8 }, (_, index) => add(`entry ${index}`)));
    const { document } = await readMigration(store, "m");
    expect(new Set(document.history.map(({ what }) => what)).size).toBe(9);
  });

  test("is not written by a controller that leads no more", async () => {
    const store = await storeWith();
    const change = updateMigration(store, "m", [{ key: LEADER_KEY, revision: 77 }], (document) => ({
      ...document,
      phase: "switched",
    }));
    await expect(change).rejects.toMatchObject({ code: "CUTOVER_JOURNAL_CHANGED" });
    expect((await readMigration(store, "m")).document.phase).toBe("running");
  });
});
