import { describe, expect, test } from "vitest";
import { FAILPOINTS } from "../../../src/base/failpoints.ts";
import { endsOf } from "../../../src/cutover/attempt.ts";
import { planLines, STEPS_AFTER_SWAP, STEPS_TO_SWAP } from "../../../src/cutover/steps.ts";
import { DEFAULT_SWITCH_LIMITS, FENCES, type FenceKind } from "../../../src/cutover/switch-options.ts";
import { migrationDocument } from "./memory-store.ts";

const options = { migration: "m", who: "ann", limits: DEFAULT_SWITCH_LIMITS };

describe("the plan of a switch", () => {
  test("is the list of steps that would run, with the gate before and the journal after", () => {
    const lines = planLines(endsOf(migrationDocument(), "switch"), { ...options, kind: "switch" });
    expect(lines).toHaveLength(STEPS_TO_SWAP.length + STEPS_AFTER_SWAP.length + 2);
    expect(lines).toContain("change the rules: the tables are at home on new");
    expect(lines.findIndex((line) => line.startsWith("lock the tables on old"))).toBeLessThan(
      lines.findIndex((line) => line.startsWith("let the forward stream apply")),
    );
  });

  test("of a rollback is the same with the ends exchanged", () => {
    const exchange = (line: string): string =>
      line.replaceAll(
        /\b(old|new|forward|reverse)\b/g,
        (word) => ({ old: "new", new: "old", forward: "reverse", reverse: "forward" })[word] ?? word,
      );
    const forth = planLines(endsOf(migrationDocument(), "switch"), { ...options, kind: "switch" });
    const back = planLines(endsOf(migrationDocument(), "rollback"), { ...options, kind: "rollback" });
    expect(back.map((line) => line.replace("the new", "the"))).toEqual(
      forth.map((line) => exchange(line).replace("the new", "the")),
    );
  });

  test("says how the old home is fenced, and what that lets through", () => {
    const about = (fence: FenceKind): readonly string[] =>
      planLines(endsOf(migrationDocument(), "switch"), { ...options, kind: "switch", fence }).filter(
        (line) => line.endsWith(`(${fence})`) || line.endsWith("by triggers"),
      );
    expect(FENCES.map(about)).toEqual([
      ["lock the tables on old itself (lock)", "refuse writes to the tables on old for good, by triggers"],
      [
        "lock the tables on old itself against writers, beside readers (lock-read)",
        "once readers on old have ended, lock them out as well; refuse writes to the tables on old for good, by triggers",
      ],
      [
        "let writes past the proxies go on at old, and lose those that come too late (none)",
        "lock the tables on old once nobody uses them; refuse writes to the tables on old for good, by triggers",
      ],
    ]);
  });

  test("says when what is open would be ended: early enough for the rest of the hold", () => {
    const limits = { ...DEFAULT_SWITCH_LIMITS, drainTimeoutMs: 10_000 };
    const how = { ...options, limits, kind: "switch", openTransactions: "kill" } as const;
    const lines = planLines(endsOf(migrationDocument(), "switch"), how);
    expect(lines).toContain("let open transactions end, for at most 2500 ms, then end them");
  });

  test("passes every failpoint of a switch", () => {
    const passed = [...STEPS_TO_SWAP, ...STEPS_AFTER_SWAP].flatMap(({ before, after }) => [before, after]);
    // The gate comes before the steps, and the retirement lies in the middle of one.
    const elsewhere = ["switch-after-gate", "switch-after-retirement"];
    const wanted = FAILPOINTS.filter((point) => point.startsWith("switch-") && !elsewhere.includes(point));
    expect(passed.filter((point) => point !== undefined)).toEqual(wanted);
  });
});
