import { SwitchyardError } from "../base/errors.ts";
import type { Direction } from "../cutover/migration-document.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { runRepair } from "../diff/run-repair.ts";
import { RowRepairer } from "../replication/row-repairer.ts";
import { whileComparing } from "./comparing.ts";
import { dropFound, type FoundDifferences, readFound } from "./kept-diff.ts";
import type { MigrationRunner } from "./migration-runner.ts";
import { diffOptions, epochOf, requireRunning, untilClaimed } from "./run-diff.ts";

const HOUR_MS = 3_600_000;

/**
 * Writes the rows that the last diff found to differ from the home to the other side. The next diff has to prove it: the
 * journal still says what the last one found.
 *
 * @throws {SwitchyardError} `DIFF_STALE`, `MIGRATION_BUSY`, `MIGRATION_PHASE_REFUSED`, and those of a diff
 */
export async function orderRepair(
  runner: MigrationRunner,
  order: OrderDocument,
  step: (text: string) => void,
): Promise<Readonly<Record<string, unknown>>> {
  const dryRun = order.options["dryRun"] === true;
  const direction = requireRunning(runner);
  return await whileComparing(runner, "repair", async (signal) => {
    await untilClaimed(runner, direction, signal);
    const options = diffOptions(runner, direction, signal);
    const found = requireFresh(runner, direction, await readFound(options.other, runner.id, options.signal));
    const keys = found.tables.reduce((sum, table) => sum + table.keys.length, 0);
    step(
      `${dryRun ? "look at" : "repair"} ${keys} rows of "${options.other.name}" that are not those of "${options.home.name}"`,
    );
    const stream = { migration: runner.id, direction };
    const epoch = (): bigint => epochOf(runner.keepers[direction]);
    const port = await RowRepairer.open(options.other, stream, epoch, options.signal);
    try {
      const report = await runRepair({ ...options, differences: found.tables, dryRun, port });
      const complete = found.tables.every((table) => table.complete);
      if (!dryRun) {
        await dropFound(options.other, runner.id, found.run, options.signal);
        await finish(runner, order, report);
      }
      return { direction, complete, ...report };
    } finally {
      await port.close();
    }
  });
}

async function finish(
  runner: MigrationRunner,
  order: OrderDocument,
  done: { inserted: number; deleted: number; rewritten: number; equal: number; refused: number },
): Promise<void> {
  const { inserted, deleted, rewritten, equal, refused } = done;
  const result = `${inserted} inserted, ${deleted} deleted, ${rewritten} rewritten, ${equal} equal already, ${refused} refused`;
  const reason = order.reason === undefined ? {} : { reason: order.reason };
  await runner.record({ who: order.who, what: "repair of the rows that a diff found", result, ...reason });
}

function requireFresh(
  runner: MigrationRunner,
  direction: Direction,
  found: FoundDifferences | undefined,
): FoundDifferences {
  const { clock, limits } = runner.context;
  const why =
    found === undefined
      ? "the last diff found none, or has not ended, or they are repaired already"
      : found.direction !== direction
        ? `the last diff compared the ${found.direction} direction`
        : clock.now().getTime() - Date.parse(found.finishedAt) > limits.diffMaxAgeHours * HOUR_MS
          ? `the last diff is older than diffMaxAgeHours, ${limits.diffMaxAgeHours} h`
          : undefined;
  if (found !== undefined && why === undefined) return found;
  throw new SwitchyardError("DIFF_STALE", {
    what: `there is nothing to repair migration "${runner.id}" by: ${why}`,
    changed: "Nothing was changed.",
    fix: `Run \`switchyard diff start ${runner.id}\`, then repair what it finds.`,
  });
}
