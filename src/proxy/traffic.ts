import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { DecisionCache } from "../rules/decision-cache.ts";
import { type LowerCaseTableNames, Routing } from "../rules/routing.ts";
import type { RulesDocument } from "../rules/rules-document.ts";
import { type HeldStatement, type HoldOutcome, HoldQueue } from "./hold-queue.ts";
import type { Licence } from "./licence.ts";
import { LocalHold } from "./local-hold.ts";
import type { ProxyLimits } from "./proxy-config.ts";
import type { ProxyMetrics } from "./proxy-metrics.ts";
import type { TrafficSession } from "./traffic-session.ts";

export interface TrafficOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: ProxyLimits;
  readonly metrics: ProxyMetrics;
  readonly licence: Licence;
  readonly rules: RulesDocument;
  readonly revision: number;
}

/** Waits for the licence stand in the same queue as those for holds, under a name that no migration can have. */
const LICENCE = "(licence)";
const LICENCE_LOOK_MS = 20;
/** The same for those who wait until no hold is in force at all. */
const NO_HOLD = "(no hold)";

/** What a statement waits for that waits for these, for people. */
export function waitsFor(migrations: readonly string[]): string {
  if (migrations.includes(LICENCE)) return "its statement waits until the proxy can reach the store";
  return `its statement waits for the switch of ${migrations.join(", ")}`;
}

/**
 * Who may send what now: the rules in force, the holds of this worker, and the statements that wait. All of it
 * changes in single turns of the event loop, so whoever asks and sends in the same turn has a true answer.
 */
export class Traffic {
  readonly cache: DecisionCache;
  readonly sessions = new Set<TrafficSession>();
  readonly #options: TrafficOptions;
  readonly #queue: HoldQueue;
  readonly #holds = new Map<string, LocalHold>();
  readonly #listeners: (() => void)[] = [];
  readonly #holdFree: (() => void)[] = [];
  /** Holds that are gone, until what waited for them has gone on. */
  readonly #ended: { readonly migration: string; readonly token: string; readonly transactionsOpenMs: number }[] = [];
  #longestWaitMs = 0;
  #waits = 0;
  #rules: RulesDocument;
  #revision: number;
  #lowerCase: LowerCaseTableNames = 0;
  #licenceTimer: NodeJS.Timeout | undefined;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#rules = options.rules;
    this.#revision = options.revision;
    this.cache = new DecisionCache(new Routing(options.rules, this.#lowerCase));
    this.#queue = new HoldQueue(options.limits, (waiting) => {
      options.metrics.held(waiting, this.#queue.bytes, this.#queue.onTheWay);
      this.#tellOfWaits();
    });
    this.#takeHolds();
    options.metrics.generation(options.rules.generation);
  }

  get rules(): RulesDocument {
    return this.#rules;
  }

  get revision(): number {
    return this.#revision;
  }

  get routing(): Routing {
    return this.cache.routing;
  }

  get holds(): ReadonlyMap<string, LocalHold> {
    return this.#holds;
  }

  get held(): number {
    return this.#queue.waiting;
  }

