import { SwitchyardError } from "../base/errors.ts";
import { parseTableKey } from "../base/table-name.ts";
import { homeOf } from "../rules/rules-edits.ts";
import { attempt, type EndPorts, type EndReport, releaseClaims } from "./ends.ts";
import { readState, type SwitchState, updateMigration, withHistory } from "./journal.ts";
import type { MigrationDocument } from "./migration-document.ts";
import { nextPhase } from "./transitions.ts";

export interface CancelOptions {
  readonly migration: string;
  readonly who: string;
  readonly reason?: string;
  /** Leaves the target tables that this migration created. */
  readonly keepData: boolean;
}

/**
 * Gives a migration up while its tables are at home on the source: stops its streams, drops the target tables that it
 * created, and releases its claims.
 *
 * A server that cannot be reached keeps nothing else from being done: what is left there is reported, stays in the
 * journal, and is cleared when the call is repeated. Its tables stay claimed until then, so that no other migration
 * creates tables that this one would drop. So it is with one whose address leads to another server, which is not touched.
 *
 * @throws {SwitchyardError} `CUTOVER_PHASE_REFUSED`; nothing was changed then
 */
export async function cancel(ports: EndPorts, options: CancelOptions): Promise<EndReport> {
  const state = await readState(ports.store, options.migration);
  const { document } = state.migration;
  nextPhase(document.id, document.phase, "cancelled");
  requireAtHome(state);
  if (document.phase !== "cancelled") await close(ports, options);
  await ports.failpoint("cancel-after-journal");
  const done: string[] = [];
  const left: string[] = [];
  ports.progress("stop the streams");
  for (const direction of ["forward", "reverse"] as const) {
    await attempt(left, `the ledger of the ${direction} stream is not closed`, () => ports.stream(direction).stop());
  }
  await ports.failpoint("cancel-after-streams-stopped");
  const cleared = await clearTarget(ports, options, document, done, left);
  await ports.failpoint("cancel-after-tables-dropped");
  for (const [backend, uuid] of [
    [document.source, document.sourceUuid],
    [document.target, document.targetUuid],
  ] as const) {
    const what = `rows of the sidecar schema on ${backend}`;
    await attempt(left, what, () => ports.dropSidecarRows(backend, uuid));
  }
  if (cleared) {
    await updateMigration(ports.store, options.migration, ports.leadership(), (now) => ({
      ...now,
      createdTables: [],
      createdSchemas: [],
    }));
    await ports.failpoint("cancel-before-claims-released");
    await releaseClaims(ports, document);
    done.push("the tables are free for other migrations");
  }
  return { done, left };
}

function requireAtHome(state: SwitchState): void {
  const { document } = state.migration;
  const moved = document.tables.filter((table) => homeOf(state.rules.document, table) === document.target);
  if (moved.length === 0 || document.source === document.target) return;
  throw new SwitchyardError("CUTOVER_PHASE_REFUSED", {
    what: `migration "${document.id}" cannot be cancelled: ${moved.join(", ")} is at home on ${document.target}`,
    changed: "Nothing was changed.",
    fix: "`switchyard rollback` first, or `complete`.",
  });
}

async function close(ports: EndPorts, options: CancelOptions): Promise<void> {
  await updateMigration(ports.store, options.migration, ports.leadership(), (document) => {
    const next = { ...document, phase: nextPhase(document.id, document.phase, "cancelled") };
    return withHistory(next, {
      at: ports.clock.now().toISOString(),
      who: options.who,
      what: options.keepData ? "cancelled; the copied tables are kept" : "cancelled",
      ...(options.reason === undefined ? {} : { reason: options.reason }),
    });
  });
}

/** @returns whether nothing is left to be done on the target */
async function clearTarget(
  ports: EndPorts,
  options: CancelOptions,
  document: MigrationDocument,
  done: string[],
  left: string[],
): Promise<boolean> {
  const created = document.createdTables;
  const work = async (): Promise<void> => {
    const session = await ports
      .home(document.target)
      .open({ takeOver: "kill-holder", serverUuid: document.targetUuid, endDiffs: true });
    try {
      const token = document.fenceToken ?? ports.newToken();
      if (options.keepData) {
        await session.dropFences(token);
        left.push(`tables on ${document.target}, as far as they were copied: ${document.tables.join(", ")}`);
        return;
      }
      const others = document.tables.filter((table) => !created.includes(table));
      await session.dropTables(created.map(parseTableKey), token);
      if (others.length > 0) await session.dropFences(token);
      const kept = await session.dropEmptySchemas(document.createdSchemas, token);
      if (created.length > 0) done.push(`dropped on ${document.target}: ${created.join(", ")}`);
      if (kept.length > 0) left.push(`schemas on ${document.target} that others use as well: ${kept.join(", ")}`);
      if (others.length > 0) left.push(`tables on ${document.target} that were there before: ${others.join(", ")}`);
    } finally {
      await session.close();
    }
  };
  ports.progress(
    options.keepData ? "leave the target's tables" : `drop the tables that were created on ${document.target}`,
  );
  return await attempt(left, `tables on ${document.target}: ${created.join(", ") || "none created"}`, work);
}
