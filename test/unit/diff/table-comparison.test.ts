import { describe, expect, test } from "vitest";
import { type ComparisonPlan, planComparison, type RowOrder } from "../../../src/diff/comparison-plan.ts";
import type { RowSource } from "../../../src/diff/row-source.ts";
import { SegmentCursor } from "../../../src/diff/segment-cursor.ts";
import { type ComparisonMarks, compareTable } from "../../../src/diff/table-comparison.ts";
import { parseTableShape, type TableShape } from "../../../src/table/table-shape.ts";
import { frame, PacketWriter } from "../../../src/wire/packet-writer.ts";
import { TextRow } from "../../../src/wire/text-row.ts";
import { fc } from "../../support/seeded-properties.ts";

type Row = readonly [key: string, value: string, ...more: string[]];

function shape(keyType: string, collation: string | null, keyed = true): TableShape {
  const column = (name: string, type: string) => ({
    name,
    data_type: type.split("(")[0] ?? type,
    column_type: type,
    nullable: "NO",
    charset: collation === null || name === "v" ? null : "utf8mb4",
    collation: name === "v" ? null : collation,
    extra: "",
    octets: "40",
    scale: null,
    digits: null,
  });
  return parseTableShape(
    { schema: "s", table: "t" },
    {
      table: [{ name: "t", engine: "InnoDB", collation, type: "BASE TABLE" }],
      columns: [column("k", keyType), column("v", "varchar(40)")],
      keys: keyed ? [{ name: "PRIMARY", non_unique: "0", col: "k", sub_part: null }] : [],
      foreignKeys: [],
    },
  );
}

const integerPlan = planComparison(shape("int", null), shape("int", null));
/** Its order is known to servers only. */
const textPlan = planComparison(shape("varchar(10)", "utf8mb4_0900_ai_ci"), shape("varchar(10)", "utf8mb4_0900_ai_ci"));

const contentPlan = planComparison(shape("int", null, false), shape("int", null, false));

/** Rows as packets, cut into runs at `cuts`, given at once or later. */
function source(rows: readonly Row[], cuts: readonly number[], late: boolean): RowSource {
  const ends = [...new Set([...cuts.map((cut) => cut % (rows.length + 1)), rows.length])].sort((a, b) => a - b);
  const runs: { bytes: Buffer; rows: number }[] = [];
  let from = 0;
  for (const end of ends) {
    const packets = rows.slice(from, end).map((row, index) => {
      const payload = row.reduce((writer, field) => writer.lenencBytes(field), new PacketWriter()).payload();
      return frame(payload, from + index + 4);
    });
    if (packets.length > 0) runs.push({ bytes: Buffer.concat(packets), rows: packets.length });
    from = end;
  }
  const cursor = new SegmentCursor();
  const load = (): boolean => {
    if (!cursor.spent) return true;
    const next = runs.shift();
    if (next !== undefined) cursor.load(next.bytes, next.rows);
    return next !== undefined;
  };
  return { cursor, fill: () => (late ? Promise.resolve().then(load) : load()), drain: () => Promise.resolve() };
}

interface Found {
  readonly homeOnly: string[];
  readonly otherOnly: string[];
  readonly different: string[];
  readonly keys: number;
}

async function compare(
  plan: ComparisonPlan,
  order: RowOrder,
  home: RowSource,
  other: RowSource,
  parkedRowsMax = 1_000_000,
  marks?: ComparisonMarks,
): Promise<Found | "lost-order"> {
  const found = { homeOnly: [] as string[], otherOnly: [] as string[], different: [] as string[] };
  const row = new TextRow(plan.fieldCount);
  const keyOf = (payload: Buffer): string => row.scan(payload).text(0) ?? "";
  const outcome = await compareTable({
    plan,
    order,
    home,
    other,
    listener: {
      homeOnly: (payload) => found.homeOnly.push(keyOf(payload)),
      otherOnly: (payload) => found.otherOnly.push(keyOf(payload)),
      different: (mine, theirs) => {
        expect(keyOf(mine)).toBe(keyOf(theirs));
        found.different.push(keyOf(mine));
      },
    },
    parkedRowsMax,
    parkedBytesMax: 2 ** 30,
    ...(marks === undefined ? {} : { marks }),
  });
  if (outcome.end === "lost-order") return "lost-order";
  for (const keys of Object.values(found)) keys.sort();
  return { ...found, keys: outcome.end === "complete" ? outcome.keys : 0 };
}

