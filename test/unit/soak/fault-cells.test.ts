import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FAILPOINTS } from "../../../src/base/failpoints.ts";
import { appendRecord, type CellRecord, matrixTable, readRecords, tally } from "../../soak/switch/cell-records.ts";
import { allCells, cellsFrom, matching, nameOf, nextCell, pending, SAME_AS, STEPS } from "../../soak/switch/cells.ts";

const record = (more: Partial<CellRecord>): CellRecord => ({
  cell: "after-gate/etcd/cut",
  kind: "switch",
  outcome: "switched",
  restMs: 1234,
  tookMs: 5000,
  answer: "",
  excused: 0,
  findings: [],
  at: "",
  ...more,
});

describe("the cells of the fault matrix", () => {
  test("leave out no named step of a switch but those that mean the same as another, which is run", () => {
    const named = FAILPOINTS.filter((point) => point.startsWith("switch-"));
    expect([...STEPS, ...Object.keys(SAME_AS)].sort()).toEqual([...named].sort());
    for (const { step, why } of Object.values(SAME_AS)) {
      expect(STEPS).toContain(step);
      expect(why).not.toBe("");
    }
    const cells = allCells();
    expect(cells).toHaveLength(STEPS.length * 5 * 3);
    expect(new Set(cells.map(nameOf)).size).toBe(cells.length);
  });

  test("are found by their names and by patterns, and nothing else is", () => {
    const all = allCells();
    for (const cell of all) expect(matching(nameOf(cell))).toEqual([cell]);
    expect(matching("*")).toEqual(all);
    expect(matching("switch-after-fence").map(nameOf)).toEqual(matching("after-fence/*/*").map(nameOf));
    expect(
      matching("after-fence/old-home/*")
        .map(({ fault }) => fault)
        .sort(),
    ).toEqual(["cut", "kill", "stop"]);
    for (const wrong of ["after-fense", "after-fence/source", "*/*/crash", "a/b/c/d", ""]) {
      expect(() => matching(wrong)).toThrow(/no cell is called/);
    }
    expect(() => matching("after-stray-check/etcd/cut")).toThrow(/the same as switch-before-swap/);
  });

  test("go on from a cell, and behind those that are done", () => {
    const all = allCells();
    const from = nameOf(all[7] as (typeof all)[number]);
    expect(cellsFrom(from)).toEqual(all.slice(7));
    expect(cellsFrom("after-gate").length).toBe(all.length);
    const done = all.slice(0, 3).map((cell) => ({ cell: nameOf(cell), kind: "switch" as const }));
    expect(pending(all, done, false)).toEqual(all.slice(3));
    const both = pending(all, done, true);
    expect(both).toHaveLength(all.length * 2 - 3);
    expect(both[0]).toEqual({ ...all[0], kind: "rollback" });
  });

  test("are taken in the way that the tables can go, and another only where none is left", () => {
    const [cell] = allCells();
    if (cell === undefined) throw new Error("there are cells");
    const there = { ...cell, kind: "switch" as const };
    const back = { ...cell, kind: "rollback" as const };
    expect(nextCell([there, back], "rollback")).toBe(back);
    expect(nextCell([cell, back], "rollback")).toBe(cell);
    expect(nextCell([there], "rollback")).toBe(there);
    expect(nextCell([], "rollback")).toBeUndefined();
  });

  test("before the swap and after it take turns", () => {
    const swap = STEPS.indexOf("switch-after-swap");
    const sweep = allCells().slice(0, STEPS.length);
    expect(sweep.slice(0, 4).map(({ step }) => STEPS.indexOf(step) >= swap)).toEqual([false, true, false, true]);
  });
});

describe("the records of cells", () => {
  test("are read again, the last of each cell and way, whatever a crash has left of the last line", () => {
    const folder = mkdtempSync(join(tmpdir(), "switchyard-cells-"));
    const file = join(folder, "deep", "progress.jsonl");
    expect(readRecords(file)).toEqual([]);
    const first = record({ outcome: "failed", findings: ["lost"] });
    const again = record({});
    const back = record({ kind: "rollback" });
    for (const one of [first, back, again]) appendRecord(file, one);
    appendFileSync(file, '{"cell":"after-g');
    expect(readRecords(file)).toEqual([again, back]);
    appendRecord(file, first);
    expect(readRecords(file)).toEqual([first, back]);
    rmSync(folder, { recursive: true });
  });

  test("make a table of every step, with those that are missing, and a line that counts them", () => {
    const records = [
      record({}),
      record({ kind: "rollback", outcome: "aborted", restMs: 900 }),
      record({ cell: "before-swap/new-home/cut", outcome: "failed", restMs: 99_000 }),
    ];
    const lines = matrixTable(records);
    expect(lines).toHaveLength(STEPS.length + 2);
    expect(lines.find((line) => line.startsWith("after-gate"))).toContain(">S1.2 <A0.9");
    expect(lines.find((line) => line.startsWith("before-swap"))?.trimEnd()).toMatch(/>FAIL$/);
    expect(tally(records)).toMatch(/^3 cells: 1 switched, 1 aborted, 1 failed; at rest .* 1\.2 s at most/);
    expect(tally([])).toMatch(/^0 cells/);
  });
});
