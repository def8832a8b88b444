import { describe, expect, test } from "vitest";
import { keptColumns, writtenColumns } from "../../../src/table/carried-columns.ts";
import { pairColumns } from "../../../src/table/column-pairs.ts";
import { mappedForeignKeys } from "../../../src/table/mapped-foreign-keys.ts";
import { describeMapping, parseMappings, type TableMapping } from "../../../src/table/table-mapping.ts";
import { type InfoRow, parseTableShape, type TableShape } from "../../../src/table/table-shape.ts";
import { fc } from "../../support/seeded-properties.ts";

const NAME = { schema: "s", table: "t" };

/** A column as `name type`, with `null`, `auto`, `computed` or `default` behind it, and the collation of a text. */
function column(text: string): InfoRow {
  const [name = "", type = "", ...facts] = text.split(" ");
  const textual = /^(?:char|varchar|enum|set|.*text)/.test(type);
  const collation = facts.find((fact) => fact.includes("_")) ?? (textual ? "utf8mb4_0900_ai_ci" : null);
  const length = Number(/\((\d+)/.exec(type)?.[1] ?? 0);
  const extra = facts.includes("auto") ? "auto_increment" : facts.includes("computed") ? "STORED GENERATED" : "";
  return {
    ...{
      name,
      data_type: type.replace(/\(.*/, ""),
      column_type: facts.includes("unsigned") ? `${type} unsigned` : type,
    },
    ...{ nullable: facts.includes("null") ? "YES" : "NO", collation, charset: collation?.split("_")[0] ?? null },
    ...{ extra, octets: textual ? String(length * 4) : null, dflt: facts.includes("default") ? "1" : null },
  };
}

/** Keys as `name: columns`, of which one may have its length, or be an expression, in brackets; the first is the primary one. */
function shape(columns: readonly string[], keys: readonly string[] = ["PRIMARY: id"]): TableShape {
  return parseTableShape(NAME, {
    table: [{ name: "t", engine: "InnoDB", collation: null, type: "BASE TABLE" }],
    columns: columns.map(column),
    keys: keys.flatMap((key) => {
      const [name = "", parts = ""] = key.split(": ");
      return parts.split(", ").map((part) => {
        const [, col = part, prefix] = /^(\w+)\((\d+)\)$/.exec(part) ?? [];
        const expression = part.startsWith("(") ? part : null;
        return {
          name,
          non_unique: "0",
          col: expression === null ? col : null,
          sub_part: prefix ?? null,
          expression,
          visible: "YES",
        };
      });
    }),
    foreignKeys: [],
  });
}

const problems = (source: TableShape, target: TableShape, mapping: TableMapping): readonly string[] =>
  pairColumns(source, target, mapping).problems;

describe("a mapping", () => {
  test("pairs what is renamed, leaves out what is added and dropped, and knows what the way back may not take", () => {
    const source = shape(["id int", "a int", "gone int default", "n varchar(5)"]);
    const target = shape(["more int null", "n varchar(9) null", "b bigint", "id int"]);
    const mapping = { rename: { A: "B" }, add: ["more"], drop: ["gone"], widen: ["a", "n"] };
    const { forward, backward, narrowings, problems: found } = pairColumns(source, target, mapping);
    expect(found).toEqual([]);
    expect(narrowings).toEqual([
      "a: numbers outside of -2147483648 to 2147483647",
      "n: values longer than varchar(5), or NULL",
    ]);
    expect(writtenColumns(forward).map(({ from, to }) => `${from.name} ${to.name}`)).toEqual(["id id", "a b", "n n"]);
    expect(keptColumns(forward).map(({ name }) => name)).toEqual(["more"]);
    expect(writtenColumns(backward).map(({ from, to }) => `${from.name} ${to.name}`)).toEqual(["n n", "b a", "id id"]);
    expect(keptColumns(backward).map(({ name }) => name)).toEqual(["gone"]);
    expect(backward.columns.filter(({ narrows }) => narrows).map(({ from }) => from)).toEqual([1, 2]);
  });

  const plain = ["id int", "a int"];
  test.each<readonly [why: string, source: TableShape, target: TableShape, mapping: TableMapping]>([
    ["a has no column a on the target", shape(plain), shape(["id int"]), {}],
    ["b is on the target alone", shape(plain), shape([...plain, "b int null"]), {}],
    ["there is no x on the source", shape(plain), shape(plain), { rename: { x: "a" } }],
    ["there is no x on the source", shape(plain), shape(plain), { widen: ["x"] }],
    ["there is no x on the target", shape(plain), shape(plain), { add: ["x"] }],
    ["a is dropped, and renamed or widened as well", shape(plain), shape(["id int"]), { drop: ["a"], widen: ["a"] }],
    [
      "c has no column b on the target",
      shape([...plain, "c int"]),
      shape(["id int", "b int"]),
      { rename: { a: "b", c: "b" } },
    ],
    [
      "b needs a default, or to take NULL: rows of the source",
      shape(plain),
      shape([...plain, "b int"]),
      { add: ["b"] },
    ],
    ["a needs a default, or to take NULL: rows that come back", shape(plain), shape(["id int"]), { drop: ["a"] }],
    ["b is an AUTO_INCREMENT column", shape(plain), shape([...plain, "b int auto"]), { add: ["b"] }],
    ["a: AUTO_INCREMENT is on one side alone", shape(plain), shape(["id int", "a int auto"]), {}],
    ["a: one side computes it", shape(plain), shape(["id int", "a int computed"]), {}],
    [
      "a: it is int NOT NULL and on the target bigint NOT NULL: say widen",
      shape(plain),
      shape(["id int", "a bigint"]),
      {},
    ],
    ["a: smallint does not take every number (int)", shape(plain), shape(["id int", "a smallint"]), { widen: ["a"] }],
    ["a: it may be NULL on the source", shape(["id int", "a int null"]), shape(plain), { widen: ["a"] }],
    ["the table has no key", shape(["a int null"], ["u: a"]), shape(["a int null"], ["u: a"]), {}],
    ["the key by which rows are told apart is (id), and another", shape(plain), shape(plain, ["PRIMARY: a"]), {}],
    [
      "the key by which rows are told apart is (id)",
      shape(["id int default", "a int"]),
      shape(["a int"], ["PRIMARY: a"]),
      { drop: ["id"] },
    ],
    ["id tells rows apart, and float is not widened", shape(["id float"]), shape(["id double"]), { widen: ["id"] }],
    ["unique key u of the target may refuse rows", shape(plain), shape(plain, ["PRIMARY: id", "u: a"]), {}],
    ["unique key u of the source may refuse rows", shape(plain, ["PRIMARY: id", "u: a"]), shape(plain), {}],
    [
      "unique key u of the target may refuse rows",
      shape(["id int", "a varchar(9)"], ["PRIMARY: id", "u: a"]),
      shape(["id int", "a varchar(9)"], ["PRIMARY: id", "u: a(3)"]),
      {},
    ],
    [
      "unique key u of the source may refuse rows",
      shape([...plain, "gone int default"], ["PRIMARY: id", "u: gone"]),
      shape(plain),
      { drop: ["gone"] },
    ],
    [
      "a is in a unique key, and has another collation",
      shape(["id int", "a varchar(9) utf8mb3_bin"], ["PRIMARY: id", "u: a"]),
      shape(["id int", "a varchar(9)"], ["PRIMARY: id", "u: a"]),
      { widen: ["a"] },
    ],
    [
      "unique key u of the target may refuse rows",
      shape(["id int", "a varchar(9)"], ["PRIMARY: id", "u: a(5)"]),
      shape(["id int", "a varchar(9)"], ["PRIMARY: id", "u: a(3)"]),
      {},
    ],
    [
      "unique key u of the target may refuse rows",
      shape(plain, ["PRIMARY: id", "u: (`a` + 1)"]),
      shape(plain, ["PRIMARY: id", "u: (`a` % 10)"]),
      {},
    ],
    [
      "unique key u of the target may refuse rows",
      shape([...plain, "b int"], ["PRIMARY: id", "u: (`a` % 10)"]),
      shape([...plain, "b int"], ["PRIMARY: id", "u: (`a` % 10)"]),
      { rename: { a: "b", b: "a" } },
    ],
    [
      "unique key u of the source may refuse rows",
      shape(["id int", "a float"], ["PRIMARY: id", "u: (round(`a`))"]),
      shape(["id int", "a double"], ["PRIMARY: id", "u: (round(`a`))"]),
      { widen: ["a"] },
    ],
    [
      "the primary key takes the beginning of a column",
      shape(["id varchar(9)"]),
      shape(["id varchar(9)"], ["PRIMARY: id(3)"]),
      {},
    ],
    [
      "unique key u of the target may refuse rows",
      shape(["id varchar(9)"], ["PRIMARY: id(5)"]),
      shape(["id varchar(9)"], ["PRIMARY: id(5)", "u: id(3)"]),
      {},
    ],
    [
      "a: it is enum('Open','shut') NOT NULL",
      shape(["id int", "a enum('Open','shut')"]),
      shape(["id int", "a enum('open','shut')"]),
      {},
    ],
  ])("is refused: %s", (why, source, target, mapping) => {
    expect(problems(source, target, mapping).join("\n")).toContain(why);
  });

  test("allows unique keys that the other side's imply, whatever they are called", () => {
    const source = shape([...plain, "gone int null"], ["PRIMARY: id", "u: a", "g: gone, a"]);
    const target = shape(["id int", "b int", "more int null"], ["PRIMARY: id", "other: b", "more: more, b"]);
    const paired = pairColumns(source, target, { rename: { a: "b" }, add: ["more"], drop: ["gone"] });
    expect(paired).toMatchObject({ problems: [], narrowings: [] });
  });

  test("allows the same lengths and expressions in unique keys, by columns that stay as they are", () => {
    const keys = ["PRIMARY: id(5)", "u: a(3)", "x: (lower(`a`)), id"];
    const source = shape(["id varchar(9)", "a varchar(9)", "b int"], keys);
    const target = shape(["c int", "a varchar(9)", "id varchar(9)"], keys);
    expect(problems(source, target, { rename: { b: "c" } })).toEqual([]);
  });

  test("says of unique keys with a column of one side alone that they may stop the stream once it has values", () => {
    const source = shape([...plain, "gone int null"], ["PRIMARY: id", "g: gone, a"]);
    const target = shape([...plain, "more int null"], ["PRIMARY: id", "m: more, a"]);
    const paired = pairColumns(source, target, { add: ["more"], drop: ["gone"] });
    expect(paired.problems).toEqual([]);
    expect(paired.narrowings).toEqual([
      "gone: values that rows have kept, where unique key g meets two alike",
      "more: values that are written there, where unique key m of the target meets two alike after a rollback",
    ]);
  });

  test("takes no offence at unique keys of such columns alone, in which no row ever changes", () => {
    const source = shape([...plain, "gone int null", "left int default"], ["PRIMARY: id", "g: gone", "h: left, gone"]);
    const paired = pairColumns(source, shape(plain), { drop: ["gone", "left"] });
    expect(paired).toMatchObject({ problems: [], narrowings: [] });
  });

  test("accounts for every column of whatever tables, once", () => {
    const names = fc.uniqueArray(fc.constantFrom("a", "B", "c", "d", "e"), { minLength: 1 });
    const some = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e", "x"), { maxLength: 3 });
    const rename = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom("a", "d", "E", "y"), { maxKeys: 2 });
    fc.assert(
      fc.property(names, names, rename, some, some, (mine, theirs, renames, add, drop) => {
        const of = (list: readonly string[]): TableShape =>
          shape(
            list.map((name) => `${name} int default`),
            [`PRIMARY: ${list[0]}`],
          );
        const [source, target] = [of(mine), of(theirs)];
        const { forward, backward, problems: found } = pairColumns(source, target, { rename: renames, add, drop });
        expect(new Set(forward.columns.map(({ from }) => from)).size).toBe(forward.columns.length);
        expect(new Set(forward.columns.map(({ to }) => to)).size).toBe(forward.columns.length);
        expect(backward.columns.map(({ from, to }) => `${to} ${from}`).sort()).toEqual(
          forward.columns.map(({ from, to }) => `${from} ${to}`).sort(),
        );
        if (found.length > 0) return;
        const left = (list: TableShape, paired: readonly number[], said: readonly string[]): readonly string[] =>
          list.columns
            .filter(({ name }, i) => !paired.includes(i) && !said.includes(name.toLowerCase()))
            .map(({ name }) => name);
        expect(
          left(
            source,
            forward.columns.map(({ from }) => from),
            drop,
          ),
        ).toEqual([]);
        expect(
          left(
            target,
            forward.columns.map(({ to }) => to),
            add,
          ),
        ).toEqual([]);
      }),
    );
  });
});

describe("foreign keys of a table with a mapping", () => {
  test("are the same by the names that the target has, on either end", () => {
    const key = { name: "f", references: NAME, onUpdate: "CASCADE", onDelete: "CASCADE" };
    const source = {
      ...shape(["id int", "parent int null"]),
      foreignKeys: [{ ...key, columns: ["parent"], referencedColumns: ["id"] }],
    };
    const target = {
      ...shape(["no int", "up int null"], ["PRIMARY: no"]),
      foreignKeys: [{ ...key, name: "g", columns: ["up"], referencedColumns: ["no"] }],
    };
    const mappings = { "s.t": { rename: { id: "no", parent: "up" } } };
    expect(mappedForeignKeys(source, target, mappings)).toEqual([]);
    expect(mappedForeignKeys(source, { ...target, foreignKeys: [] }, mappings)).toEqual([
      "foreign key f is on the source alone",
    ]);
    expect(mappedForeignKeys(source, target, {})).toEqual([
      "foreign key f is on the source alone",
      "foreign key g is on the target alone",
    ]);
  });
});

describe("what somebody has written as a mapping", () => {
  test("is kept as far as it says anything", () => {
    const said = { "s.t": { rename: { a: "b" }, add: [], widen: ["c"], allowNarrowing: true } };
    const kept = { rename: { a: "b" }, widen: ["c"], allowNarrowing: true };
    expect(parseMappings(said, ["s.t"])).toEqual({ "s.t": kept });
    expect(describeMapping(kept)).toBe("rename a → b; widen c; narrowing allowed on the way back");
  });

  test.each([
    [[], "mapping is no object"],
    [{ "s.other": {} }, "s.other, which is not among the tables"],
    [{ "s.t": { renames: {} } }, "mapping.s.t.renames is not one of"],
    [{ "s.t": { rename: { a: 1 } } }, "mapping.s.t.rename.a names no column"],
    [{ "s.t": { drop: "a" } }, "mapping.s.t.drop is no list of columns"],
    [{ "s.t": { add: [""] } }, "mapping.s.t.add names no column"],
    [{ "s.t": { allowNarrowing: "yes" } }, "mapping.s.t.allowNarrowing is neither true nor false"],
  ])("is refused: %j", (value, why) => {
    expect(() => parseMappings(value, ["s.t"])).toThrow(why);
  });
});