/** The same answer, from maps. */
function expected(home: readonly Row[], other: readonly Row[]): Found {
  const byKey = (rows: readonly Row[]) => new Map(rows.map(([key, value]) => [key, value]));
  const [mine, theirs] = [byKey(home), byKey(other)];
  return {
    homeOnly: [...mine.keys()].filter((key) => !theirs.has(key)).sort(),
    otherOnly: [...theirs.keys()].filter((key) => !mine.has(key)).sort(),
    different: [...mine]
      .filter(([key, value]) => theirs.has(key) && theirs.get(key) !== value)
      .map(([key]) => key)
      .sort(),
    keys: new Set([...mine.keys(), ...theirs.keys()]).size,
  };
}

const change = fc.constantFrom<"same" | "home" | "other" | "different" | "neither">(
  ...(["same", "same", "same", "same", "same", "home", "other", "different", "neither"] as const),
);
const cuts = fc.array(fc.nat(200), { maxLength: 12 });

function sides(changes: readonly string[], key: (index: number) => string): [Row[], Row[]] {
  const home: Row[] = [];
  const other: Row[] = [];
  for (const [index, kind] of changes.entries()) {
    const value = `value ${index % 13}`;
    if (kind === "same" || kind === "home" || kind === "different") home.push([key(index), value]);
    if (kind === "same" || kind === "other") other.push([key(index), value]);
    if (kind === "different") other.push([key(index), `${value.slice(0, -1)}!`]);
  }
  return [home, other];
}

describe("two tables that differ in any rows, cut into runs anywhere", () => {
  const changes = fc.array(change, { maxLength: 200 });

  test("are told apart exactly where the order of the keys is known", async () => {
    await fc.assert(
      fc.asyncProperty(changes, cuts, cuts, fc.boolean(), async (list, homeCuts, otherCuts, late) => {
        const [home, other] = sides(list, (index) => String(index * 3 - 100));
        const found = await compare(integerPlan, "key", source(home, homeCuts, late), source(other, otherCuts, !late));
        expect(found).toEqual(expected(home, other));
      }),
      { numRuns: 300 },
    );
  });

  test("and can be left behind any key, though no later one is on both sides", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 40 }), cuts, async (list, where) => {
        const [home, other] = sides(list, (index) => String(index * 3 - 50));
        const found = { homeOnly: [] as string[], otherOnly: [] as string[], different: [] as string[] };
        const passed: number[] = [];
        for (let isCut = true; isCut; ) {
          isCut = false;
          const through = passed.at(-1) ?? Number.NEGATIVE_INFINITY;
          const left = (rows: readonly Row[]) =>
            source(
              rows.filter(([key]) => Number(key) > through),
              where,
              false,
            );
          const marks: ComparisonMarks = {
            due: () => true,
            passed: ([key]) => {
              passed.push(Number(String(key)));
              isCut = true;
              return Promise.resolve(false);
            },
          };
          const piece = await compare(integerPlan, "key", left(home), left(other), 0, marks);
          if (piece === "lost-order") throw new Error(piece);
          for (const kind of ["homeOnly", "otherOnly", "different"] as const) found[kind].push(...piece[kind]);
        }
        const { keys, ...all } = expected(home, other);
        for (const names of Object.values(found)) names.sort();
        expect(found).toEqual(all);
        expect(passed).toHaveLength(keys);
      }),
      { numRuns: 100 },
    );
  });

  test("and where it is not, in an order that nobody here could guess", async () => {
    await fc.assert(
      fc.asyncProperty(changes, cuts, cuts, async (list, homeCuts, otherCuts) => {
        const [home, other] = sides(list, (index) => `k${(index * 7919) % 1009}`);
        const found = await compare(textPlan, "key", source(home, homeCuts, false), source(other, otherCuts, true));
        expect(found).toEqual(expected(home, other));
      }),
      { numRuns: 300 },
    );
  });

  test("and in the order of bytes", async () => {
    await fc.assert(
      fc.asyncProperty(changes, cuts, cuts, async (list, homeCuts, otherCuts) => {
        const [home, other] = sides(list, (index) => `k${(index * 7919) % 1009}`);
        for (const rows of [home, other]) rows.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        const found = await compare(
          textPlan,
          "bytes",
          source(home, homeCuts, false),
          source(other, otherCuts, true),
          0,
        );
        expect(found).toEqual(expected(home, other));
      }),
      { numRuns: 300 },
    );
  });
});

