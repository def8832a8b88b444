import { existsSync, rmSync } from "node:fs";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import { cancel } from "../cutover/cancel.ts";
import { complete } from "../cutover/complete.ts";
import type { EndPorts, EndReport } from "../cutover/ends.ts";
import { requireKnownServer } from "../cutover/known-server.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import type { DiffReport } from "../diff/diff-report.ts";
import { Connection } from "../mysql/connection.ts";
import { ERRNO, isMysqlError } from "../mysql/mysql-error.ts";
import { serverUuid } from "../replication/server-identity.ts";
import { dropSidecarRows } from "../replication/sidecar-format.ts";
import { DIFFS_PREFIX } from "../rules/store-keys.ts";
import { endpointOf } from "./controller-context.ts";
import { differencesDirectory } from "./diff-run.ts";
import { openHome } from "./homes.ts";
import type { MigrationRunner } from "./migration-runner.ts";
import { switchPorts } from "./switch-ports.ts";

type Report = Readonly<Record<string, unknown>>;

const OLD_TABLES = ["keep", "rename", "drop"] as const;

/** Gives up the way back: the tables stay at home on the target. Repeating it finishes what was left. */
export async function orderComplete(
  runner: MigrationRunner,
  order: OrderDocument,
  step: (text: string) => void,
): Promise<Report> {
  const wanted = order.options["oldTables"] ?? "keep";
  const oldTables = OLD_TABLES.find((choice) => choice === wanted);
  if (oldTables === undefined) {
    throw new SwitchyardError("MIGRATION_REQUEST_INVALID", {
      what: `--old-tables is "${String(wanted)}"; it can be ${OLD_TABLES.join(", ")}`,
      changed: "Nothing was changed.",
    });
  }
  return await runner.exclusively({ what: "completing", who: order.who }, async () => {
    const force = order.options["force"] === true;
    const options = { ...asked(order), oldTables, force };
    const report = await complete(endPorts(runner, step), options).catch((error: unknown) => {
      // The reverse stream may have ended before something failed: nothing else would begin the way back again.
      runner.openStreamAgain();
      throw error;
    });
    await runner.reload();
    return await withoutDifferences(runner, report);
  });
}

/** Gives the migration up while its tables are still at home on the source; works with one side down. */
export async function orderCancel(
  runner: MigrationRunner,
  order: OrderDocument,
  step: (text: string) => void,
): Promise<Report> {
  return await runner.exclusively({ what: "cancelling", who: order.who }, async () => {
    runner.diff?.abort.abort();
    const keepData = order.options["keepData"] === true;
    const report = await cancel(endPorts(runner, step), { ...asked(order), keepData });
    await runner.reload();
    return await withoutDifferences(runner, report);
  });
}

/** Removes the files of differences: they hold rows of tables that nobody compares any more. Those on other machines are named. */
async function withoutDifferences(runner: MigrationRunner, { done, left }: EndReport): Promise<Report> {
  const { context, id } = runner;
  const directory = differencesDirectory(context.dataDirectory, id);
  const report = await context.store.get(DIFFS_PREFIX + id);
  const written = (JSON.parse(report?.value ?? "{}") as Partial<DiffReport>).files?.directory;
  const elsewhere = written !== undefined && !existsSync(written);
  const isHere = existsSync(directory);
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    return { done, left: [...left, `files of differences in ${directory}: ${messageOf(error)}`] };
  }
  return {
    done: isHere ? [...done, `the files of differences in ${directory} are removed`] : done,
    left: elsewhere ? [...left, `files of differences in ${written} on the machine of another controller`] : left,
  };
}

function asked(order: OrderDocument): { migration: string; who: string; reason?: string } {
  const { migration, who, reason } = order;
  return { migration, who, ...(reason === undefined ? {} : { reason }) };
}

/** What the end of this migration works with; `step` hears each step. */
export function endPorts(runner: MigrationRunner, step: (text: string) => void): EndPorts {
  return {
    ...switchPorts(runner, step),
    limits: runner.context.limits,
    dropSidecarRows: async (backend, known) => {
      const connection = await Connection.connect(endpointOf(runner.context, backend));
      try {
        const home = openHome(runner.context, runner.document, backend);
        requireKnownServer(home, known, await serverUuid(connection));
        await dropSidecarRows(connection, runner.id);
      } catch (error) {
        // A server that this migration never wrote to has no sidecar.
        if (!isMysqlError(error, ERRNO.UNKNOWN_DATABASE, ERRNO.NO_SUCH_TABLE)) throw error;
      } finally {
        await connection.close();
      }
    },
  };
}
