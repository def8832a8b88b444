import { describe, expect, test } from "vitest";
import { type BulkTable, tableNamed } from "../../../bench/bulk/bulk-data.ts";
import { faultsOfReport, readChecksumReport } from "../../../bench/bulk/checksum-report.ts";
import { sysbenchRows } from "../../../bench/bulk/sysbench-rows.ts";

const HEAD = `Checking if all tables can be checksummed ...
Starting checksum ...
            TS ERRORS  DIFFS     ROWS  DIFF_ROWS  CHUNKS SKIPPED    TIME TABLE
`;
const FIRST = "11-29T06:07:15      0      0   100000          0       4       0   2.513 sbtest.sbtest1\n";
const SECOND = "11-29T06:07:18      0      0   100000          0       4       0  12.501 sbtest.sbtest2\n";
const { tables } = sysbenchRows({ tables: 2, rowsPerTable: 100_000 });

function faults(output: string, differing?: ReadonlyMap<string, number>, of: readonly BulkTable[] = tables): string {
  return faultsOfReport(readChecksumReport(output), of, differing).join("; ");
}

describe("a report of pt-table-checksum", () => {
  test("has no fault where each table was compared with all its rows", () => {
    expect(faults(HEAD + FIRST + SECOND)).toBe("");
    expect(readChecksumReport(HEAD + SECOND)).toEqual([
      { table: "sbtest.sbtest2", rows: 100_000, errors: 0, diffs: 0, skipped: 0 },
    ]);
  });

  test.each([
    ["of a table alone", HEAD + FIRST, "sbtest.sbtest2 is named 0 times"],
    ["of no table", HEAD, "sbtest.sbtest1 is named 0 times; sbtest.sbtest2 is named 0 times"],
    ["of a table twice", HEAD + FIRST + FIRST + SECOND, "sbtest.sbtest1 is named 2 times"],
    ["of another table", HEAD + FIRST + SECOND + SECOND.replace("sbtest2", "t"), "sbtest.t is none of the tables"],
    ["of fewer rows", HEAD + FIRST + SECOND.replace("100000", " 99999"), "sbtest.sbtest2 has 99999 of 100000 rows"],
    ["of an error", HEAD + FIRST.replace("0      0   100", "1      0   100") + SECOND, "1 errors"],
    ["of a difference", HEAD + FIRST.replace("0   100", "1   100") + SECOND, "1 differing chunks where there are 0"],
    ["of a chunk left out", HEAD + FIRST.replace("0   2.513", "3   2.513") + SECOND, "3 chunks left out"],
  ])("%s is at fault", (_, output, fault) => {
    expect(faults(output)).toContain(fault);
  });

  test("that does not see the row that was made to differ is at fault", () => {
    const differing = new Map(tables.slice(0, 1).map((table) => [tableNamed(table), 1]));
    expect(faults(HEAD + FIRST.replace("0   100", "1   100") + SECOND, differing)).toBe("");
    expect(faults(HEAD + FIRST + SECOND, differing)).toContain("0 differing chunks where there are 1");
  });
});
