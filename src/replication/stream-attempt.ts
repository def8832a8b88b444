import { assert } from "../base/assert.ts";
import { isSwitchyardError } from "../base/errors.ts";
import type { FailpointHook } from "../base/failpoints.ts";
import { fullPace, type PacedWork } from "../base/pace.ts";
import { quoteText } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { SourceReplica } from "../mysql/source-replica.ts";
import type { CopyContext } from "./copy-context.ts";
import { runCopyCycle } from "./copy-cycle.ts";
import { type CopyState, loadCopyState, saveShapes } from "./copy-state.ts";
import { definitionsAtSwap } from "./followed-definitions.ts";
import { type FollowContext, follow } from "./follower.ts";
import { withKeyBuilders } from "./key-builders.ts";
import type { LagMeter } from "./lag-meter.ts";
import { claimLedger, type LedgerClaim } from "./ledger.ts";
import { addMade, carryMapped } from "./mapped-tables.ts";
import type { RunwayMeter } from "./runway-meter.ts";
import { requireServer, serverUuid } from "./server-identity.ts";
import { ensureSidecar } from "./sidecar-format.ts";
import type { StatementSpell } from "./statement-spell.ts";
import type { StreamGate } from "./stream-gate.ts";
import type { StreamLimits, StreamOptions } from "./stream-options.ts";
import type { StreamProgress } from "./stream-progress.ts";
import { connectSource, connectWriter, packetBytesMax, type StreamName } from "./stream-session.ts";
import { readDefinitions } from "./table-definitions.ts";
import { buildKeys, createTargetTables, putKeysAside } from "./target-tables.ts";

export interface AttemptContext {
  readonly options: StreamOptions;
  readonly limits: StreamLimits;
  readonly failpoint: FailpointHook;
  readonly gate: StreamGate;
  readonly progress: StreamProgress;
  readonly lag: LagMeter;
  readonly runway: RunwayMeter;
  readonly signal: AbortSignal;
  readonly replicaUuid: string;
  readonly spell: StatementSpell;
  readonly ownEpoch: bigint | undefined;
  readonly onClaim: (epoch: bigint) => void;
  /** Both servers have the sidecar. */
  readonly onReady: () => void;
}

interface CopyWork {
  readonly claim: LedgerClaim;
  readonly state: CopyState;
  readonly context: FollowContext;
  readonly sourceUuid: string;
}

const EARLY_SNAPSHOT_WAIT_MS = 100;
/** How long servers may take to say for the first time how busy they are before catch-up goes ahead. */
const FIRST_LOOK_MS = 1000;

/** How long a stream that is closed may take to finish its transaction; adding keys to a large table takes longer. */
const CLOSE_GRACE_MS = 3000;

/** One life of a stream's connections: from the claim of the ledger until something ends it. */
export class StreamAttempt {
  readonly #context: AttemptContext;
  readonly #name: StreamName;

  constructor(context: AttemptContext) {
    this.#context = context;
    this.#name = { migration: context.options.migration, direction: context.options.direction };
  }

