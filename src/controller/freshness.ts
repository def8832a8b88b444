import type { DiffSummary, Direction, MigrationDocument, Refreshed } from "../cutover/migration-document.ts";
import { newestDiff } from "../cutover/newest-diff.ts";
import type { DiffReport } from "../diff/diff-report.ts";

/** A diff that found nothing, and whose rows can be compared again as they change. */
export type FreshSummary = DiffSummary & { readonly refreshed: Refreshed };

/** From where on a clean diff leaves rows to be compared again; undefined where it cannot tell. */
export function refreshedBy(
  { otherAt, verifiedAt, verifiedTime }: Pick<DiffReport, "otherAt" | "verifiedAt" | "verifiedTime">,
  direction: Direction,
): Refreshed | undefined {
  if (otherAt === undefined) return undefined;
  const [source, target] = direction === "forward" ? [verifiedAt, otherAt] : [otherAt, verifiedAt];
  return { source, target, time: verifiedTime };
}

/** The diff that is kept fresh: the newest, whichever way rows flowed then. */
export function freshSummary({ diffs }: Pick<MigrationDocument, "diffs">): FreshSummary | undefined {
  const newest = newestDiff(diffs);
  return newest?.differences === 0 && isRefreshed(newest) ? newest : undefined;
}

function isRefreshed(summary: DiffSummary): summary is FreshSummary {
  return summary.refreshed !== undefined;
}

/** The diff as it is once all that was changed up to `refreshed` is compared again. It is as old as what is oldest in it. */
export function refreshedTo(summary: DiffSummary, direction: Direction, refreshed: Refreshed): DiffSummary {
  const oldest = Object.values(refreshed.behind ?? {}).sort()[0];
  return {
    ...summary,
    direction,
    verifiedAt: direction === "forward" ? refreshed.source : refreshed.target,
    verifiedTime: oldest === undefined || oldest > refreshed.time ? refreshed.time : oldest,
    refreshed,
  };
}

/**
 * The journal with another summary in the place of one; undefined where that is not there any more, as after drift.
 * One of the direction that it is of now gives way to it.
 */
export function replaced(
  document: MigrationDocument,
  before: DiffSummary,
  after: DiffSummary,
): MigrationDocument | undefined {
  const isBefore = (one: DiffSummary): boolean =>
    one.direction === before.direction && one.finishedAt === before.finishedAt;
  if (!document.diffs.some(isBefore)) return undefined;
  const others = document.diffs.filter((one) => !isBefore(one) && one.direction !== after.direction);
  return { ...document, diffs: [...others, after] };
}
