import { describe, expect, test } from "vitest";
import { earlierRun, isFast, newRun, runOf, withoutDiffs, withRun } from "../../../src/controller/diff-run.ts";
import { diffsAfter } from "../../../src/controller/diff-verdict.ts";
import type { DiffSummary, MigrationDocument } from "../../../src/cutover/migration-document.ts";

const summary = (direction: "forward" | "reverse", finishedAt: string): DiffSummary => ({
  direction,
  finishedAt,
  verifiedAt: "",
  rows: 1,
  differences: 0,
});

describe("a diff that has ended", () => {
  const earlier = [summary("forward", "1"), summary("reverse", "1")];
  const none = { drift: 0, ddl: 0 };

  test("takes the place of the earlier one of its direction", () => {
    expect(diffsAfter(earlier, summary("forward", "2"), none, none)).toEqual([
      summary("reverse", "1"),
      summary("forward", "2"),
    ]);
  });

  test("counts though there had been drift before it began: it has looked at all that came of that", () => {
    const drifted = { drift: 3, ddl: 1 };
    expect(diffsAfter([], summary("forward", "2"), drifted, drifted)).toHaveLength(1);
  });

  test.each([
    [{ drift: 1, ddl: 0 }, "rows were not as expected"],
    [{ drift: 0, ddl: 1 }, "a table was altered"],
  ])("opens no gate when %j came while it ran: %s in tables that were compared already", (now, _why) => {
    expect(diffsAfter(earlier, summary("forward", "2"), none, now)).toEqual([summary("reverse", "1")]);
  });
});

test("a diff that the journal does not name any more opens no gate, though this process has seen no drift", () => {
  const none = { drift: 0, ddl: 0 };
  expect(diffsAfter([], summary("forward", "2"), none, none, true)).toEqual([]);
});

describe("a diff that was interrupted", () => {
  const wanted = { direction: "forward", readFrom: undefined, fast: false } as const;
  const begun = newRun({ generation: 3 }, { id: "o1" }, wanted);
  const document = { diffRun: begun, generation: 3, diffs: [] };
  const own = { id: "o1", options: {} };
  const resuming = { id: "o2", options: { resume: true } };
  const journal = document as unknown as MigrationDocument;

  test("is gone on with by the order that began it, in whatever process, and by one that asks for it", () => {
    expect(earlierRun(document, own, wanted)).toBe(begun);
    expect(earlierRun(document, resuming, wanted)).toBe(begun);
    expect(earlierRun(document, { id: "o2", options: {} }, wanted)).toBeUndefined();
  });

  test("is gone on with in the way in which it was begun: sums are never taken for bytes", () => {
    const summed = { ...wanted, fast: true };
    const asked = { id: "o1", options: { fast: true } };
    const fastOne = withRun(journal, begun, summed);
    expect(fastOne).toMatchObject({ fastRun: begun });
    expect(fastOne).not.toHaveProperty("diffRun");
    expect([isFast(fastOne, asked), isFast(fastOne, resuming), isFast(document, resuming)]).toEqual([
      true,
      true,
      false,
    ]);
    // An earlier version has begun a diff since, and does not know the other.
    expect(isFast({ ...fastOne, diffRun: begun }, resuming)).toBe(false);
    expect(earlierRun(fastOne, asked, summed)).toBe(begun);
    expect(earlierRun(fastOne, resuming, summed)).toBe(begun);
    expect(earlierRun(fastOne, own, wanted)).toBeUndefined();
    expect(earlierRun(document, asked, summed)).toBeUndefined();
    expect(withRun(fastOne, begun, wanted)).not.toHaveProperty("fastRun");
    expect(runOf(withoutDiffs(fastOne))).toBeUndefined();
  });

  test.each([
    [document, { ...wanted, direction: "reverse" as const }, "the other direction"],
    [document, { ...wanted, readFrom: "replica" }, "rows of another server"],
    [{ ...document, generation: 5 }, wanted, "the tables have moved and come back"],
    [withoutDiffs({ ...document } as unknown as MigrationDocument), wanted, "drift came, or another server"],
  ])("says nothing any more: %#", (now, asked, why) => {
    for (const order of [own, resuming]) expect(earlierRun(now, order, asked), why).toBeUndefined();
  });
});
