import { SwitchyardError } from "../base/errors.ts";
import { parseTableKey, type TableName } from "../base/table-name.ts";
import { homeOf } from "../rules/rules-edits.ts";
import { attempt, type EndPorts, type EndReport, releaseClaims } from "./ends.ts";
import { guardsLeft, takeGuardsOff } from "./guard-removal.ts";
import { readMigration, readState, type SwitchState, updateMigration, withHistory } from "./journal.ts";
import type { MigrationDocument } from "./migration-document.ts";
import type { StreamHealth } from "./ports.ts";
import { startedHealth } from "./stream-starts.ts";
import { nextPhase } from "./transitions.ts";

export interface CompleteOptions {
  readonly migration: string;
  readonly who: string;
  readonly reason?: string;
  /** `keep` (the default) leaves them where they are, fenced against writes. */
  readonly oldTables: "keep" | "rename" | "drop";
  /** The way back is given up though the stream back is not healthy: the old home may be lost. */
  readonly force?: boolean;
}

/**
 * Gives up the way back: stops the reverse stream, ends the migration, and deals with the old home's tables.
 *
 * Repeating it finishes what an earlier call could not: only the first has anything to refuse. The rules stay: the
 * tables are at home on the target for good.
 *
 * By force it also goes on where a home cannot be reached, or another server has its address: what is left there is reported,
 * and is done when the call is repeated. Its tables stay claimed until then, so that no other migration has brought others
 * there that this one would drop; and no other server than the migration's own is ever changed.
 *
 * @throws {SwitchyardError} `CUTOVER_PHASE_REFUSED`, `CUTOVER_REVERSE_UNHEALTHY`, `CUTOVER_UNFINISHED`; nothing was
 *   changed then. `CUTOVER_SERVER_CHANGED`, `STREAM_TARGET_CHANGED`
 */
export async function complete(ports: EndPorts, options: CompleteOptions): Promise<EndReport> {
  const state = await readState(ports.store, options.migration);
  const { document } = state.migration;
  const first = document.phase !== "completed";
  nextPhase(document.id, document.phase, "completed");
  if (document.attempt !== undefined) throw unsettled(document);
  requireHomes(state);
  if (first && options.force !== true) await requireHealthy(ports, document);
  const unreached = { source: [] as string[], target: [] as string[] };
  const at = async (end: "source" | "target", what: string, work: () => Promise<unknown>): Promise<void> => {
    if (options.force === true) await attempt(unreached[end], `${what} on ${document[end]}`, work);
    else await work();
  };
  ports.progress("stop the reverse stream");
  await at("source", "the ledger of the reverse stream", () => ports.stream("reverse").stop());
  await ports.failpoint("complete-after-streams-stopped");
  if (first) await close(ports, options);
  await ports.failpoint("complete-after-journal");
  const left: string[] = [];
  await at("source", `the old tables (${options.oldTables})`, async () => {
    left.push(...(await settleOldTables(ports, options, document)));
  });
  await at("target", "guard triggers on the tables", async () => {
    left.push(...(await clearNewHome(ports, document)));
  });
  await ports.failpoint("complete-after-old-tables");
  ports.progress("remove the migration's rows from the sidecars");
  for (const end of ["source", "target"] as const) {
    const uuid = end === "source" ? document.sourceUuid : document.targetUuid;
    await at(end, "rows of the sidecar schema", () => ports.dropSidecarRows(document[end], uuid));
  }
  const { document: closed } = await readMigration(ports.store, options.migration);
  await ports.failpoint("complete-before-claims-released");
  await releaseClaims(ports, closed, [
    ...(unreached.source.length === 0 ? [closed.sourceUuid] : []),
    ...(unreached.target.length === 0 ? [closed.targetUuid] : []),
  ]);
  return {
    done: [`the tables are at home on ${document.target} for good`, "the reverse stream has ended"],
    left: [
      ...left,
      ...unreached.source,
      ...unreached.target,
      `rules for ${document.tables.length} tables, with their home on ${document.target}`,
    ],
  };
}

/** The last word on where the tables live has the rules; what is not at home on the target must not be given up. */
function requireHomes(state: SwitchState): void {
  const { document } = state.migration;
  const elsewhere = document.tables.filter((table) => homeOf(state.rules.document, table) !== document.target);
  if (elsewhere.length === 0) return;
  throw new SwitchyardError("CUTOVER_PHASE_REFUSED", {
    what: `migration "${document.id}" cannot complete: ${elsewhere.join(", ")} is not at home on ${document.target}`,
    changed: "Nothing was changed.",
    fix: "`switchyard rules show` has all routing.",
  });
}