  /** Returns when the stream is closed, or is to be opened anew behind a definition statement; throws what ended it otherwise. */
  async run(): Promise<void> {
    const { options, signal } = this.#context;
    const opened: Connection[] = [];
    let grace: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      grace = setTimeout(() => {
        for (const connection of opened) connection.destroy();
      }, CLOSE_GRACE_MS);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const observer = await connectSource(options.source, this.#name, signal);
      opened.push(observer);
      const writer = await connectWriter(options.target, this.#name, { signal });
      opened.push(writer);
      const sourceUuid = await serverUuid(observer);
      requireServer("source", options.servers?.source ?? "", sourceUuid);
      requireServer("target", options.servers?.target ?? "", await serverUuid(writer));
      await ensureSidecar(observer);
      await ensureSidecar(writer);
      await this.#work(observer, writer, sourceUuid);
    } finally {
      signal.removeEventListener("abort", onAbort);
      clearTimeout(grace);
      await Promise.all(opened.map((connection) => connection.close()));
    }
  }

  async #work(observer: Connection, writer: Connection, sourceUuid: string): Promise<void> {
    const { options, limits, gate, onClaim, onReady } = this.#context;
    const claim = await claimLedger(writer, options.migration, options.direction, options.startToken, {
      copiers: limits.copyReaders,
      holder: this.#context.replicaUuid,
      again: this.#context.ownEpoch === undefined ? undefined : { epoch: this.#context.ownEpoch },
    });
    onClaim(claim.epoch);
    requireServer("source", claim.sourceUuid, sourceUuid);
    await this.#context.failpoint("stream-after-claim");
    gate.reset(claim.executed);
    onReady();
    const state = await this.#loadState(observer, writer, claim);
    const context = this.#followContext(claim, writer, state, await packetBytesMax(writer));
    await this.#copy(observer, writer, { claim, state, context, sourceUuid });
    await this.#follow(writer, state, context);
  }

