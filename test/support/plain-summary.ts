import type { Reporter, TestModule } from "vitest/node";

/** Ends a run with one line that a script can count, alone on it: `N passed, N failed, N skipped`. */
export default class PlainSummary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: 0, skipped: 0 };
    for (const module of modules) {
      let tests = 0;
      for (const test of module.children.allTests()) {
        const state = test.result().state;
        if (state === "pending") count.failed++;
        else count[state]++;
        tests++;
      }
      // A file that does not load, or whose set-up fails, must not look like one without tests.
      if (module.state() === "failed" && (tests === 0 || module.errors().length > 0)) count.failed++;
    }
    count.failed += errors.length;
    process.stdout.write(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
  }
}
