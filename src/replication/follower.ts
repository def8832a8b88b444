import { BoundedQueue } from "../base/bounded-queue.ts";
import type { Clock } from "../base/clock.ts";
import { SwitchyardError } from "../base/errors.ts";
import type { FailpointHook } from "../base/failpoints.ts";
import type { Logger } from "../base/logger.ts";
import { quoteText } from "../base/table-name.ts";
import { formatGtid } from "../gtid/gtid-set.ts";
import { Connection } from "../mysql/connection.ts";
import { dumpRequest } from "../mysql/dump-request.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { mappingOf, type TableMappings } from "../table/table-mapping.ts";
import { storedColumns } from "../table/table-shape.ts";
import { Applier, type ApplierEvents } from "./applier.ts";
import type { CopyState } from "./copy-state.ts";
import { carryDdl, type DdlPolicy } from "./ddl-carrier.ts";
import { DdlJudge } from "./ddl-judge.ts";
import { Intake, type IntakeItem } from "./intake.ts";
import { type LedgerClaim, type NewestTransaction, recordSource } from "./ledger.ts";
import { closeRowEvents, openRowEvents, RowEventsRefused } from "./row-events.ts";
import { settledJudge } from "./row-judge.ts";
import { checkSource, type DumpStart } from "./source-position.ts";
import type { StatementSpell } from "./statement-spell.ts";
import type { StreamGate } from "./stream-gate.ts";
import type { StreamLimits } from "./stream-options.ts";
import { connectSource, readerAttributes } from "./stream-session.ts";

export interface FollowContext {
  readonly claim: LedgerClaim;
  readonly source: Endpoint;
  readonly target: Endpoint;
  /** The session on the target that applies; no transaction is open on it. */
  readonly writer: Connection;
  readonly gate: StreamGate;
  readonly state: CopyState;
  readonly limits: StreamLimits;
  readonly packetBytesMax: number;
  readonly clock: Clock;
  readonly failpoint: FailpointHook;
  readonly log: Logger;
  readonly events: ApplierEvents;
  readonly signal: AbortSignal;
  /** Names this stream to the server: a second dump under the same name would end the first. */
  readonly replicaUuid: string;
  /** The server that the ledger's transactions are of; empty until one is known. */
  sourceUuid: string;
  newest: NewestTransaction | undefined;
  readonly spell: StatementSpell;
  readonly ddlPolicy: DdlPolicy;
  readonly mappings: TableMappings | undefined;
  /**
   * A definition statement that gives a table other columns was carried on: the tables must be read anew from the ledger
   * before anything else is applied. Never before all rows are copied and all keys are there.
   */
  reshaped: boolean;
}

/**
 * Follows the source's log from what the gate says is done, and applies, until `until` says so between transactions.
 * Whatever ends the dump otherwise is thrown; nothing of a transaction that was cut is kept.
 */
export async function follow(context: FollowContext, until: () => boolean): Promise<void> {
  const { gate, spell, state, writer, log } = context;
  // The server reads row events by position: columns that are alike may be others under a mapping.
  const shapes = state.tables
    .filter(({ name }) => mappingOf(context.mappings, name) === undefined)
    .map(({ shape }) => shape);
  let over = false;
  while (!over) {
    const byStatements = spell.lasts(gate.executed);
    const asRowEvents = byStatements ? new Set<string>() : await openRowEvents(writer, shapes, log);
    try {
      await followBy(context, asRowEvents, () => {
        over = context.reshaped || until();
        return over || (byStatements && !spell.lasts(gate.executed));
      });
      if (!context.signal.aborted) await closeRowEvents(writer);
    } catch (error) {
      if (!(error instanceof RowEventsRefused)) throw error;
      await closeRowEvents(writer);
      log.warn({ error: error.message }, "the target refused row events: what they change is applied by statements");
      spell.begin(error.gtids);
    }
  }
}

