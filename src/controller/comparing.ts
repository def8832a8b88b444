import { deferred } from "../base/deferred.ts";
import { SwitchyardError } from "../base/errors.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import type { MigrationRunner } from "./migration-runner.ts";

/** A diff or repair under way. */
export interface RunningDiff {
  readonly kind: "diff" | "repair";
  readonly abort: AbortController;
  progress: Readonly<Record<string, unknown>>;
  /** Resolves once it has ended: whether it has done all that it was to do. */
  readonly ended: Promise<"done" | "failed">;
}

/**
 * Runs a diff or a repair, of which a migration has one at a time. It moves the stream, as a switch does: neither begins while
 * the other is under way. The gate refuses the switch; what it is told of is set here at once with the look whether one has begun.
 *
 * @throws {SwitchyardError} `MIGRATION_BUSY`, and what `work` throws
 */
export async function whileComparing<T>(
  runner: MigrationRunner,
  kind: RunningDiff["kind"],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  requireNothingMoves(runner);
  const abort = new AbortController();
  const ended = deferred<"done" | "failed">();
  runner.diff = { kind, abort, progress: {}, ended: ended.promise };
  const release = await runner.freshener.hold();
  let how: "done" | "failed" = "failed";
  try {
    const result = await work(abort.signal);
    how = "done";
    return result;
  } finally {
    runner.diff = undefined;
    release();
    ended.resolve(how);
  }
}

function requireNothingMoves(runner: MigrationRunner): void {
  const { id, diff, document } = runner;
  runner.requireNotBusy();
  if (diff !== undefined) {
    throw new SwitchyardError("MIGRATION_BUSY", {
      what: `a ${diff.kind === "diff" ? "diff" : "repair"} of migration "${id}" is under way`,
      changed: "Nothing was changed.",
      fix: "`switchyard diff status` shows how far it is.",
    });
  }
  if (document.attempt !== undefined) {
    throw new SwitchyardError("MIGRATION_BUSY", {
      what: `a ${document.attempt.kind} of migration "${id}" is not settled yet`,
      changed: "Nothing was changed.",
      fix: "Wait until it is; `switchyard migration status` shows it.",
    });
  }
}

/**
 * Stops the diff or the repair under way, and resolves once it has ended: its order fails as stopped. What it has compared is kept
 * for `diff resume`, and what a repair has written stays.
 *
 * @throws {SwitchyardError} `DIFF_NOT_RUNNING`, also where it had done all by the time that it was told
 */
export async function orderDiffStop(
  runner: MigrationRunner,
  order: OrderDocument,
): Promise<Readonly<Record<string, unknown>>> {
  const { diff, id } = runner;
  if (diff === undefined) {
    throw new SwitchyardError("DIFF_NOT_RUNNING", {
      what: `no diff of migration "${id}" is under way`,
      changed: "Nothing was changed.",
      fix: `\`switchyard diff status ${id}\` shows the last one; rows that are compared again in the background are not a diff, and end with \`limits.diffRefreshSeconds: 0\`.`,
    });
  }
  const { kind } = diff;
  diff.abort.abort();
  if ((await diff.ended) === "done") {
    throw new SwitchyardError("DIFF_NOT_RUNNING", {
      what: `the ${kind} of migration "${id}" had come to its end before it could be stopped`,
      changed: "It was not stopped; what it has come to is kept.",
      fix: `\`switchyard diff status ${id}\` shows the last diff.`,
    });
  }
  const reason = order.reason === undefined ? {} : { reason: order.reason };
  await runner.record({ who: order.who, what: `${kind} stopped`, ...reason });
  return { stopped: true, kind, progress: diff.progress };
}