  /** What the sidecar knows of the tables; read and kept there the first time. */
  async #loadState(observer: Connection, writer: Connection, claim: LedgerClaim): Promise<CopyState> {
    const { options, progress } = this.#context;
    const copies = options.startToken === undefined;
    const known = await loadCopyState(writer, this.#name, options.tables);
    let state = claim.restarted ? undefined : known;
    if (state === undefined) {
      const { tables, mappings } = options;
      const definitions = copies
        ? await readDefinitions(observer, tables)
        : await definitionsAtSwap({ name: this.#name, tables, mappings, observer, writer });
      if (copies) await createTargetTables(observer, writer, this.#name, definitions, options.mappings);
      const followed = copies ? await addMade(writer, definitions, options.mappings, known?.tables ?? []) : definitions;
      state = await saveShapes(writer, this.#name, followed, !copies);
    }
    await carryMapped(writer, state.tables, options.mappings, options.direction);
    if (!state.copied) await putKeysAside(writer, this.#name, state.tables);
    const estimates = copies ? await estimateRows(observer, state) : new Map<string, number>();
    for (const table of state.tables) {
      progress.setTable(table.key, {
        rowsCopied: table.chunks.reduce((sum, chunk) => sum + chunk.rows, 0),
        rowsEstimated: estimates.get(table.key) ?? 0,
        done: state.gaps(table).length === 0,
        beginnings: table.kinds === undefined ? (table.chunks[0]?.chunk ?? 1) : 1,
      });
    }
    progress.copied = state.keyed;
    progress.phase = state.copied ? "catching-up" : "copying";
    return state;
  }

  #followContext(claim: LedgerClaim, writer: Connection, state: CopyState, packetBytes: number): FollowContext {
    const { options, limits, gate, progress, lag } = this.#context;
    return {
      claim,
      source: options.source,
      target: options.target,
      writer,
      gate,
      state,
      limits,
      packetBytesMax: packetBytes,
      clock: options.clock,
      failpoint: this.#context.failpoint,
      log: options.log,
      signal: this.#context.signal,
      replicaUuid: this.#context.replicaUuid,
      sourceUuid: claim.sourceUuid,
      spell: this.#context.spell,
      newest: claim.newest,
      reshaped: false,
      mappings: options.mappings,
      ddlPolicy: {
        onDdl: options.onDdl ?? (() => "stop"),
        after: options.afterDdl,
        seen: async (ddl) => {
          progress.ddl++;
          await options.onDdlSeen?.(ddl);
        },
      },
      events: {
        working: (commitMicros) => lag.working(commitMicros),
        beat: (number) => lag.seen(number),
        done: (piece) => lag.done(piece.commitMicros),
        applied: (transactions, rows) => progress.addApplied(transactions, rows),
        drift: async (rows) => {
          progress.drift += rows;
          await options.onDrift?.();
        },
      },
    };
  }

  /** Snapshot after snapshot, with catch-up between them, until every row has been copied once. */
  async #copy(
    observer: Connection,
    writer: Connection,
    { claim, state, context, sourceUuid }: CopyWork,
  ): Promise<void> {
    if (state.copied) return;
    const estimates = await estimateRows(observer, state);
    const pace = (this.#context.options.pace ?? fullPace).open();
    try {
      const of = { claim, control: writer, packetBytesMax: context.packetBytesMax, estimates, pace, sourceUuid };
      await this.#copyPaced(of, observer, state, context);
    } finally {
      pace.close();
    }
  }

  async #copyPaced(
    of: Pick<CopyContext, "claim" | "control" | "packetBytesMax" | "estimates" | "pace" | "sourceUuid">,
    observer: Connection,
    state: CopyState,
    context: FollowContext,
  ): Promise<void> {
    const { options, limits, gate, progress, lag, runway, signal } = this.#context;
    const { pace } = of;
    const near = (): boolean => lag.lagMs() <= limits.cycleLagMaxMs && pace.mayOpenSnapshot;
    await this.#spareRunway(context);
    while (!state.copied && !signal.aborted) {
      // Before the first snapshot there is nothing to catch up with meanwhile.
      if (!(await pace.whenMayOpen(signal, gate.executed.isEmpty ? Number.POSITIVE_INFINITY : FIRST_LOOK_MS))) {
        this.#phase("catching-up");
        await this.#followUntil(context, near);
        if (signal.aborted) return;
      }
      this.#phase("copying");
      const outcome = await this.#readingFrom(observer, (read) => {
        const cycle = { ...of, ...read, ...this.#cycleSurroundings(pace) };
        return runCopyCycle(cycle, state, gate.executed, (position) => gate.reset(position));
      });
      for (const table of state.tables) progress.setTable(table.key, { done: state.gaps(table).length === 0 });
      if (outcome.kind === "copied") return;
      if (outcome.kind === "early") await options.clock.sleep(EARLY_SNAPSHOT_WAIT_MS, signal);
      this.#phase("catching-up");
      await this.#followUntil(context, near);
      if (runway.isShort) await this.#spareRunway(context);
    }
  }

  /** Runs one cycle of the copy on the server that is to be read from now. */
  async #readingFrom<T>(
    observer: Connection,
    cycle: (
      read: Pick<CopyContext, "source" | "observer" | "replica"> & { readonly sourceUuid?: string },
    ) => Promise<T>,
  ): Promise<T> {
    const { options, signal } = this.#context;
    const endpoint = options.readFrom?.();
    if (endpoint === undefined) return await cycle({ source: options.source, observer });
    const session = await connectSource(endpoint, this.#name, signal);
    const cut = (): void => session.destroy();
    signal.addEventListener("abort", cut, { once: true });
    try {
      const replica = new SourceReplica({ replica: session, source: observer, clock: options.clock, signal });
      // What is checked and proven is of this session's server; another one behind the same address may be anything.
      const sourceUuid = await serverUuid(session);
      return await cycle({ source: endpoint, observer: session, replica, sourceUuid });
    } finally {
      signal.removeEventListener("abort", cut);
      await session.close();
    }
  }

  #cycleSurroundings(
    pace: PacedWork,
  ): Pick<
    CopyContext,
    "target" | "limits" | "failpoint" | "log" | "signal" | "isOver" | "whilePaused" | "onRows" | "onAgain"
  > {
    const { options, limits, gate, progress, runway, signal, failpoint } = this.#context;
    return {
      target: options.target,
      limits,
      failpoint,
      log: options.log,
      signal,
      isOver: this.#cycleEnd(pace),
      whilePaused: () => gate.whilePaused(),
      onRows: (table, rows) => {
        progress.addRows(table.key, rows, table.kinds !== undefined);
        // A table that counts only as a whole cannot give way to the stream in between.
        if (table.kinds === undefined) runway.require();
      },
      onAgain: (table, beginnings) => {
        progress.setTable(table.key, { rowsCopied: 0, beginnings });
        options.log.warn({ table: table.key, beginnings }, "a copy was interrupted that only begins anew");
      },
    };
  }

  /** When a cycle is over. Its time counts from the first row on: waiting for a lock must not use it up. */
  #cycleEnd(pace: PacedWork): () => boolean {
    const { options, limits, runway } = this.#context;
    let overAt: number | undefined;
    return () => {
      const now = options.clock.monotonicMs();
      overAt ??= now + limits.copyCycleMaxMs;
      return now >= overAt || pace.shouldCloseSnapshot || runway.isShort;
    };
  }