/** One dump of the log: until `until` says so, or a definition statement was carried on. */
async function followBy(context: FollowContext, asRowEvents: ReadonlySet<string>, until: () => boolean): Promise<void> {
  const { gate, limits, signal } = context;
  const observer = await connectSource(context.source, context.claim, signal);
  let start: DumpStart;
  try {
    start = await checkSource(observer, {
      uuid: context.sourceUuid,
      executed: gate.executed,
      newest: context.newest,
      clock: context.clock,
      signal,
      visibilityWaitMs: limits.visibilityWaitMs,
    });
  } finally {
    await observer.close();
  }
  if (context.sourceUuid === "") await recordSource(context.writer, context.claim, start.sourceUuid);
  context.sourceUuid = start.sourceUuid;
  const passed = gate.executed.contains(context.state.snapshotUnion);
  const queue = new BoundedQueue<IntakeItem>(limits.queueBytesMax);
  const intake = new Intake({
    name: context.claim,
    tables: context.state.tables.map((table) => ({
      table,
      judge: passed && context.state.copied ? settledJudge : context.state.judge(table),
    })),
    statements: new DdlJudge(context.state.tables.map((table) => table.name)),
    queue,
    queueBytesMax: limits.queueBytesMax,
    newest: start.compare,
    asRowEvents,
    missing: await missingOnTarget(context),
  });
  let carried = false;
  const applier = applierOf(context, queue, () => {
    carried = true;
  });
  const dump = await Connection.connect(context.source, { attributes: readerAttributes(context.claim), signal });
  const stop = (): void => queue.fail(new SwitchyardError("CANCELLED", { what: "the stream was closed" }));
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  // A target that goes away is noticed at once, not with the next write.
  void context.writer.closed.then((reason) =>
    queue.fail(
      new SwitchyardError("MYSQL_CONNECTION_LOST", { what: `the session on the target has ended: ${reason}` }),
    ),
  );
  const request = dumpRequest(start.executed, limits.dumpHeartbeatMs, context.replicaUuid);
  const dumping = dump
    .binlogDump(request, (event) => intake.event(event))
    .then(
      () => queue.fail(new SwitchyardError("MYSQL_CONNECTION_LOST", { what: "the source ended the dump of its log" })),
      (error: unknown) => queue.fail(error),
    );
  try {
    // The intake takes nothing behind a definition statement: the next dump begins there.
    await applier.run(() => until() || carried);
  } finally {
    signal.removeEventListener("abort", stop);
    intake.release();
    dump.destroy();
    await dumping;
  }
}

function applierOf(context: FollowContext, queue: BoundedQueue<IntakeItem>, carried: () => void): Applier {
  return new Applier({
    connection: context.writer,
    claim: context.claim,
    gate: context.gate,
    queue,
    limits: { ...context.limits, packetBytesMax: context.packetBytesMax },
    clock: context.clock,
    failpoint: context.failpoint,
    log: context.log,
    carry: async (item) => {
      if (await carryDdl(context, item)) context.reshaped = true;
      carried();
    },
    events: {
      ...context.events,
      done: (piece) => {
        context.newest = { gtid: formatGtid(piece.gtid), commitUs: BigInt(piece.originalCommitMicros) };
        context.events.done(piece);
      },
    },
  });
}

/** What rows of the source are written with and the target's tables lack. */
async function missingOnTarget({
  writer,
  state,
  mappings,
}: FollowContext): Promise<ReadonlyMap<string, readonly string[]>> {
  const names = state.tables.map(({ name }) => `(${quoteText(name.schema)}, ${quoteText(name.table)})`).join(", ");
  const rows = await writer.rows(
    "SELECT CONCAT(table_schema, '.', table_name) AS name, LOWER(column_name) AS col FROM information_schema.columns " +
      `WHERE (table_schema, table_name) IN (${names})`,
  );
  const there = new Set(rows.map((row) => `${row["name"]}.${row["col"]}`.toLowerCase()));
  return new Map(
    // Those with a mapping have been paired when the stream began.
    state.tables
      .filter(({ name }) => mappingOf(mappings, name) === undefined)
      .map(({ key, shape }) => {
        const names = storedColumns(shape).map((column) => column.name);
        return [key, names.filter((name) => !there.has(`${key}.${name}`.toLowerCase()))];
      }),
  );
}
