import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** What a run leaves in the file that `SWITCHYARD_TEST_COUNTS` names. */
export interface RunResult extends Counts {
  /** The tests that failed; none where something failed that is no test. */
  readonly failures: readonly { readonly file: string; readonly test: string }[];
}

/**
 * Ends a run with one line that a script can count, alone on it: `N passed, N failed, N skipped`. Where a larger run
 * adds other checks and prints the line itself, the counts go to the file that it names instead.
 */
export default class PlainSummary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const counts = countTests(modules);
    counts.failed += errors.length;
    const file = process.env["SWITCHYARD_TEST_COUNTS"];
    if (file !== undefined)
      writeFileSync(file, JSON.stringify({ ...counts, failures: failuresOf(modules, counts) } satisfies RunResult));
    else process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
  }
}

function countTests(modules: readonly TestModule[]): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const module of modules) {
    let tests = 0;
    for (const test of module.children.allTests()) {
      const state = test.result().state;
      counts[state === "pending" ? "failed" : state]++;
      tests++;
    }
    // A file that does not load, or whose set-up fails, must not look like one without tests.
    if (module.state() === "failed" && (tests === 0 || module.errors().length > 0)) counts.failed++;
  }
  return counts;
}

function failuresOf(modules: readonly TestModule[], { failed }: Counts): RunResult["failures"] {
  const failures = modules.flatMap((module) =>
    [...module.children.allTests("failed")].map(({ fullName }) => ({ file: module.moduleId, test: fullName })),
  );
  return failures.length === failed ? failures : [];
}
