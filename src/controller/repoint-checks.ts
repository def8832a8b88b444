import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import { parseTableKey } from "../base/table-name.ts";
import { readServerUuid } from "../cutover/home-queries.ts";
import type { MigrationDocument } from "../cutover/migration-document.ts";
import { describeElsewhere, ELSEWHERE_FIX, proxiesElsewhere } from "../cutover/proxy-servers.ts";
import { listOtherFormats, listProxies, OTHER_FORMAT_FIX } from "../cutover/proxy-view.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import { type AdminConnection, openAdmin } from "../mysql/admin-connection.ts";
import { runPreflight } from "../preflight/run-preflight.ts";
import type { AppliedHistory } from "../replication/ledger.ts";
import { inspectNewSource } from "../replication/new-source.ts";
import { type ControllerContext, endpointOf } from "./controller-context.ts";
import { openHome } from "./homes.ts";
import type { Repointing } from "./repoint-request.ts";

/** A server that has failed often does not answer at all. */
const FORMER_TIMEOUT_MS = 3000;
/** Reading a log from the last applied transactions on takes long where it is far ahead of them. */
const LOG_TIMEOUT_MS = 120_000;

/** Why a server cannot take the place, one after the other; empty where it can. */
export type Objections = string[];

/** What is known of the server that is replaced. */
export interface FormerServer {
  /** Undefined where it does not answer, or is the new one already. */
  readonly executed: GtidSet | undefined;
  readonly note: string | undefined;
}

/** `server_uuid` of the new server, which must be neither the other end nor still fed by the former. */
export async function inspectIdentity(
  connection: AdminConnection,
  other: string,
  change: Repointing,
  objections: Objections,
): Promise<string> {
  const uuid = await readServerUuid(connection);
  if (uuid === other) objections.push(`"${change.to}" is the migration's other server, ${change.other}`);
  const fed = await connection.rows(
    "SELECT c.CHANNEL_NAME channel FROM performance_schema.replication_connection_status c " +
      "LEFT JOIN performance_schema.replication_applier_status a ON a.CHANNEL_NAME = c.CHANNEL_NAME " +
      `WHERE c.SOURCE_UUID = '${change.formerUuid}' AND (c.SERVICE_STATE <> 'OFF' OR a.SERVICE_STATE <> 'OFF')`,
  );
  if (fed.length > 0 && uuid !== change.formerUuid) {
    objections.push(
      `"${change.to}" still replicates from the server that it would replace (server_uuid ${change.formerUuid}): ` +
        "when it has applied all that it has received, STOP REPLICA; RESET REPLICA ALL; on it",
    );
  }
  return uuid;
}

/** Whether the former server, where it still answers, has nothing more and takes no more. */
export async function inspectFormer(
  context: Pick<ControllerContext, "backends">,
  change: Repointing,
  objections: Objections,
): Promise<FormerServer> {
  if (change.from === change.to) return unasked(change, `"${change.to}" leads to the new one now`);
  let connection: AdminConnection | undefined;
  try {
    connection = await openAdmin(endpointOf(context, change.from), { connectTimeoutMs: FORMER_TIMEOUT_MS });
    const [row] = await connection.rows(
      "SELECT @@global.server_uuid AS uuid, @@global.super_read_only AS closed, @@global.gtid_executed AS executed",
    );
    if (row?.["uuid"] !== change.formerUuid) return unasked(change, `"${change.from}" leads to another server`);
    if (row["closed"] !== "1") {
      objections.push(
        `"${change.from}" answers and still takes writes, which would be lost: SET GLOBAL super_read_only=ON; on it, or end it`,
      );
    }
    return { executed: GtidSet.parse(row["executed"] ?? ""), note: undefined };
  } catch (error) {
    if (!isSwitchyardError(error)) throw error;
    const why = messageOf(error).split("\n")[0] ?? "";
    return unasked(change, `"${change.from}": ${why}`);
  } finally {
    await connection?.close();
  }
}

/** Nothing is known of it: whoever gave the order has to see to it. */
function unasked({ formerUuid }: Repointing, why: string): FormerServer {
  return {
    executed: undefined,
    note:
      `the former server (server_uuid ${formerUuid}) could not be asked (${why}); make sure that it takes no writes, ` +
      "also where it comes back",
  };
}

/** The new server has all that the former, where it answers, and the stream have. */
function compareHistories(
  change: Repointing,
  { missing, errant }: { readonly missing: GtidSet; readonly errant: GtidSet },
  objections: Objections,
): void {
  if (missing.isEmpty && errant.isEmpty) return;
  objections.push(
    [
      `the history of "${change.to}" is another one than that of "${change.from}"`,
      `  missing there  ${missing.isEmpty ? "nothing" : missing.toString()}`,
      `  errant there   ${errant.isEmpty ? "nothing" : errant.toString()}`,
      "  Missing: let it apply all that it has received from the former server, or choose a replica that has it.",
      "  Errant: written there past the former server, ahead of what is applied. Choose another replica; where there is " +
        "none, cancel the migration and create it again.",
    ].join("\n"),
  );
}

