import { describe, expect, test } from "vitest";
import { freshSummary, refreshedBy, refreshedTo, replaced } from "../../../src/controller/freshness.ts";
import type { DiffSummary, MigrationDocument, Refreshed } from "../../../src/cutover/migration-document.ts";

const ONE = "00000000-0000-0000-0000-000000000001:1-5";
const TWO = "00000000-0000-0000-0000-000000000002:1-7";
const refreshed: Refreshed = { source: ONE, target: TWO, time: "2026-01-02T00:00:00.000Z" };
const clean: DiffSummary = {
  direction: "forward",
  finishedAt: "2026-01-01T10:00:00.000Z",
  verifiedAt: ONE,
  verifiedTime: "2026-01-01T00:00:00.000Z",
  rows: 3,
  differences: 0,
  refreshed: { ...refreshed, time: "2026-01-01T00:00:00.000Z" },
};
const journal = (...diffs: DiffSummary[]): MigrationDocument => ({ diffs }) as unknown as MigrationDocument;

describe("a diff that is kept fresh", () => {
  test("is the newest one, if that was clean and can tell from where on rows are to be compared again", () => {
    const { refreshed: _, ...old } = clean;
    const later = "2026-01-03T00:00:00.000Z";
    expect(freshSummary(journal(clean))).toBe(clean);
    expect(freshSummary(journal(clean, { ...clean, direction: "reverse", finishedAt: later, differences: 1 }))).toBe(
      undefined,
    );
    expect(freshSummary(journal(clean, { ...old, direction: "reverse", finishedAt: later }))).toBe(undefined);
    expect(freshSummary(journal())).toBe(undefined);
  });

  test("keeps both servers' positions, by the ends of the migration, whichever way it was compared", () => {
    const report = { verifiedAt: ONE, verifiedTime: refreshed.time, otherAt: TWO };
    expect(refreshedBy(report, "forward")).toEqual(refreshed);
    expect(refreshedBy(report, "reverse")).toEqual({ ...refreshed, source: TWO, target: ONE });
    expect(refreshedBy({ verifiedAt: ONE, verifiedTime: "" }, "forward")).toBe(undefined);
  });

  test("is verified as of the home's position, and as old as the table that is behind", () => {
    expect(refreshedTo(clean, "reverse", refreshed)).toMatchObject({
      direction: "reverse",
      verifiedAt: TWO,
      verifiedTime: refreshed.time,
    });
    const behind = { "t.heap": "2026-01-01T12:00:00.000Z", "t.log": "2026-01-01T13:00:00.000Z" };
    expect(refreshedTo(clean, "forward", { ...refreshed, behind }).verifiedTime).toBe("2026-01-01T12:00:00.000Z");
  });

  test("is not put back where drift has taken it out of the journal, and takes the place of another of its new direction", () => {
    const after = refreshedTo(clean, "reverse", refreshed);
    expect(replaced(journal(), clean, after)).toBe(undefined);
    expect(replaced(journal({ ...clean, finishedAt: "2026-01-05T00:00:00.000Z" }), clean, after)).toBe(undefined);
    const reverse: DiffSummary = { ...clean, direction: "reverse", finishedAt: "2025-12-01T00:00:00.000Z" };
    expect(replaced(journal(reverse, clean), clean, after)?.diffs).toEqual([after]);
  });
});
