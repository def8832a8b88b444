import { describe, expect, test } from "vitest";
import { type Gtid, GtidSet, GtidSetBuilder } from "../../../src/gtid/gtid-set.ts";
import { fc } from "../../support/seeded-properties.ts";

const A = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const B = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

/** Sets made of few sources and small numbers, so that overlaps, gaps and neighbours are common. */
const gtid: fc.Arbitrary<Gtid> = fc.record({
  uuid: fc.constantFrom(A, B),
  tag: fc.constantFrom("", "", "nightly", "z_1"),
  gno: fc.integer({ min: 1, max: 24 }),
});
const gtids = fc.array(gtid, { maxLength: 40 });

/** The oracle: a plain set of `uuid|tag|gno`. */
function model(list: readonly Gtid[]): Set<string> {
  return new Set(list.map((one) => `${one.uuid}|${one.tag}|${one.gno}`));
}

function flatten(set: GtidSet): Set<string> {
  const all = new Set<string>();
  for (const [key, intervals] of set.sources) {
    for (let i = 0; i < intervals.length; i += 2) {
      for (let gno = intervals[i] as number; gno <= (intervals[i + 1] as number); gno++) {
        all.add(`${key.slice(0, 36)}|${key.slice(37)}|${gno}`);
      }
    }
  }
  return all;
}

describe("operations on GTID sets agree with plain sets of transactions", () => {
  test("union, intersection and difference", () => {
    fc.assert(
      fc.property(gtids, gtids, (a, b) => {
        const [setA, setB, modelA, modelB] = [GtidSet.of(...a), GtidSet.of(...b), model(a), model(b)];
        expect(flatten(setA.union(setB))).toEqual(new Set([...modelA, ...modelB]));
        expect(flatten(setA.intersect(setB))).toEqual(new Set([...modelA].filter((one) => modelB.has(one))));
        expect(flatten(setA.subtract(setB))).toEqual(new Set([...modelA].filter((one) => !modelB.has(one))));
        expect(setA.contains(setB)).toBe([...modelB].every((one) => modelA.has(one)));
        expect(setA.count).toBe(modelA.size);
      }),
    );
  });

  test("membership, in sets and in builders, in whatever order transactions arrive", () => {
    fc.assert(
      fc.property(gtids, gtid, (a, one) => {
        const builder = new GtidSetBuilder();
        for (const each of a) builder.add(each.uuid, each.tag, each.gno);
        const expected = model(a).has(`${one.uuid}|${one.tag}|${one.gno}`);
        expect(builder.has(one.uuid, one.tag, one.gno)).toBe(expected);
        expect(builder.build().has(one)).toBe(expected);
        expect(flatten(builder.build())).toEqual(model(a));
      }),
    );
  });

  test("text and binary forms come back as the same set, and equal sets have equal texts", () => {
    fc.assert(
      fc.property(gtids, (a) => {
        const set = GtidSet.of(...a);
        expect(GtidSet.parse(set.toString()).toString()).toBe(set.toString());
        expect(GtidSet.decodeBinary(set.encodeBinary()).toString()).toBe(set.toString());
        expect(GtidSet.of(...a.toReversed()).toString()).toBe(set.toString());
      }),
    );
  });
});

describe("a set saved as a checkpoint", () => {
  test("does not change when a builder that was made from it goes on", () => {
    const saved = GtidSet.parse(`${A}:1-5`);
    const builder = new GtidSetBuilder(saved);
    builder.add(A, "", 6);
    const middle = builder.build();
    builder.add(A, "", 7);
    expect(saved.toString()).toBe(`${A}:1-5`);
    expect(middle.toString()).toBe(`${A}:1-6`);
  });
});

describe("text", () => {
  test.each([
    [`${A}:1-3:4-6`, `${A}:1-6`, "neighbouring intervals are one"],
    [`${A}:5,\n${A}:1-2`, `${A}:1-2:5`, "a source may come twice, as SHOW statements break lines"],
    [`${A.toUpperCase()}:7`, `${A}:7`, "UUIDs are compared in lower case"],
    [`${A}:1-5:Nightly:1-2:3`, `${A}:1-5:nightly:1-3`, "intervals after a tag belong to it"],
    [`${A}:nightly:2,${A}:1`, `${A}:1:nightly:2`, "untagged come before tagged of the same UUID"],
    [`${A.replaceAll("-", "")}:7,{${B}}:8`, `${A}:7,${B}:8`, "UUIDs may lack their dashes or stand in braces"],
    [`${A}:${"0".repeat(30)}7`, `${A}:7`, "zeros may lead"],
    [`${A}:1-9007199254740991`, `${A}:1-9007199254740991`, "the largest number that is held exactly"],
    [" ", "", "nothing is the empty set"],
  ])("%j is %j: %s", (text, canonical) => {
    expect(GtidSet.parse(text).toString()).toBe(canonical);
  });

  test.each([
    ["not-a-uuid:1", "no UUID"],
    [A, "no interval"],
    [`${A}:0`, "numbers begin at 1"],
    [`${A}:5-3`, "an interval that runs backwards"],
    [`${A}:tag`, "a tag without interval"],
    [`${A}:a:b:1`, "a tag without interval before another tag"],
    [`${A}:${"a".repeat(33)}:1`, "a tag of more than 32 characters"],
    [`{${A}:1`, "a brace that does not close"],
    [`${A.replace("-", "")}:1`, "a UUID with some of its dashes"],
    [`${A}:1-`, "half an interval"],
    [`${A}:9007199254740993`, "a number that a double cannot hold"],
    [`${A}:1;drop`, "anything else"],
  ])("%j is refused: %s", (text) => {
    expect(() => GtidSet.parse(text)).toThrow("GTID_SET_INVALID");
  });
});

describe("binary forms from the network", () => {
  test("have the exact bytes of the classic form, its end excluded", () => {
    expect(GtidSet.parse(`${A}:1-5`).encodeBinary().toString("hex")).toBe(
      `0100000000000000${A.replaceAll("-", "")}010000000000000001000000000000000600000000000000`,
    );
  });

  test("hold the largest number of the text form", () => {
    const set = GtidSet.parse(`${A}:9007199254740990-9007199254740991`);
    expect(GtidSet.decodeBinary(set.encodeBinary()).toString()).toBe(set.toString());
  });

  test("never make it allocate what they merely claim, or read past their end", () => {
    const valid = GtidSet.parse(`${A}:1-5:9,${B}:tag:7`).encodeBinary();
    for (let length = 0; length < valid.length; length++) {
      expect(() => GtidSet.decodeBinary(valid.subarray(0, length))).toThrow("GTID_SET_INVALID");
    }
    const claims = Buffer.from(GtidSet.parse(`${A}:1`).encodeBinary());
    claims.writeBigUInt64LE(0xffff_ffff_ffffn, 24);
    expect(() => GtidSet.decodeBinary(claims)).toThrow("GTID_SET_INVALID");
  });

  test("hold no tag that the text form could not: it would be read back as another set", () => {
    const valid = GtidSet.parse(`${A}:nightly:1`).encodeBinary().toString("latin1");
    for (const tag of ["nighTly", "night:1", "1nights", "night,y", "night\x00y"]) {
      const bytes = Buffer.from(valid.replace("nightly", tag), "latin1");
      expect(() => GtidSet.decodeBinary(bytes), tag).toThrow("GTID_SET_INVALID");
    }
  });

  test("of any content are read or refused, never worse", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        try {
          GtidSet.decodeBinary(Buffer.from(bytes));
        } catch (error) {
          expect(String(error)).toContain("GTID_SET_INVALID");
        }
      }),
    );
  });
});
