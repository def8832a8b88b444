import { type Deferred, deferred } from "../base/deferred.ts";
import { SwitchyardError } from "../base/errors.ts";
import { formatGtid, type Gtid, GtidSet, GtidSetBuilder } from "../gtid/gtid-set.ts";
import { concerns, type Touched, TouchHistory } from "./touch-history.ts";

/** What may happen to the next transaction of the log. */
export type GateVerdict = "apply" | "hold";

type Mode =
  | { readonly kind: "open" }
  | { readonly kind: "closed" }
  | {
      readonly kind: "until";
      readonly position: GtidSet;
      /** The tables for which the position is exact; all of the migration where it is undefined. */
      readonly tables: ReadonlySet<string> | undefined;
      readonly reached: Deferred<void>;
      /** The stream stands exactly there. */
      arrived: boolean;
    };

/**
 * Decides how far a stream may go, transaction by transaction, and knows what it has done. It outlives the
 * connections of the stream: a gate that is closed stays so over a reconnect.
 */
export class StreamGate {
  readonly #executed = new GtidSetBuilder();
  readonly #touched = new TouchHistory();
  #snapshot: GtidSet | undefined;
  #mode: Mode = { kind: "open" };
  #paused = false;
  #busy = false;
  #woken = false;
  #rest: Deferred<void> | undefined;
  #change: Deferred<void> | undefined;
  readonly #waiters = new Set<{ readonly position: GtidSet; readonly reached: Deferred<void> }>();

  /** Everything that is done with. */
  get executed(): GtidSet {
    this.#snapshot ??= this.#executed.build();
    return this.#snapshot;
  }

  /** What {@link executed} will be once these are done with as well. */
  executedWith(gtids: readonly Gtid[]): GtidSet {
    return this.executed.union(GtidSet.of(...gtids));
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** The stream stands exactly at the position it was told to stop at. */
  get stoppedAt(): boolean {
    return this.#mode.kind === "until" && this.#mode.arrived;
  }

  /** Begins anew from what the ledger says. */
  reset(executed: GtidSet): void {
    this.#touched.addUnknown(executed.subtract(this.executed));
    this.#executed.addSet(executed);
    this.#snapshot = undefined;
    this.#notify();
  }

  /** `ahead` gives the transactions that are being applied and not done with yet. */
  verdict(gtid: Gtid, touches: Touched, ahead?: () => readonly Gtid[]): GateVerdict {
    if (this.#paused || this.#mode.kind === "closed") return "hold";
    if (this.#mode.kind === "open") return "apply";
    if (this.#mode.reached.settled) return "hold";
    if (this.#mode.position.has(gtid)) return "apply";
    if (ahead !== undefined && this.executedWith(ahead()).contains(this.#mode.position)) return "hold";
    if (!concerns(touches, this.#mode.tables)) return "apply";
    // Others may come earlier in the log than the last of the position, but then they concern other tables.
    this.#mode.reached.reject(passed(this.#mode.position, { toString: () => formatGtid(gtid) }));
    return "hold";
  }

  /** The transaction is done with: applied and committed, or skipped. */
  done(gtid: Gtid, touched: Touched): void {
    this.#executed.add(gtid.uuid, gtid.tag, gtid.gno);
    this.#snapshot = undefined;
    this.#touched.add(gtid, touched, () => this.executed);
  }

  /** Settles who waits for a position that {@link executed} now holds. Called after each commit. */
  settle(): void {
    if (this.#mode.kind !== "until" && this.#waiters.size === 0) return;
    const executed = this.executed;
    if (this.#mode.kind === "until" && !this.#mode.reached.settled && executed.contains(this.#mode.position)) {
      this.#mode.arrived = true;
      this.#mode.reached.resolve();
    }
    for (const waiter of this.#waiters) {
      if (!executed.contains(waiter.position)) continue;
      this.#waiters.delete(waiter);
      waiter.reached.resolve();
    }
  }

  /** A target transaction begins or has ended. */
  setBusy(busy: boolean): void {
    this.#busy = busy;
    if (busy) return;
    this.#rest?.resolve();
    this.#rest = undefined;
  }

  /** Resolves when no target transaction is under way. */
  async idle(): Promise<void> {
    if (!this.#busy) return;
    this.#rest ??= deferred();
    await this.#rest.promise;
  }

  /** Resolves at once, or when the pause has ended. */
  async whilePaused(): Promise<void> {
    while (this.#paused && !this.#woken) await this.changed();
  }

  /** The stream is closing: nobody waits here any longer. */
  wake(): void {
    this.#woken = true;
    this.#notify();
  }

  close(): void {
    if (this.#mode.kind === "until") this.#mode.reached.reject(replaced());
    this.#mode = { kind: "closed" };
    this.#notify();
  }

  open(): void {
    if (this.#mode.kind === "until") this.#mode.reached.reject(replaced());
    this.#mode = { kind: "open" };
    this.#notify();
  }

  setPaused(paused: boolean): void {
    this.#paused = paused;
    this.#notify();
  }

  /**
   * Stops when everything in `position` is done with, and nothing else that concerns these tables.
   *
   * @throws {SwitchyardError} `STREAM_POSITION_PASSED`
   */
  until(position: GtidSet, tables?: ReadonlySet<string>): Promise<void> {
    const beyond = this.executed.subtract(position).intersect(this.#touched.touching(tables));
    if (!beyond.isEmpty) throw passed(position, beyond);
    if (this.#mode.kind === "until") this.#mode.reached.reject(replaced());
    const reached = deferred<void>();
    this.#mode = { kind: "until", position, tables, reached, arrived: false };
    this.settle();
    this.#notify();
    return reached.promise;
  }

  /** Resolves once {@link executed} holds `position`; `give` takes the waiter back. */
  reached(position: GtidSet): { readonly promise: Promise<void>; readonly give: () => void } {
    const waiter = { position, reached: deferred<void>() };
    this.#waiters.add(waiter);
    this.settle();
    return { promise: waiter.reached.promise, give: () => this.#waiters.delete(waiter) };
  }

  /** Resolves when a verdict of `hold` may have become another one. */
  changed(): Promise<void> {
    this.#change ??= deferred();
    return this.#change.promise;
  }

  #notify(): void {
    this.#change?.resolve();
    this.#change = undefined;
  }
}

function passed(position: GtidSet, beyond: { toString(): string }): SwitchyardError {
  return new SwitchyardError("STREAM_POSITION_PASSED", {
    what: "the stream cannot stop at the position: it has applied, or must apply first, a transaction outside of it",
    details: [`position  ${position.toString().slice(0, 300)}`, `outside   ${beyond.toString().slice(0, 300)}`],
    changed: "Nothing was changed by the attempt.",
    fix: "Pause the intake first, then read the position, then stop at it.",
  });
}

function replaced(): SwitchyardError {
  return new SwitchyardError("CANCELLED", { what: "the stream was told to go on, or to stop elsewhere" });
}
