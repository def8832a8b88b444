import { expect, test } from "vitest";
import { withFewerSamples } from "../../../src/controller/run-diff.ts";
import type { DiffReport } from "../../../src/diff/diff-report.ts";

test("a report of very wide rows still fits into the store, and its counts stay whole", () => {
  const sample = {
    table: "shop.t",
    key: { id: "1" },
    kind: "missing-on-target",
    source: { wide: "x".repeat(200_000) },
  };
  const report = { rows: 9, differences: 5, samples: Array.from({ length: 5 }, () => sample) } as unknown as DiffReport;
  const kept = withFewerSamples(report);
  expect(kept.samples).toHaveLength(2);
  expect(kept.differences).toBe(5);
  expect(Buffer.byteLength(JSON.stringify(kept))).toBeLessThan(1024 * 1024);
});
