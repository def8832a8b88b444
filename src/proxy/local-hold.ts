import type { HoldAcknowledgement } from "../rules/proxy-document.ts";
import type { HoldRule } from "../rules/rules-document.ts";
import { blockedSession } from "./blocked-session.ts";
import type { TrafficSession } from "./traffic-session.ts";

const OPEN_REPORTED_MAX = 50;

/** Within this most statements that were in flight have ended. */
const ABOUT_TO_DRAIN_MS = 4;

/**
 * A hold as this worker keeps it, from the moment it has heard of it.
 *
 * Who had something open on the old home at that moment may finish it, whatever it touches next: a transaction that
 * has so far used other tables may still need those that are held. The hold has drained when all of that has ended.
 */
export class LocalHold {
  readonly migration: string;
  readonly rule: HoldRule;
  readonly sinceMs: number;
  readonly #open = new Set<TrafficSession>();
  readonly #transactions = new Set<TrafficSession>();
  #transactionsUntilMs: number;

  constructor(migration: string, rule: HoldRule, sinceMs: number, sessions: Iterable<TrafficSession>) {
    this.migration = migration;
    this.rule = rule;
    this.sinceMs = sinceMs;
    this.#transactionsUntilMs = sinceMs;
    const held = new Set(rule.tables);
    for (const session of sessions) {
      const flight = session.flight;
      const flies = flight !== undefined && flight.backend === rule.oldHome;
      const concerned = flies && (flight.opens || flight.everything || flight.tables.some((table) => held.has(table)));
      const open = session.openOn(rule.oldHome) !== undefined;
      if (open) this.#transactions.add(session);
      if (concerned || open) this.#open.add(session);
    }
  }

  get drained(): boolean {
    return this.#open.size === 0;
  }

  /**
   * For how long it is better not to say that something is open: it is about to end, and the word that it has ended,
   * for which a switch waits while clients wait for the switch, would queue behind this one in the store.
   */
  tellAfterMs(nowMs: number): number {
    return this.drained ? 0 : Math.max(0, this.sinceMs + ABOUT_TO_DRAIN_MS - nowMs);
  }

  /** Whom it waits for. */
  get waitsFor(): readonly TrafficSession[] {
    return [...this.#open];
  }

  /** Whether the session may go on at the old home: it has had something open there since before the hold. */
  lets(session: TrafficSession): boolean {
    return this.#open.has(session);
  }

  /**
   * The session has come to the end of a statement, or has gone. Answers whether that was the last thing that was
   * waited for.
   */
  settled(session: TrafficSession, nowMs: number): boolean {
    if (!this.#open.has(session) || session.flight !== undefined) return false;
    if (session.openOn(this.rule.oldHome) !== undefined) return false;
    this.#open.delete(session);
    if (this.#transactions.delete(session)) this.#transactionsUntilMs = nowMs;
    return this.#open.size === 0;
  }

  /** For how long something that a client had open before the hold, such as a transaction, has stayed open in it. */
  transactionsOpenMs(nowMs: number): number {
    return (this.#transactions.size > 0 ? nowMs : this.#transactionsUntilMs) - this.sinceMs;
  }

  acknowledgement(nowMs: number): HoldAcknowledgement {
    const open = [...this.#open].slice(0, OPEN_REPORTED_MAX).map((session) => {
      const tie = session.openOn(this.rule.oldHome);
      if (tie !== undefined) return blockedSession(session, "open", tie, nowMs);
      return blockedSession(session, "statement", { reason: inFlight(session) }, nowMs);
    });
    return { token: this.rule.token, state: this.drained ? "drained" : "holding", open };
  }
}

function inFlight(session: TrafficSession): string {
  return session.sendsFile ? "its client is sending a file (LOAD DATA LOCAL)" : "a statement is in flight";
}