  /**
   * A copy begins, or goes on, only where the source will keep for long enough what the stream needs after it. Where it is
   * late the stream goes first; where that does not help, the copy stops before anything is lost.
   */
  async #spareRunway(context: FollowContext): Promise<void> {
    const { gate, lag, limits, runway, signal } = this.#context;
    await runway.look();
    if (runway.isShort && !gate.executed.isEmpty) {
      this.#phase("catching-up");
      await this.#followUntil(context, () => lag.lagMs() <= limits.cycleLagMaxMs);
      if (signal.aborted) return;
      await runway.look();
    }
    runway.require();
  }

  async #follow(writer: Connection, state: CopyState, context: FollowContext): Promise<void> {
    const { options, limits, gate, lag, signal, progress } = this.#context;
    if (!state.keyed) {
      this.#phase("catching-up");
      const snapshots = state.snapshotUnion;
      await this.#followUntil(context, () => gate.executed.contains(snapshots));
      if (signal.aborted) return;
      // Tables that have their keys take every row: what a snapshot held would come a second time.
      assert(gate.executed.contains(snapshots), "keys are built behind all that the copy has read");
      await this.#context.failpoint("copy-before-keys");
      // As many as have written rows: adding a key keeps a processor busy for most of its time, and no more than one.
      const beside = Math.min(limits.copyReaders, state.tables.length) - 1;
      await withKeyBuilders({ target: options.target, claim: context.claim, signal }, beside, (builders) =>
        buildKeys([writer, ...builders], this.#name, state.tables, (table) =>
          options.log.info({ table: `${table.schema}.${table.table}` }, "adding keys on the target"),
        ),
      );
      await this.#context.failpoint("copy-after-keys");
      for (const table of state.tables) table.keyed = true;
    }
    progress.copied = true;
    await this.#followUntil(context, () => {
      if (progress.phase !== "running" && lag.lagMs() <= limits.cycleLagMaxMs) this.#phase("running");
      return false;
    });
  }

  async #followUntil(context: FollowContext, until: () => boolean): Promise<void> {
    const { signal, progress } = this.#context;
    try {
      await follow(context, () => signal.aborted || until());
    } catch (error) {
      if (isSwitchyardError(error, "REPLICATION_STATEMENT_SEEN")) progress.ddl++;
      throw error;
    }
  }

  #phase(phase: "copying" | "catching-up" | "running"): void {
    const { options, progress } = this.#context;
    if (progress.phase === phase) return;
    progress.phase = phase;
    options.log.info({ phase }, "the stream's phase changed");
  }
}

/** The source's own guess; never used for anything but progress and the size of pieces. */
async function estimateRows(observer: Connection, state: CopyState): Promise<Map<string, number>> {
  const estimates = new Map<string, number>();
  await observer.query("SET SESSION information_schema_stats_expiry = 0");
  for (const { name, key } of state.tables) {
    const row = await observer.one(
      `SELECT table_rows AS n FROM information_schema.tables WHERE table_schema = ${quoteText(name.schema)} ` +
        `AND table_name = ${quoteText(name.table)}`,
    );
    estimates.set(key, Number(row?.["n"] ?? 0));
  }
  return estimates;
}