async function requireHealthy(ports: EndPorts, document: MigrationDocument): Promise<void> {
  const health = await startedHealth(ports, "reverse", mayGetWell);
  if (health.state === "running" && health.retrying === undefined && health.drift === 0) return;
  throw new SwitchyardError("CUTOVER_REVERSE_UNHEALTHY", {
    what: `migration "${document.id}" cannot complete: the reverse stream is not healthy`,
    details: [
      `state ${health.state}${health.error === undefined ? "" : `: ${health.error}`}`,
      ...(health.retrying === undefined ? [] : [`it tries again after ${health.retrying}`]),
      `${health.drift} rows were not as expected`,
    ],
    changed: "Nothing was changed; the way back is kept.",
    fix: "`switchyard migration resume` starts a failed stream; a clean diff clears drift. If the old home is lost for good: --force with a --reason.",
  });
}

/** A controller that has just begun to lead has only begun to open its streams; a connection that was lost is made anew. */
function mayGetWell({ state, drift, retrying }: StreamHealth): boolean {
  const setBack = state === "running" && retrying !== undefined;
  return (state === "copying" || state === "catching-up" || setBack) && drift === 0;
}

async function close(ports: EndPorts, options: CompleteOptions): Promise<void> {
  await updateMigration(ports.store, options.migration, ports.leadership(), (document) => {
    if (document.attempt !== undefined) throw unsettled(document);
    const next = { ...document, phase: nextPhase(document.id, document.phase, "completed") };
    return withHistory(next, {
      at: ports.clock.now().toISOString(),
      who: options.who,
      what: `completed${options.force === true ? " by force" : ""}; old tables: ${options.oldTables}`,
      ...(options.reason === undefined ? {} : { reason: options.reason }),
    });
  });
}

async function settleOldTables(
  ports: EndPorts,
  options: CompleteOptions,
  document: MigrationDocument,
): Promise<readonly string[]> {
  const tables = document.tables.map(parseTableKey);
  if (options.oldTables === "keep") {
    return [`the old tables on ${document.source}, which refuse writes: ${document.tables.join(", ")}`];
  }
  ports.progress(`${options.oldTables} the old tables on ${document.source}`);
  // Another server under that name may have others' tables, in use, under these names.
  const session = await ports
    .home(document.source)
    .open({ takeOver: "kill-holder", serverUuid: document.sourceUuid, endDiffs: true });
  const token = document.fenceToken ?? ports.newToken();
  try {
    if (options.oldTables === "drop") {
      await session.dropTables(tables, token);
      return [];
    }
    const pairs = tables.map((from) => ({ from, to: retiredName(from) }));
    await session.renameTables(pairs, token);
    return [
      `the old tables on ${document.source}, renamed: ${pairs.map(({ to }) => `${to.schema}.${to.table}`).join(", ")}`,
    ];
  } finally {
    await session.close();
  }
}

const GUARDS_TIMEOUT_MS = 10_000;

/** Nothing of ours may stand on the tables when Switchyard's account goes: a trigger runs in its name. */
async function clearNewHome(ports: EndPorts, document: MigrationDocument): Promise<readonly string[]> {
  const session = await ports.home(document.target).open({ takeOver: "kill-holder", serverUuid: document.targetUuid });
  try {
    const token = document.fenceToken ?? ports.newToken();
    const gone = await takeGuardsOff(session, token, { clock: ports.clock, timeoutMs: GUARDS_TIMEOUT_MS });
    return gone ? [] : [guardsLeft(document.id, document.target)];
  } finally {
    await session.close();
  }
}

/** `_orders_moved`; shortened where the name would grow past what a server takes. */
export function retiredName(table: TableName): TableName {
  const suffix = "_moved";
  return { schema: table.schema, table: `_${table.table.slice(0, 64 - 1 - suffix.length)}${suffix}` };
}

function unsettled(document: MigrationDocument): SwitchyardError {
  return new SwitchyardError("CUTOVER_UNFINISHED", {
    what: `the last ${document.attempt?.kind ?? "switch"} of migration "${document.id}" is not finished yet`,
    changed: "Nothing was changed.",
    fix: "The controller that runs the migration goes on with it; `switchyard migration status` shows when it is done.",
  });
}
