import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { readMigration, updateMigration, withHistory } from "../cutover/journal.ts";
import type { Direction, MigrationDocument } from "../cutover/migration-document.ts";
import { settle } from "../cutover/settle.ts";
import { type EventType, nextPhase } from "../cutover/transitions.ts";
import type { CarriedDdl } from "../replication/ddl-carrier.ts";
import { DdlStop } from "../replication/ddl-stop.ts";
import type { Throttle } from "../throttle/throttle.ts";
import { activeDirection, directionAtRest } from "./active-direction.ts";
import type { RunningDiff } from "./comparing.ts";
import { type ControllerContext, endpointOf } from "./controller-context.ts";
import { runOf, withoutDiffs } from "./diff-run.ts";
import { Freshener } from "./freshener.ts";
import { migrationThrottle } from "./migration-throttle.ts";
import { dueEvent } from "./phase-follower.ts";
import { replicaOf } from "./read-from.ts";
import { RunnerView } from "./runner-view.ts";
import { StrayMonitor, type StrayReport } from "./stray-monitor.ts";
import { StreamKeeper, type StreamKeeperEvents } from "./stream-keeper.ts";
import { switchPorts } from "./switch-ports.ts";

/** Work on a migration, and who has ordered it; nobody where a controller does it by itself. */
interface OrderedWork {
  readonly what: string;
  readonly who?: string;
}

/** How often the journal and the live status follow the streams. */
const FOLLOW_EVERY_MS = 250;
const SETTLE_RETRY_MS = 1000;

/**
 * One unfinished migration in the hands of the controller that has claimed it: keeps the stream of its phase running, writes
 * into the journal what the stream has reached, and lets one order at a time change it.
 */
export class MigrationRunner {
  readonly id: string;
  readonly context: ControllerContext;
  readonly log: Logger;
  /** The diff or repair under way, if any. */
  diff: RunningDiff | undefined;
  /** Compares again what is changed after a diff. */
  readonly freshener: Freshener;
  /** How fast the copy and the diffs may go. */
  readonly throttle: Throttle;
  #keepers: Readonly<Record<Direction, StreamKeeper>>;
  readonly #view: RunnerView;
  readonly #strays: StrayMonitor;
  #document: MigrationDocument;
  #busy: (OrderedWork & { readonly sinceMs: number }) | undefined;
  #following: Promise<void> | undefined;
  #closed = false;
  #driftSeen = 0;
  #settleAgainMs = 0;
  #unsettled: string | undefined;
  /** The stream of the phase has ended here, and this process is still to run it. */
  #streamMissing = false;