describe("tables without a key", () => {
  const lists = fc.array(fc.tuple(fc.nat(4).map(String), fc.constantFrom("a", "b")), { maxLength: 60 });
  /** As the plan has its rows: a third field, which is the digest in the order of bytes. */
  const given = (rows: readonly Row[], digest: boolean, where: readonly number[]): RowSource =>
    source(
      rows.map(([k, v]) => [k, v, digest ? k + v : ""]),
      where,
      false,
    );
  const counted = (rows: readonly Row[]): string => rows.map(String).toSorted().join(";");

  test("are equal in any order if they have as many of each row, and not otherwise", async () => {
    await fc.assert(
      fc.asyncProperty(lists, lists, fc.nat(3), cuts, async (rows, more, extra, where) => {
        const other = [...rows, ...more.slice(0, extra)].toSorted(([a, b], [c, d]) => (b + a < d + c ? -1 : 1));
        const found = await compare(contentPlan, "key", given(rows, false, where), given(other, false, where));
        expect(found !== "lost-order").toBe(counted(rows) === counted(other));
        if (found !== "lost-order") expect(found).toMatchObject({ homeOnly: [], otherOnly: [], keys: rows.length });
      }),
      { numRuns: 300 },
    );
  });

  test("lack in the order of their digests exactly as many rows as there are more on the other side", async () => {
    const byDigest = (rows: readonly Row[]): Row[] => rows.toSorted(([a, b], [c, d]) => (a + b < c + d ? -1 : 1));
    await fc.assert(
      fc.asyncProperty(lists, lists, cuts, async (home, other, where) => {
        const [mine, theirs] = [given(byDigest(home), true, where), given(byDigest(other), true, [])];
        const found = await compare(contentPlan, "bytes", mine, theirs, 0);
        const without = (from: readonly Row[], those: readonly Row[]): string[] => {
          const left = those.map(String);
          const single = from.filter((row) => {
            const at = left.indexOf(String(row));
            if (at >= 0) left.splice(at, 1);
            return at < 0;
          });
          return single.map(([k]) => k).toSorted();
        };
        expect(found).toMatchObject({
          homeOnly: without(home, other),
          otherOnly: without(other, home),
          different: [],
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe("a long run that one side lacks", () => {
  const rows = (from: number, to: number): Row[] =>
    Array.from({ length: to - from }, (_, index) => [`k${(from + index) * 3}`, "v"]);
  const all = rows(0, 10_000);

  test.each([
    ["the beginning", all, rows(4000, 10_000)],
    ["the middle", all, [...rows(0, 3000), ...rows(6000, 10_000)]],
    ["the end", all, rows(0, 5000)],
    ["everything", all, []],
  ] as const)("is found without setting much more aside: %s", async (_what, home, other) => {
    for (const [mine, theirs] of [[home, other] as const, [other, home] as const]) {
      const found = await compare(
        textPlan,
        "key",
        source(mine, [777, 2222], false),
        source(theirs, [100], false),
        16_000,
      );
      expect(found).toEqual(expected(mine, theirs));
    }
  });

  test("and that does not fit the bound is not guessed at", async () => {
    const found = await compare(textPlan, "key", source(all, [], false), source(rows(4000, 10_000), [], false), 1000);
    expect(found).toBe("lost-order");
  });
});

test("rows of several packets are compared whole", async () => {
  const long = "x".repeat(0xffffff + 10);
  const home: Row[] = [
    ["1", "a"],
    ["2", long],
    ["3", "c"],
  ];
  for (const [other, different] of [
    [home, []],
    [
      [
        ["1", "a"],
        ["2", `${long.slice(0, -1)}y`],
        ["3", "c"],
      ],
      ["2"],
    ],
    [
      [
        ["2", long],
        ["3", "d"],
      ],
      ["3"],
    ],
  ] as [Row[], string[]][]) {
    const found = await compare(integerPlan, "key", source(home, [], false), source(other, [1, 2], false));
    expect(found).toMatchObject({ different, homeOnly: other.length === 2 ? ["1"] : [], otherOnly: [] });
  }
});