/** The stream can go on from this home: it has all that was applied, in the order in which it was. */
export async function inspectHome(
  context: ControllerContext,
  document: MigrationDocument,
  change: Repointing,
  applied: AppliedHistory | undefined,
  former: FormerServer,
  objections: Objections,
): Promise<void> {
  const name = { migration: document.id, direction: change.direction };
  const empty: AppliedHistory = { ledger: GtidSet.empty, history: GtidSet.empty, newest: undefined, sourceUuid: "" };
  const endpoint = endpointOf(context, change.to);
  const known = applied ?? empty;
  const found = await inspectNewSource({
    name,
    endpoint,
    applied: known,
    formerUuid: change.formerUuid,
    timeoutMs: LOG_TIMEOUT_MS,
  });
  // A stream that has not begun needs nothing from the log.
  if (applied !== undefined && !found.purged.isEmpty && !applied.history.isEmpty) {
    objections.push(
      `"${change.to}" has purged, or never logged, transactions that are not applied yet: ${found.purged.toString()}`,
    );
  }
  const missing = (former.executed ?? GtidSet.empty).subtract(found.executed).union(found.missing);
  compareHistories(change, { missing, errant: found.errant }, objections);
  if (found.another !== undefined) {
    objections.push(
      `"${change.to}" gave the GTID ${found.another} to another transaction than the one that was applied`,
    );
  }
}

/** The stream can go on writing to this server: it has the stream's ledger, and all that was there at the last switch. */
export async function inspectOther(
  context: ControllerContext,
  document: MigrationDocument,
  change: Repointing,
  applied: AppliedHistory | undefined,
  former: FormerServer,
  objections: Objections,
): Promise<void> {
  if (applied === undefined && document.phase !== "created") {
    objections.push(
      `"${change.to}" has no ledger of the ${change.direction} stream in _switchyard: it is no replica of "${change.from}", or lacks its last transactions`,
    );
  }
  const executed = GtidSet.parse(await openHome(context, document, change.to).inspect((view) => view.executed()));
  const missing = (former.executed ?? GtidSet.empty).subtract(executed);
  compareHistories(change, { missing, errant: GtidSet.empty }, objections);
  const cut = GtidSet.parse(document.cutPosition ?? "");
  if (!executed.contains(cut)) {
    objections.push(
      `"${change.to}" lacks transactions from before the tables left it\n  missing there  ${cut.subtract(executed).toString()}\n` +
        "  They are on the home and will not be sent again. Choose a replica that has them, or complete the migration.",
    );
  }
}

/**
 * Every registered proxy reaches the servers that the migration would have. A proxy that has reached
 * only the former one, and has no connection left there, learns of the new one with its next client.
 */
export async function inspectProxies(
  { store }: Pick<ControllerContext, "store">,
  change: Repointing,
  servers: { readonly uuid: string; readonly otherUuid: string },
  objections: Objections,
): Promise<void> {
  const others = await listOtherFormats(store);
  if (others.length > 0) {
    const named = others.map(({ id, format }) => `proxy ${id} registers in format ${format}`).join(", ");
    objections.push(`${named}: which servers it reaches is not known\n  ${OTHER_FORMAT_FIX}`);
    return;
  }
  const proxies = (await listProxies(store)).map((proxy) => {
    const reached = proxy.document.servers[change.to];
    if (reached === undefined || reached.newest !== change.formerUuid || reached.open.length > 0) return proxy;
    const { [change.to]: _, ...rest } = proxy.document.servers;
    return { ...proxy, document: { ...proxy.document, servers: rest } };
  });
  const elsewhere = proxiesElsewhere(proxies, [
    { backend: change.to, uuid: servers.uuid },
    { backend: change.other, uuid: servers.otherUuid },
  ]);
  for (const one of elsewhere) objections.push(`${describeElsewhere(one)}\n  ${ELSEWHERE_FIX}`);
}

/** What preflight says of the pair that the migration would have. */
export async function inspectSettings(
  context: ControllerContext,
  document: MigrationDocument,
  change: Repointing,
  objections: Objections,
): Promise<void> {
  const [home, other] = change.isHome ? [change.to, change.other] : [change.other, change.to];
  const findings = await runPreflight({
    source: { endpoint: endpointOf(context, home) },
    target: { endpoint: endpointOf(context, other) },
    tables: document.tables.map(parseTableKey),
    targetTables: "present",
  });
  for (const finding of findings) {
    if (finding.severity !== "error") continue;
    objections.push(
      `${finding.id}, ${finding.subject}: ${finding.observed}; expected ${finding.expected}\n  ${finding.fix}`,
    );
  }
}

/** @throws {SwitchyardError} `MIGRATION_REPOINT_REFUSED` where there is an objection */
export function refuseObjections(id: string, change: Repointing, objections: Objections): void {
  if (objections.length === 0) return;
  throw new SwitchyardError("MIGRATION_REPOINT_REFUSED", {
    what: `"${change.to}" cannot take the place of "${change.from}" as the ${change.end} of migration "${id}"`,
    details: objections.flatMap((text) => text.split("\n").map((line) => line.slice(0, 2000))),
    changed: "Nothing was changed; the tables' home is what it was.",
    fix: "Mend what is listed, then give the same order again.",
  });
}
