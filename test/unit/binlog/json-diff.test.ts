import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { COLUMN } from "../../../src/binlog/column-type.ts";
import { applyJsonDiffs, decodeJsonDiffs, type JsonDiff } from "../../../src/binlog/json-diff.ts";
import { parseJsonPath } from "../../../src/binlog/json-path.ts";
import { type JsonNode, jsonText, readJson } from "../../../src/binlog/json-value.ts";
import { writeJson } from "../../../src/binlog/json-writer.ts";
import { differencesStart, type RowImage, RowWalker, VALUE_NULL } from "../../../src/binlog/row-walker.ts";
import { wholeRows } from "../../../src/binlog/whole-rows.ts";
import { describeLog } from "../../support/decoded-lines.ts";

const LOG = join(import.meta.dirname, "../../golden/binlog/json-partial.binlog");

describe("partial updates of JSON values", () => {
  test("applied to the value before give the value before of the next update, which the server wrote whole", () => {
    // Each image before in this log is whole: it says what the differences of the update before it came to.
    const known = new Map<string, string>();
    let applied = 0;
    for (const { event } of describeLog(readFileSync(LOG))) {
      if (event.kind !== "rows" || event.table.table !== "parts" || event.operation !== "update") continue;
      const walker = new RowWalker(event);
      while (walker.next()) {
        const id = walker.before.buffer.readInt32LE(walker.before.starts[0]);
        for (const column of [1, 3, 4]) {
          const start = walker.before.starts[column] as number;
          const before: JsonNode | undefined =
            start < 0 ? undefined : readJson(walker.before.buffer, start, walker.before.ends[column] as number);
          const key = `${id} ${column}`;
          if (before !== undefined && known.has(key)) expect(jsonText(before)).toBe(known.get(key));
          const differences = differencesStart(walker.after, column);
          const whole = walker.after.starts[column] as number;
          if (differences !== undefined && before !== undefined) {
            const end = walker.after.ends[column] as number;
            known.set(key, jsonText(applyJsonDiffs(before, decodeJsonDiffs(walker.after.buffer, differences, end))));
            applied++;
          } else if (whole >= 0) {
            known.set(key, jsonText(readJson(walker.after.buffer, whole, walker.after.ends[column] as number)));
          } else known.delete(key);
        }
      }
    }
    expect(applied).toBeGreaterThan(25);
  });

  test("make whole rows, as the next update of the row shows them", () => {
    const known = new Map<string, string>();
    let made = 0;
    for (const { event } of describeLog(readFileSync(LOG))) {
      if (event.kind !== "rows" || event.table.table !== "parts" || event.operation !== "update") continue;
      const whole = wholeRows(event);
      if (whole === undefined) throw new Error("the log has all images before whole");
      const walker = new RowWalker(whole);
      while (walker.next()) {
        const before = shown(walker.before);
        expect(known.get(before[0] ?? "") ?? String(before)).toBe(String(before));
        expect(walker.after.starts.every((start) => start >= VALUE_NULL)).toBe(true);
        known.set(shown(walker.after)[0] ?? "", String(shown(walker.after)));
        made += event.partialJson ? 1 : 0;
      }
    }
    expect(made).toBeGreaterThan(15);
  });

  test("make no whole rows where the log has not the values before", () => {
    const events = describeLog(readFileSync(LOG.replace(".binlog", "-minimal.binlog"))).map(({ event }) => event);
    const partial = events.filter((event) => event.kind === "rows" && event.partialJson);
    expect(partial.length).toBeGreaterThan(0);
    expect(partial.map((event) => event.kind === "rows" && wholeRows(event))).toContain(undefined);
  });

  test("a value that is written has the bytes that the server gave it", () => {
    let values = 0;
    for (const { event } of describeLog(readFileSync(LOG))) {
      if (event.kind !== "rows" || event.operation !== "write") continue;
      const walker = new RowWalker(event);
      while (walker.next()) {
        for (const [i, { type }] of event.table.columns.entries()) {
          const start = walker.after.starts[i] as number;
          if (type !== COLUMN.JSON || start < 0) continue;
          const bytes = walker.after.buffer.subarray(start, walker.after.ends[i]);
          const written = writeJson(readJson(bytes, 0, bytes.length));
          expect(written.equals(bytes), jsonText(readJson(bytes, 0, bytes.length)).slice(0, 200)).toBe(true);
          values++;
        }
      }
    }
    expect(values).toBeGreaterThan(15);
  });

  /** The row's key, and its JSON values as text. */
  const shown = ({ buffer, starts, ends }: RowImage): string[] =>
    [0, 1, 3, 4].map((column) => {
      const start = starts[column] as number;
      if (start < 0) return "NULL";
      return column === 0
        ? String(buffer.readInt32LE(start))
        : jsonText(readJson(buffer, start, ends[column] as number));
    });

  const node = (value: unknown): JsonNode => {
    if (Array.isArray(value)) return { kind: "array", elements: value.map(node) };
    if (typeof value === "string") return { kind: "string", value };
    if (typeof value !== "object" || value === null) return { kind: "scalar", text: String(value) };
    return { kind: "object", members: Object.entries(value).map(([key, member]) => [key, node(member)]) };
  };
  const diff = (operation: JsonDiff["operation"], path: string, value?: unknown): JsonDiff => ({
    operation,
    path,
    value: value === undefined ? undefined : node(value),
  });

  test.each<[unknown, JsonDiff, string, string]>([
    [{ a: 1 }, diff("replace", "$", [2]), "[2]", "the whole value"],
    [[1, 2, 3], diff("replace", "$[last]", 9), "[1, 2, 9]", "the last element"],
    [[1, 2, 3], diff("remove", "$[last-2]"), "[2, 3]", "an element counted from the end"],
    [[1, 2], diff("insert", "$[7]", 3), "[1, 2, 3]", "an element beyond the end is appended"],
    [[1, 2], diff("insert", "$[0]", 3), "[3, 1, 2]", "an element in front"],
    [
      { b: 1, ccc: 1 },
      diff("insert", "$.aa", 3),
      '{"b": 1, "aa": 3, "ccc": 1}',
      "members are in order of their length",
    ],
    [{ b: 1 }, diff("insert", "$.a", 3), '{"a": 3, "b": 1}', "and then of their bytes"],
    [{ "a.b": [{ 'q"': 1 }] }, diff("replace", '$."a.b"[0]."q\\""', 2), '{"a.b": [{"q\\"": 2}]}', "names in quotes"],
    [{ a: { b: 1 } }, diff("replace", "$.a[0].b", 2), '{"a": {"b": 2}}', "the first element of what is no array"],
  ])("%j with %j is %s: %s", (before, change, after) => {
    expect(jsonText(applyJsonDiffs(node(before), [change]))).toBe(after);
  });

  test.each<[unknown, JsonDiff, string]>([
    [{ a: 1 }, diff("replace", "$.b", 1), "a member that is not there"],
    [{ a: 1 }, diff("insert", "$.a", 1), "a member that is there already"],
    [[1], diff("remove", "$[1]"), "an element that is not there"],
    [[1], diff("replace", "$.a", 1), "a member of an array"],
    [1, diff("insert", "$.a", 1), "a member of a number"],
    [{ a: 1 }, diff("remove", "$"), "the whole value"],
    [{ a: 1 }, diff("replace", "$.a"), "no value to put there"],
    [{ a: 1 }, diff("replace", "$.a.b.c", 1), "a way that does not go on"],
  ])("%j with %j is refused, as it has another value before: %s", (before, change) => {
    expect(() => applyJsonDiffs(node(before), [change])).toThrow("BINLOG_MALFORMED");
  });

  test.each([
    ["a"],
    ["$.*"],
    ["$**.a"],
    ["$[*]"],
    ["$[1 to 2]"],
    ["$."],
    ["$[99999999999999]"],
    ['$."a'],
    ["$x"],
    ['$."\\q"'],
  ])("a path that names no single place is refused: %s", (path) => {
    expect(() => parseJsonPath(path)).toThrow("BINLOG_MALFORMED");
  });
});
