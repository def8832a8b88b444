import type { DiffSummary } from "../cutover/migration-document.ts";
import type { Surprises } from "./stream-keeper.ts";

/** Whether drift or DDL came between two looks. */
export function surprised(before: Surprises, now: Surprises): boolean {
  return now.drift > before.drift || now.ddl > before.ddl;
}

/**
 * The diffs that the gate of a switch may rely on once another has ended. One during which drift or DDL came is left
 * out, and takes the earlier one of its direction with it: what came may concern tables that it had compared already.
 *
 * @param withdrawn drift was written into the journal since the diff began: it may have been seen by a process before this one
 */
export function diffsAfter(
  diffs: readonly DiffSummary[],
  summary: DiffSummary,
  before: Surprises,
  now: Surprises,
  withdrawn = false,
): readonly DiffSummary[] {
  const others = diffs.filter(({ direction }) => direction !== summary.direction);
  return withdrawn || surprised(before, now) ? others : [...others, summary];
}
