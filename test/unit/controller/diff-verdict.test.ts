import { describe, expect, test } from "vitest";
import { diffsAfter } from "../../../src/controller/diff-verdict.ts";
import type { DiffSummary } from "../../../src/cutover/migration-document.ts";

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