  constructor(context: ControllerContext, document: MigrationDocument) {
    this.id = document.id;
    this.context = context;
    this.log = context.log.child({ migration: document.id });
    this.#document = document;
    this.#view = new RunnerView(this);
    this.#strays = new StrayMonitor(this);
    this.freshener = new Freshener(this);
    this.throttle = migrationThrottle({
      context,
      document: () => this.#document,
      direction: () => activeDirection(this.#document) ?? "forward",
    });
    this.#keepers = this.#newKeepers();
  }

  /** The streams between the servers that the journal names; others after {@link replaceServers}. */
  get keepers(): Readonly<Record<Direction, StreamKeeper>> {
    return this.#keepers;
  }

  /** The journal names another server than before: ends the streams between the former ones. */
  async replaceServers(): Promise<void> {
    const former = this.#keepers;
    this.#keepers = this.#newKeepers();
    this.#driftSeen = 0;
    await Promise.all([former.forward.close(), former.reverse.close()]);
    await Promise.all([former.forward.cool(), former.reverse.cool()]);
  }

  #newKeepers(): Readonly<Record<Direction, StreamKeeper>> {
    const events: StreamKeeperEvents = {
      failed: (direction, error) => void this.#streamFailed(direction, error),
      drifted: (direction) => this.#drifting(direction),
      pace: this.throttle,
      readFrom: () => replicaOf(this.context, this.#document.tuning?.readFrom),
      onDdl: () => this.#document.onDdl,
      afterDdl: (direction) => this.#document.streams[direction].afterDdl,
      ddlSeen: (direction, ddl) => this.#ddlSeen(direction, ddl),
      paused: (direction) => this.#document.streams[direction].paused,
    };
    return {
      forward: new StreamKeeper(this.context, this.#document, "forward", events),
      reverse: new StreamKeeper(this.context, this.#document, "reverse", events),
    };
  }

  /** The journal as this runner last read or wrote it. */
  get document(): MigrationDocument {
    return this.#document;
  }

  /**
   * Whether what an earlier controller left behind is settled. Until then no order may be taken: a controller that gives the
   * migration up before would leave one as begun that nobody has begun.
   */
  get isReady(): boolean {
    return this.#following !== undefined;
  }

  /**
   * Settles what an earlier controller left behind, then opens the stream of the phase and follows it. Resolves
   * when the first is done; the rest goes on until {@link close}.
   */
  async start(): Promise<void> {
    await this.exclusively("settling", () => this.#settle());
    if (this.#closed || this.context.signal.aborted) return;
    this.openActiveStream();
    this.#following = this.#follow();
  }

  /**
   * Opens the stream that the phase asks for, unless it is paused or waits for a person, or an attempt is to be settled first:
   * that may have sealed the ledger, and ends with a stream that goes on. And unless it is to end here: an order that ends
   * after its controller has lost the migration would take the ledger from whoever runs it.
   */
  openActiveStream(): void {
    if (this.#closed || this.context.signal.aborted || this.#document.attempt !== undefined) return;
    const direction = activeDirection(this.#document);
    if (direction === undefined) return;
    const state = this.#document.streams[direction];
    if (state.paused !== undefined || state.error !== undefined || this.keepers[direction].isOpen) return;
    this.keepers[direction].open(this.#document.fenceToken);
  }

  /** Has the stream of the phase opened as soon as the store has said what phase that is, where an order has closed it in vain. */
  openStreamAgain(): void {
    const direction = activeDirection(this.#document);
    if (direction !== undefined && !this.keepers[direction].isOpen) this.#streamMissing = true;
  }

  /**
   * Runs work that must not overlap with other such work on this migration.
   *
   * @throws {SwitchyardError} `MIGRATION_BUSY` when there is some under way.
   */
  async exclusively<T>(what: string | OrderedWork, work: () => Promise<T>): Promise<T> {
    this.requireNotBusy();
    this.#busy = { ...(typeof what === "string" ? { what } : what), sinceMs: this.context.clock.monotonicMs() };
    const release = await this.freshener.hold();
    try {
      return await work();
    } finally {
      this.#busy = undefined;
      release();
    }
  }

  /** The work that is under way {@link exclusively}. */
  get busy(): string | undefined {
    return this.#busy?.what;
  }

  /** Writes that were found on the server that the tables have left. */
  get strays(): StrayReport | undefined {
    return this.#strays.report;
  }

  /** Has those told that are there by now; for whoever begins what those of later take away. */
  async lookForStrays(): Promise<void> {
    await this.#strays.lookNow();
  }

  /** @throws {SwitchyardError} `MIGRATION_BUSY` while work is under way {@link exclusively} */
  requireNotBusy(): void {
    if (this.#busy === undefined) return;
    const { what, who = "switchyard itself", sinceMs } = this.#busy;
    const seconds = ((this.context.clock.monotonicMs() - sinceMs) / 1000).toFixed(1);
    throw new SwitchyardError("MIGRATION_BUSY", {
      what: `migration "${this.id}" is busy: ${what}, ordered by ${who}, for ${seconds} s`,
      changed: "Nothing was changed.",
      fix: "Wait until that has ended; `switchyard migration status` shows it.",
    });
  }

  /**
   * Whether nothing is under way that another controller would have to begin anew: no order, no attempt, no copy. DDL
   * that a stream has seen since the last diff is known here only, and stays.
   */
  get isAtRest(): boolean {
    const document = this.#document;
    if (!this.isReady || this.#busy !== undefined || this.diff !== undefined) return false;
    const direction = activeDirection(document);
    if (document.attempt !== undefined || direction === undefined) return false;
    if (!this.keepers[direction].isOpen) return true;
    return directionAtRest(document) !== undefined && !this.keepers[direction].isSurprised;
  }

  /** Changes the journal as long as this controller runs the migration. */
  async update(change: (document: MigrationDocument) => MigrationDocument): Promise<MigrationDocument> {
    const { document } = await updateMigration(this.context.store, this.id, this.context.leadership(), change);
    this.#document = document;
    return document;
  }

  /** Changes the journal and adds an entry to its history. */
  record(
    entry: { readonly who: string; readonly what: string; readonly reason?: string; readonly result?: string },
    change: (document: MigrationDocument) => MigrationDocument = (document) => document,
  ): Promise<MigrationDocument> {
    const at = this.context.clock.now().toISOString();
    return this.update((document) => withHistory(change(document), { at, ...entry }));
  }

  /** Reads the journal again, after somebody else has written it. */
  async reload(): Promise<MigrationDocument> {
    this.#document = (await readMigration(this.context.store, this.id)).document;
    return this.#document;
  }

  /**
   * Ends the streams of this process. Journal and servers stay as they are, but for drift that was found at the end, which
   * the journal is told where `tell` is set.
   */
  async close(options: { readonly tell?: boolean } = {}): Promise<void> {
    this.#closed = true;
    const direction = activeDirection(this.#document);
    const stream = direction === undefined ? undefined : this.keepers[direction].stream;
    this.diff?.abort.abort();
    await this.freshener.close();
    await this.#strays.close();
    await this.#view.close();
    await Promise.all([this.keepers.forward.close(), this.keepers.reverse.close()]);
    await this.#following;
    const drift = (stream?.status().drift ?? 0) - this.#driftSeen;
    if (options.tell === true && direction !== undefined && drift > 0) await this.#drifted(direction, drift);
    this.#view.remove();
  }

  /** What keeps it from settling what an attempt has left, as of the last try. */
  get unsettled(): string | undefined {
    return this.#document.attempt === undefined ? undefined : this.#unsettled;
  }

  async #settle(): Promise<void> {
    while (!this.context.signal.aborted && !(await this.#settleOnce())) {
      this.#view.publish();
      await this.context.clock.sleep(SETTLE_RETRY_MS, this.context.signal).catch(() => undefined);
    }
  }

  /** Whether nothing of an earlier attempt is left. */
  async #settleOnce(): Promise<boolean> {
    const { limits } = this.context;
    try {
      const outcome = await settle(
        switchPorts(this, () => undefined),
        { migration: this.id, who: "switchyard", limits },
      );
      await this.reload();
      if (outcome?.outcome !== "unsettled") return true;
      this.#unsettled = outcome.reason.facts.what;
      this.log.warn({ error: outcome.reason.message }, "what an earlier attempt left is not settled yet");
    } catch (error) {
      this.#unsettled = messageOf(error);
      this.log.warn({ error: messageOf(error) }, "what an earlier attempt left cannot be settled yet");
    }
    return false;
  }

  /** An attempt that this controller could not bring to its end is taken up again, without anybody asking. */
  async #settleLeftovers(): Promise<void> {
    const now = this.context.clock.monotonicMs();
    if (this.#document.attempt === undefined || this.#busy !== undefined || now < this.#settleAgainMs) return;
    this.#settleAgainMs = now + SETTLE_RETRY_MS;
    const settled = this.exclusively("settling", () => this.#settleOnce());
    // It is told meanwhile that it is at work, and on what.
    this.#view.publish();
    if (await settled) this.openActiveStream();
  }

  /**
   * A controller that was stopped while it claimed a ledger, and woke when this one had claimed it, has taken the stream
   * away. It ends then; once the store has said that the migration is still this one's, the stream is opened again.
   */
  async #reopen(): Promise<void> {
    if (!this.#streamMissing || this.#busy !== undefined || this.#document.attempt !== undefined) return;
    await this.exclusively("opening the stream again", async () => {
      for (const { key, revision } of this.context.leadership()) {
        if ((await this.context.store.get(key))?.revision !== revision) return;
      }
      await this.reload();
      this.#streamMissing = false;
      this.openActiveStream();
    });
  }

  async #follow(): Promise<void> {
    while (!this.#closed && !this.context.signal.aborted) {
      try {
        await this.#followOnce();
      } catch (error) {
        const expected = isSwitchyardError(error, "CUTOVER_JOURNAL_CHANGED", "STORE_UNAVAILABLE");
        const level = expected ? "warn" : "error";
        this.log[level]({ error: messageOf(error) }, "the journal could not follow the stream");
      }
      await this.context.clock.sleep(FOLLOW_EVERY_MS, this.context.signal).catch(() => undefined);
    }
  }

  async #followOnce(): Promise<void> {
    this.#view.measure();
    const direction = activeDirection(this.#document);
    const keeper = direction === undefined ? undefined : this.keepers[direction];
    const status = keeper?.status();
    if (direction !== undefined && status !== undefined) {
      for (let due = dueEvent(this.#document.phase, status); due !== undefined; ) {
        await this.#advance(due);
        due = dueEvent(this.#document.phase, status);
      }
      if (status.drift > this.#driftSeen) await this.#drifted(direction, status.drift - this.#driftSeen);
      this.#driftSeen = status.drift;
    }
    await this.#settleLeftovers();
    await this.#reopen();
    this.#strays.follow();
    this.freshener.follow();
    this.#view.publish();
  }

  async #advance(event: EventType): Promise<void> {
    const from = this.#document.phase;
    const what = event.replaceAll("-", " ");
    await this.record({ who: "switchyard", what }, (document) => ({
      ...document,
      phase: nextPhase(this.id, document.phase, event),
    }));
    this.log.info({ from, to: this.#document.phase }, what);
  }

  /**
   * Before a transaction commits that found rows other than they should be, what a diff has proven is withdrawn: nobody
   * would know of it where this process is killed right after. Without a diff, {@link #follow} tells it soon enough.
   */
  async #drifting(direction: Direction): Promise<void> {
    const { diffs } = this.#document;
    if (diffs.length === 0 && runOf(this.#document) === undefined && this.diff === undefined) return;
    const drift = this.keepers[direction].surprises().drift - this.#driftSeen;
    await this.#drifted(direction, Math.max(drift, 1));
    this.#driftSeen += Math.max(drift, 0);
  }

  /** Rows were not as expected: what a diff has proven no longer holds. */
  async #drifted(direction: Direction, rows: number): Promise<void> {
    const server = endpointOf(this.context, direction === "forward" ? this.#document.target : this.#document.source);
    await this.record(
      { who: "switchyard", what: `drift on ${server.name}: ${rows} rows were not as expected` },
      withoutDiffs,
    );
  }

  /** The tables are no longer what a diff has compared. */
  async #ddlSeen(direction: Direction, { gtid, statement, how }: CarriedDdl): Promise<void> {
    const server = endpointOf(this.context, direction === "forward" ? this.#document.source : this.#document.target);
    const what = `DDL on ${server.name} ${how}: ${statement}`;
    await this.record({ who: "switchyard", what, result: `transaction ${gtid}` }, withoutDiffs);
  }

  async #streamFailed(direction: Direction, error: unknown): Promise<void> {
    if (this.#closed) return;
    // A seal without an attempt is one that nobody will take off.
    const sealed = isSwitchyardError(error, "REPLICATION_LEDGER_SEALED") && this.#document.attempt !== undefined;
    if (sealed || isSwitchyardError(error, "REPLICATION_LEDGER_TAKEN")) {
      this.#streamMissing = true;
      return;
    }
    this.log.error({ direction, error: messageOf(error) }, "the stream has stopped");
    try {
      await this.record(
        { who: "switchyard", what: `${direction} stream failed`, result: messageOf(error) },
        (document) => ({
          ...document,
          streams: {
            ...document.streams,
            [direction]: {
              ...document.streams[direction],
              error: messageOf(error),
              ...(error instanceof DdlStop ? { stoppedAtDdl: error.gtid } : {}),
            },
          },
        }),
      );
    } catch (failure) {
      this.log.error({ error: messageOf(failure) }, "the journal could not be told that the stream has stopped");
    }
  }
}
