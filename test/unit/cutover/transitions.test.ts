import { describe, expect, test } from "vitest";
import { PHASES, type Phase } from "../../../src/cutover/phase.ts";
import { EVENTS, nextPhase, TRANSITIONS } from "../../../src/cutover/transitions.ts";

/**
 * The whole table once more, written down apart from the code: the phase that follows, `=` for none, `-` for refused.
 * Columns in the order of events: copy-started, copy-finished, caught-up; switch-armed, -committed, -aborted;
 * rollback-armed, -committed, -aborted; completed; cancelled.
 */
const GRID: Readonly<Record<Phase, string>> = {
  created: "copying - -  - - -  - - -  - cancelled",
  copying: "= catching-up -  - - -  - - -  - cancelled",
  "catching-up": "= = running  - - -  - - -  - cancelled",
  running: "= = =  switching - =  - = -  - cancelled",
  switching: "- - -  - switched running  - - -  - -",
  switched: "= = =  - = -  rolling-back - =  completed -",
  "rolling-back": "- - -  - - -  - running switched  - -",
  completed: "- - -  - - -  - - -  = -",
  cancelled: "- - -  - - -  - - -  - =",
};

describe("the table of phases and events", () => {
  const cells = PHASES.flatMap((phase) => {
    const row = GRID[phase].split(/\s+/);
    expect(row).toHaveLength(EVENTS.length);
    return EVENTS.map((event, index) => [phase, event, row[index] ?? ""] as const);
  });

  test.each(cells)("%s, %s: %s", (phase, event, expected) => {
    if (expected === "-") {
      expect(() => nextPhase("m", phase, event)).toThrow(/CUTOVER_PHASE_REFUSED.*migration "m" is in phase/s);
    } else {
      expect(nextPhase("m", phase, event)).toBe(expected === "=" ? phase : expected);
    }
  });

  test("gives a reason in every cell that leads nowhere", () => {
    for (const phase of PHASES) {
      for (const event of EVENTS) {
        const transition = TRANSITIONS[phase][event];
        if ("to" in transition) continue;
        expect("stay" in transition ? transition.stay : transition.refuse).toMatch(/\w+ \w+/);
      }
    }
  });

  test("leaves the two last phases by nothing", () => {
    for (const phase of ["completed", "cancelled"] as const) {
      for (const event of EVENTS) expect(TRANSITIONS[phase][event]).not.toHaveProperty("to");
    }
  });
});
