import { describe, expect, test } from "vitest";
import { compareKeys, type Key, type KeyKind, keyPartText, parseKeyPart } from "../../../src/table/key-order.ts";
import { comparePosition, decodeBound, encodeBound, type KeyRange, RangeMap } from "../../../src/table/key-ranges.ts";
import { fc } from "../../support/seeded-properties.ts";

const bytes = (padded: boolean, fill = 0): KeyKind => ({ kind: "bytes", padded, fill, charset: "utf8mb4" });

describe("keys sort as the server sorts them", () => {
  test.each<[KeyKind, readonly string[]]>([
    [
      { kind: "integer" },
      ["-9223372036854775808", "-1", "0", "9007199254740992", "9007199254740993", "18446744073709551615"],
    ],
    [{ kind: "decimal", scale: 3 }, ["-10.500", "-0.001", "0.000", "0.010", "2.000", "10.000"]],
    [{ kind: "decimal", scale: 0 }, ["-12345678901234567890", "-1", "12345678901234567890"]],
    [{ kind: "date" }, ["0000-00-00", "1999-12-31", "2024-02-29"]],
    [{ kind: "time", digits: 1 }, ["-838:59:59.0", "-00:00:00.1", "00:00:00.0", "09:00:00.0", "100:00:00.0"]],
    [bytes(false), ["", "\0", "a", "a\0", "a ", "b", "\xff"]],
    [bytes(true), ["\t", "a\t", "a", "a!", "b"]],
    [bytes(false, 4), ["", "\0\0\0\x01", "A", "B"]],
  ])("%o: %o", (kind, sorted) => {
    const parts = sorted.map((text) => parseKeyPart(kind, text));
    for (const [i, a] of parts.entries()) {
      for (const [j, b] of parts.entries()) expect(Math.sign(compareKeys([kind], [a], [b]))).toBe(Math.sign(i - j));
    }
  });

  test("trailing spaces do not count where the collation pads", () => {
    expect(compareKeys([bytes(true)], ["a"], ["a   "])).toBe(0);
    expect(compareKeys([bytes(false)], ["a"], ["a   "])).toBeLessThan(0);
  });

  test("a decimal or a time comes back as the text it was", () => {
    for (const [kind, text] of [
      [{ kind: "decimal", scale: 3 }, "-0.001"],
      [{ kind: "decimal", scale: 3 }, "1234567890123456789.120"],
      [{ kind: "decimal", scale: 0 }, "-7"],
      [{ kind: "time", digits: 3 }, "-838:59:58.999"],
      [{ kind: "time", digits: 0 }, "01:02:03"],
    ] as const) {
      expect(keyPartText(kind, parseKeyPart(kind, text))).toBe(text);
    }
  });
});

/** Keys of two columns, as a composite primary key has them. */
const kinds: readonly KeyKind[] = [{ kind: "integer" }, bytes(true)];
const key = fc.tuple(fc.integer({ min: 0, max: 6 }), fc.constantFrom("", "a", "a ", "a\t", "ab", "b", "ž"));

describe("ranges from end to end cover every key once", () => {
  test("whatever the bounds are, full keys or beginnings of keys", () => {
    const bound: fc.Arbitrary<Key> = fc.oneof(key, fc.tuple(fc.integer({ min: 0, max: 6 })));
    fc.assert(
      fc.property(fc.array(bound, { maxLength: 6 }), key, (bounds, wanted) => {
        // A beginning of keys stands behind all keys that begin with it.
        const order = (a: Key, b: Key): number => compareKeys(kinds, a, b) || b.length - a.length;
        const sorted = bounds.toSorted(order).filter((one, i, all) => i === 0 || order(all[i - 1] as Key, one) !== 0);
        const ranges: KeyRange[] = [];
        let after: Key | undefined;
        for (const through of sorted) {
          ranges.push({ after, through });
          after = through;
        }
        ranges.push({ after, through: undefined });
        const holding = ranges.filter((range) => comparePosition(kinds, wanted, range) === 0);
        expect(holding).toHaveLength(1);
        const map = new RangeMap(
          kinds,
          ranges.map((range, value) => ({ ...range, value })),
        );
        expect(map.find(wanted)).toBe(ranges.indexOf(holding[0] as KeyRange));
        expect(map.gaps()).toEqual([]);
      }),
    );
  });

  test("gaps are exactly what the pieces leave out", () => {
    const places: readonly Key[] = [[0, "m"], [1], [2, "m"], [3], [4, "m"], [5]];
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }), key, (taken, wanted) => {
        const all: KeyRange[] = [...places, undefined].map((through, i) => ({
          after: i === 0 ? undefined : places[i - 1],
          through,
        }));
        const pieces = all.filter((_, i) => taken[i]).map((range) => ({ ...range, value: true }));
        const map = new RangeMap(kinds, pieces);
        const inGap = map.gaps().some((gap) => comparePosition(kinds, wanted, gap) === 0);
        expect(inGap).toBe(map.find(wanted) === undefined);
      }),
    );
  });

  test("bounds survive storage, whatever bytes they have", () => {
    fc.assert(
      fc.property(fc.integer(), fc.uint8Array({ maxLength: 12 }), (number, content) => {
        const bound = [number, Buffer.from(content).toString("latin1")];
        expect(decodeBound(kinds, encodeBound(kinds, bound))).toEqual(bound);
      }),
    );
    expect(decodeBound(kinds, encodeBound(kinds, undefined))).toBeUndefined();
  });
});
