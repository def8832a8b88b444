import { join } from "node:path";
import { SwitchyardError } from "../base/errors.ts";
import type { DiffRun, Direction, MigrationDocument } from "../cutover/migration-document.ts";
import type { OrderDocument } from "../cutover/order-document.ts";

/** What a diff is asked to compare. */
export interface WantedDiff {
  readonly direction: Direction;
  readonly readFrom: string | undefined;
  /** By sums of ranges. */
  readonly fast: boolean;
}

type Runs = Pick<MigrationDocument, "diffRun" | "fastRun">;

/** The diff that is under way, or could be gone on with. */
export function runOf({ diffRun, fastRun }: Runs): DiffRun | undefined {
  return diffRun ?? fastRun;
}

/**
 * Whether an order asks for a fast diff; one that goes on with another asks for what that was. A controller of an earlier version
 * leaves `fastRun` beside the diff that it has begun since.
 */
export function isFast({ diffRun, fastRun }: Runs, { options }: Pick<OrderDocument, "options">): boolean {
  return options["resume"] === true ? diffRun === undefined && fastRun !== undefined : options["fast"] === true;
}

/**
 * The diff that an order goes on with: its own, where another controller had begun it, or with `resume` that of an earlier
 * order. Undefined where what was kept no longer says anything of what is wanted.
 */
export function earlierRun(
  { diffRun, fastRun, generation }: Runs & Pick<MigrationDocument, "generation">,
  { id, options }: Pick<OrderDocument, "id" | "options">,
  { direction, readFrom, fast }: WantedDiff,
): DiffRun | undefined {
  const run = fast ? fastRun : diffRun;
  if (run === undefined || (options["resume"] !== true && run.id !== id)) return undefined;
  const same = run.direction === direction && run.generation === generation && run.readFrom === readFrom;
  return same ? run : undefined;
}

/** The journal while a diff is under way. */
export function withRun(document: MigrationDocument, run: DiffRun, { fast }: WantedDiff): MigrationDocument {
  return { ...withoutRun(document), ...(fast ? { fastRun: run } : { diffRun: run }) };
}

/** The journal once no diff is under way, and none can be gone on with. */
export function withoutRun({ diffRun: _, fastRun: __, ...document }: MigrationDocument): MigrationDocument {
  return document;
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
export function withoutDiffs(document: MigrationDocument): MigrationDocument {
  return { ...withoutRun(document), diffs: [] };
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