  /** Called after each change of rules or holds: what was told to others may have become old. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Puts newer rules in force: from this turn on every statement is judged by them. Older ones are passed over. */
  apply(rules: RulesDocument, revision: number): void {
    if (revision <= this.#revision) return;
    this.#revision = revision;
    this.#rules = rules;
    this.cache.use(new Routing(rules, this.#lowerCase));
    const gone = this.#takeHolds();
    this.#options.metrics.generation(rules.generation);
    if (this.#holds.size === 0) gone.add(NO_HOLD);
    if (gone.size > 0) this.#queue.release(gone);
    this.#tellOfWaits();
    if (this.#holds.size === 0) for (const resolve of this.#holdFree.splice(0)) resolve();
    this.#changed();
  }

  /** How the server compares the names of tables, as a session has learned it. */
  setLowerCase(lowerCase: LowerCaseTableNames): void {
    if (lowerCase === this.#lowerCase) return;
    this.#lowerCase = lowerCase;
    this.cache.use(new Routing(this.#rules, lowerCase));
  }

  /** Which of these holds the session must wait for; it passes those that let it finish what it has open. */
  blocking(session: TrafficSession, heldBy: readonly string[]): readonly string[] {
    if (heldBy.length === 0) return heldBy;
    return heldBy.filter((migration) => {
      const hold = this.#holds.get(migration);
      return hold !== undefined && !hold.lets(session);
    });
  }

  /** Whether the lease allows to serve tables of these armed migrations in this very turn. */
  licensed(armedBy: readonly string[]): boolean {
    return armedBy.length === 0 || this.#options.licence.good;
  }

  /** A place for a statement of `client` that must wait; to be used for all its waits. */
  newHeld(bytes: number, client: string): HeldStatement {
    return this.#queue.statement(bytes, this.#options.clock.monotonicMs(), client);
  }

  /** Waits until no hold is in force: a login must not compete with a switch. */
  waitForNoHold(statement: HeldStatement): Promise<HoldOutcome> {
    return this.#holds.size === 0 ? Promise.resolve("released") : this.#queue.wait(statement, [NO_HOLD]);
  }

  /** A statement that was released has its answer, or gets none. */
  answered(statement: HeldStatement): void {
    this.#queue.done(statement);
  }

  waitForRelease(statement: HeldStatement, migrations: readonly string[]): Promise<HoldOutcome> {
    return this.#queue.wait(statement, migrations);
  }

  /** Waits until the licence is good again, or for as long as is allowed. */
  waitForLicence(statement: HeldStatement): Promise<HoldOutcome> {
    this.#licenceTimer ??= setInterval(() => this.#lookAtLicence(), LICENCE_LOOK_MS);
    return this.#queue.wait(statement, [LICENCE]);
  }

  stopWaiting(statement: HeldStatement, outcome: HoldOutcome): void {
    this.#queue.remove(statement, outcome);
  }

  /** A statement has waited for so long, and has been sent or given up. */
  waited(ms: number): void {
    this.#waits += 1;
    this.#longestWaitMs = Math.max(this.#longestWaitMs, ms);
    this.#options.metrics.holdWaited(ms);
  }

  /** Gives up those who have waited out the time of a hold while the store was away. */
  giveUp(migration: string, waitedMs: number): void {
    this.#queue.giveUp(new Set([migration]), this.#options.clock.monotonicMs() - waitedMs);
  }

  /** Resolves when no hold is in force, since logins must not compete with a switch; or when `signal` aborts. */
  holdFree(signal?: AbortSignal): Promise<void> {
    if (this.#holds.size === 0 || signal?.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#holdFree.push(resolve);
    signal?.addEventListener("abort", () => resolve(), { once: true });
    return promise;
  }

  /** To be called whenever a statement of the session has ended, and when the session is gone. */
  settled(session: TrafficSession): void {
    if (this.#holds.size === 0) return;
    const now = this.#options.clock.monotonicMs();
    let drained = false;
    for (const hold of this.#holds.values()) drained = hold.settled(session, now) || drained;
    if (drained) this.#changed();
  }

  close(): void {
    clearInterval(this.#licenceTimer);
    this.#queue.close();
  }

  /** Brings the holds in line with the rules. Answers which migrations no longer hold. */
  #takeHolds(): Set<string> {
    const gone = new Set<string>();
    for (const [migration, hold] of this.#holds) {
      if (this.#rules.holds[migration]?.token === hold.rule.token) continue;
      this.#holds.delete(migration);
      gone.add(migration);
      const openMs = hold.transactionsOpenMs(this.#options.clock.monotonicMs());
      this.#ended.push({ migration, token: hold.rule.token, transactionsOpenMs: openMs });
      this.#options.log.info({ migration, token: hold.rule.token }, "the hold is gone");
    }
    const now = this.#options.clock.monotonicMs();
    for (const [migration, rule] of Object.entries(this.#rules.holds)) {
      if (this.#holds.has(migration)) continue;
      this.#holds.set(migration, new LocalHold(migration, rule, now, this.sessions));
      // Whoever still waits for an earlier hold of the migration waits for this one.
      gone.delete(migration);
      this.#options.log.info({ migration, token: rule.token }, "statements on the migration's tables wait");
    }
    return gone;
  }

  /** Says how long a hold has made its statements wait, once the last of them has gone on. */
  #tellOfWaits(): void {
    if (this.#ended.length === 0 || this.#queue.waiting > 0) return;
    const ended = this.#ended.splice(0);
    // What was woken last is sent in this turn of the event loop.
    setImmediate(() => {
      const waits = { statements: this.#waits, longestWaitMs: this.#longestWaitMs };
      this.#waits = 0;
      this.#longestWaitMs = 0;
      for (const hold of ended) this.#options.log.info({ ...hold, ...waits }, "held statements have gone on");
    });
  }

  #lookAtLicence(): void {
    const { clock, licence, limits } = this.#options;
    if (licence.good) this.#queue.release(new Set([LICENCE]));
    else this.#queue.giveUp(new Set([LICENCE]), clock.monotonicMs() - limits.licenceWaitMs);
    if (this.#queue.waiting > 0) return;
    clearInterval(this.#licenceTimer);
    this.#licenceTimer = undefined;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
