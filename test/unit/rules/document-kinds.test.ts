import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { readCurrent } from "../../../src/rules/document-format.ts";
import { kindAt, STORED, upgradeDocuments } from "../../../src/rules/document-kinds.ts";
import * as storeKeys from "../../../src/rules/store-keys.ts";
import { storeWith } from "../cutover/memory-store.ts";

const SOURCE = resolve(import.meta.dirname, "../../../src");
const REMEDY =
  "give it an entry in STORED of src/rules/document-kinds.ts, read it by readCurrent with that kind, and write `format` into it";

const sources = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => ({ name, text: readFileSync(join(SOURCE, name), "utf8") }));
/** All that `store-keys.ts` exports, whatever it is. */
const exported: readonly (readonly [string, unknown])[] = Object.entries(storeKeys);
const places = exported.flatMap(([name, at]) => (typeof at === "string" && name !== "KEYS_ROOT" ? [[name, at]] : []));

/** A key at a place: itself, or one below it. */
const keyAt = (at: string): string => (at.endsWith("/") ? `${at}x` : at);

describe("every place in the store", () => {
  test.each(places as [string, string][])("has a kind of document: %s", (name, at) => {
    const stored = (STORED as Readonly<Record<string, { at: string; kind: object }>>)[name];
    expect(stored?.at, `${name} has no kind of document: ${REMEDY}`).toBe(at);
    expect(kindAt(keyAt(at)), "no other place hides it").toBe(stored?.kind);
  });

  test("is named in one file only", () => {
    const elsewhere = sources.filter(
      ({ name, text }) => name !== join("rules", "store-keys.ts") && /["`]\/switchyard\/[a-z]/.test(text),
    );
    expect(
      elsewhere.map(({ name }) => name),
      `a key is spelled outside of store-keys.ts: name it there, and ${REMEDY}`,
    ).toEqual([]);
  });

  test("is none beyond those", () => {
    expect(kindAt("/switchyard/elsewhere/x")).toBeUndefined();
    expect(kindAt("/switchyard/rules/x")).toBeUndefined();
  });
});

describe.each(Object.entries(STORED))("what is stored at %s", (_, { at, kind, life }) => {
  const newer = JSON.stringify({ format: kind.format + 1, id: "x" });

  test("is refused in the next format, in words that say which is read and what to do", () => {
    expect(() => readCurrent(kind, keyAt(at), newer)).toThrow(
      new RegExp(
        `^(STORE|CUTOVER)_FORMAT_NEWER: ${keyAt(at)} has format ${kind.format + 1}; this version reads up to ${kind.format}` +
          "\\nNothing was changed\\.\\nRun a version of Switchyard that is at least as new",
      ),
    );
  });

  test("is led from each older format to the present one without a gap", () => {
    const formats = Object.keys(kind.steps).map(Number);
    const first = Math.min(kind.format, ...formats);
    expect(formats).toEqual(Array.from({ length: kind.format - first }, (__, index) => first + index));
  });

  test(`${life === "kept" ? "keeps" : "does not keep"} this version from leading when it is of the next format`, async () => {
    const store = await storeWith();
    await store.transact([], [{ put: keyAt(at), value: newer }]);
    const before = await store.list(storeKeys.KEYS_ROOT);
    const upgraded = upgradeDocuments(store);
    if (life === "kept") await expect(upgraded).rejects.toThrow(/_FORMAT_NEWER/);
    else await upgraded;
    expect(await store.list(storeKeys.KEYS_ROOT)).toEqual(before);
  });
});
