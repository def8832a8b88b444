import type { DiffSummary } from "./migration-document.ts";

/** The diff of either direction that ended last: what it found holds whichever way rows flow. */
export function newestDiff(diffs: readonly DiffSummary[]): DiffSummary | undefined {
  return diffs.reduce<DiffSummary | undefined>(
    (newest, diff) =>
      newest === undefined || Date.parse(diff.finishedAt) >= Date.parse(newest.finishedAt) ? diff : newest,
    undefined,
  );
}
