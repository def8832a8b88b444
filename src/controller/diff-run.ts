import { join } from "node:path";
import { SwitchyardError } from "../base/errors.ts";
import type { DiffRun, Direction, MigrationDocument } from "../cutover/migration-document.ts";
import type { OrderDocument } from "../cutover/order-document.ts";

/** What a diff is asked to compare. */
export interface WantedDiff {
  readonly direction: Direction;
  readonly readFrom: string | undefined;
}

/**
 * The diff that an order goes on with: its own, where another controller had begun it, or with `resume` that of an earlier
 * order. Undefined where what was kept no longer says anything of what is wanted.
 */
export function earlierRun(
  { diffRun, generation }: Pick<MigrationDocument, "diffRun" | "generation">,
  { id, options }: Pick<OrderDocument, "id" | "options">,
  { direction, readFrom }: WantedDiff,
): DiffRun | undefined {
  if (diffRun === undefined || (options["resume"] !== true && diffRun.id !== id)) return undefined;
  const same = diffRun.direction === direction && diffRun.generation === generation && diffRun.readFrom === readFrom;
  return same ? diffRun : undefined;
}

/** A diff that begins now. */
export function newRun(
  { generation }: Pick<MigrationDocument, "generation">,
  { id }: Pick<OrderDocument, "id">,
  { direction, readFrom }: WantedDiff,
): DiffRun {
  return { id, direction, generation, ...(readFrom === undefined ? {} : { readFrom }) };
}

/** No diff has proven anything any more, and none goes on from what it has kept: something came that none can have seen. */
export function withoutDiffs({ diffRun: _, ...document }: MigrationDocument): MigrationDocument {
  return { ...document, diffs: [] };
}

/** Where the differences of a migration's diffs are written, each in a directory of its own. */
export function differencesDirectory(dataDirectory: string, migration: string): string {
  return join(dataDirectory, "differences", migration);
}

/** @throws {SwitchyardError} `DIFF_STALE` */
export function nothingToResume(migration: string): SwitchyardError {
  return new SwitchyardError("DIFF_STALE", {
    what: `there is no diff of migration "${migration}" to go on with: the last one has ended, or was of another direction, or drift came since, or the tables have moved`,
    changed: "Nothing was changed.",
    fix: `\`switchyard diff start ${migration}\` begins one.`,
  });
}
