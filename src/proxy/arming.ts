import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { ArmedAcknowledgement, BlockedSession } from "../rules/proxy-document.ts";
import type { ArmedRule } from "../rules/rules-document.ts";
import { blockedSession } from "./blocked-session.ts";
import type { Traffic } from "./traffic.ts";
import type { Immovable, TrafficSession } from "./traffic-session.ts";

const BLOCKED_REPORTED_MAX = 50;

/** One arming under way: which sessions are to be prepared, and what became of them. */
class ArmingTask {
  readonly rule: ArmedRule;
  readonly tables: ReadonlySet<string>;
  readonly waiting = new Set<TrafficSession>();
  readonly working = new Set<TrafficSession>();
  readonly done = new Set<TrafficSession>();
  readonly blocked = new Map<TrafficSession, Immovable>();
  /** Sessions that are pinned have had their time: from now on they are ended. */
  endsPinned = false;

  constructor(rule: ArmedRule) {
    this.rule = rule;
    this.tables = new Set(rule.tables);
  }

  get ready(): boolean {
    return this.waiting.size === 0 && this.working.size === 0;
  }
}

/**
 * Gets sessions ready for a switch that is near: each session that has used one of the migration's tables logs in to
 * the new home and replays its state there, a few at a time, and never while a hold is in force. Sessions that use
 * the tables for the first time later are added.
 */
export class Arming {
  readonly #traffic: Traffic;
  readonly #log: Logger;
  readonly #loginsMax: number;
  readonly #onChange: () => void;
  readonly #clock: Clock;
  readonly #tasks = new Map<string, ArmingTask>();
  #working = 0;

  constructor(options: { traffic: Traffic; clock: Clock; log: Logger; loginsMax: number; onChange: () => void }) {
    this.#clock = options.clock;
    this.#traffic = options.traffic;
    this.#log = options.log;
    this.#loginsMax = options.loginsMax;
    this.#onChange = options.onChange;
    this.#traffic.onChange(() => this.#look());
    this.#look();
  }

  /** What is said to the controller, by migration. */
  acknowledgements(nowMs: number): Record<string, ArmedAcknowledgement> {
    const result: Record<string, ArmedAcknowledgement> = {};
    for (const [migration, task] of this.#tasks) {
      const blocked: BlockedSession[] = [...task.blocked]
        .slice(0, BLOCKED_REPORTED_MAX)
        .map(([session, tie]) => blockedSession(session, tie.kind, tie, nowMs));
      result[migration] = { token: task.rule.token, state: task.ready ? "ready" : "preparing", blocked };
    }
    return result;
  }

  /** A session has used tables of an armed migration. */
  used(session: TrafficSession, migrations: readonly string[]): void {
    for (const migration of migrations) {
      const task = this.#tasks.get(migration);
      if (task === undefined || task.done.has(session) || task.working.has(session)) continue;
      if (task.waiting.has(session)) continue;
      task.waiting.add(session);
      this.#judge(task, session);
      this.#start();
    }
  }

  /** A session's state has changed so that it may, or may not, be movable now. */
  changed(session: TrafficSession): void {
    for (const task of this.#tasks.values()) {
      if (!task.done.has(session) && !task.working.has(session) && !task.waiting.has(session)) continue;
      this.#judge(task, session);
    }
    this.#start();
  }

  /** What keeps a session from following is told at once, also while a hold is in force: it takes no login to know. */
  #judge(task: ArmingTask, session: TrafficSession): void {
    const tie = session.immovable?.(task.rule.newHome);
    const was = task.blocked.has(session);
    if (tie === undefined) {
      task.blocked.delete(session);
      if (task.done.delete(session)) task.waiting.add(session);
    } else this.#block(task, session, { kind: "pinned", reason: tie.reason, cause: tie.cause });
    if (was !== task.blocked.has(session)) this.#onChange();
  }

  left(session: TrafficSession): void {
    for (const task of this.#tasks.values()) {
      const was = task.ready && task.blocked.size === 0;
      task.waiting.delete(session);
      task.done.delete(session);
      task.blocked.delete(session);
      if (!was) this.#onChange();
    }
  }

  #look(): void {
    const { armed } = this.#traffic.rules;
    for (const [migration, task] of this.#tasks) {
      if (armed[migration]?.token !== task.rule.token) this.#tasks.delete(migration);
    }
    for (const [migration, rule] of Object.entries(armed)) {
      if (this.#tasks.has(migration)) continue;
      const task = new ArmingTask(rule);
      for (const session of this.#traffic.sessions) if (session.hasUsed(task.tables)) task.waiting.add(session);
      this.#tasks.set(migration, task);
      if (rule.endPinnedAfterMs !== undefined) {
        void this.#clock.sleep(rule.endPinnedAfterMs).then(() => this.#endPinned(migration, task));
      }
      this.#log.info({ migration, token: rule.token, sessions: task.waiting.size }, "armed: sessions get ready");
    }
    this.#start();
  }

  #start(): void {
    for (const task of this.#tasks.values()) {
      for (const session of task.waiting) {
        if (this.#working >= this.#loginsMax) return;
        task.waiting.delete(session);
        task.working.add(session);
        this.#working += 1;
        void this.#prepare(task, session);
      }
    }
  }

  #endPinned(migration: string, task: ArmingTask): void {
    if (this.#tasks.get(migration) !== task) return;
    task.endsPinned = true;
    for (const [session, tie] of [...task.blocked]) this.#endWherePinned(task, session, tie);
  }

  #block(task: ArmingTask, session: TrafficSession, tie: Immovable): void {
    task.blocked.set(session, tie);
    this.#endWherePinned(task, session, tie);
  }

  /** A session that cannot follow is ended where that was asked for and its time is over. */
  #endWherePinned(task: ArmingTask, session: TrafficSession, tie: Immovable): void {
    const current = [...this.#tasks.values()].includes(task);
    if (tie.kind !== "pinned" || !current || !task.endsPinned) return;
    const who = { session: session.id, user: session.user, ...session.origin };
    this.#log.warn({ ...who, reason: tie.reason }, "ended, since the switch was told to wait no longer");
    session.endPinned?.(tie);
  }

  async #prepare(task: ArmingTask, session: TrafficSession): Promise<void> {
    await this.#traffic.holdFree();
    const tie = await session
      .prepareFor(task.rule.newHome)
      .catch((error: unknown): Immovable => ({ kind: "login", reason: messageOf(error) }));
    this.#working -= 1;
    task.working.delete(session);
    if (this.#traffic.sessions.has(session)) {
      task.done.add(session);
      if (tie === undefined) task.blocked.delete(session);
      else this.#block(task, session, tie);
    }
    this.#start();
    this.#onChange();
  }
}
