import { deferred } from "../base/deferred.ts";
import { isSwitchyardError } from "../base/errors.ts";
import { buildErr, type ErrPacket } from "../wire/err-packet.ts";
import { AnsweredHere } from "./answered-here.ts";
import type { Cause, Tie } from "./cause.ts";
import type { ClientConnection, CommandTaker } from "./client-connection.ts";
import { backendLost, killedByOrder, rolledBackBySwitch } from "./client-errors.ts";
import type { Applicant } from "./client-login.ts";
import { dispatchCommand } from "./commands.ts";
import type { Disconnect } from "./disconnect.ts";
import { errorOfOutcome } from "./held-error.ts";
import type { HeldStatement, HoldOutcome } from "./hold-queue.ts";
import { PlainStatements } from "./plain-statement.ts";
import { programOf } from "./program-name.ts";
import type { RefusalReason } from "./proxy-metrics.ts";
import type { ReplyEnd } from "./reply-jobs.ts";
import { settleCalls } from "./routine-calls.ts";
import { type SessionBackend, SessionBackends } from "./session-backends.ts";
import type { SessionContext } from "./session-context.ts";
import { SessionEnding } from "./session-ending.ts";
import { failSession } from "./session-failure.ts";
import { SessionLarge } from "./session-large.ts";
import { backendClosed } from "./session-loss.ts";
import { SessionOrphan } from "./session-orphan.ts";
import { nextPreparation } from "./session-preparation.ts";
import { SessionState } from "./session-state.ts";
import type { Refusal, Route } from "./statement-route.ts";
import { syntaxErrorOf } from "./syntax-error.ts";
import { waitsFor } from "./traffic.ts";
import type { Flight, Immovable, SessionOrigin, TrafficSession } from "./traffic-session.ts";
import { okTelling, type TransactionTold } from "./transaction-told.ts";
import type { Work } from "./work.ts";

const NO_TABLES: readonly string[] = [];
const EMPTY: Buffer = Buffer.alloc(0);

/** Statements that leave a transaction as empty as it was where they name no table, a chained one included. */
const USE_NO_TABLE: ReadonlySet<Work["kind"]> = new Set(["command", "select", "show", "set", "commit", "rollback"]);

/**
 * One logged-in client. It takes a command, has it done, and only then takes the next, so that replies keep their
 * order. See README.md for its states and for the protocol of admission that {@link perform} follows.
 */
export class Session implements TrafficSession, CommandTaker {
  readonly context: SessionContext;
  readonly client: ClientConnection;
  readonly backends: SessionBackends;
  readonly state: SessionState;
  readonly answered = new AnsweredHere();
  readonly id: string;
  /** The thread id that the client was greeted with. */
  readonly threadId: number;
  /** The backend that the client was greeted by. */
  readonly loginBackend: string;
  #applicant: Applicant;
  #user: string;
  #flight: Flight | undefined;
  /** The flight whose bytes have gone out last, and when. */
  #sent: Flight | undefined;
  #sentMs = 0;
  #held: HeldStatement | undefined;
  /** What has gone on behind a hold, until it has its answer. */
  #released: HeldStatement | undefined;
  #heldText: Buffer | undefined;
  readonly #plain = new PlainStatements(this);
  readonly #ending = new SessionEnding(this);
  readonly #served = deferred<void>();
  #end: Disconnect | undefined;
  #closing = false;
  readonly #large = new SessionLarge(this);
  #busy = false;
  #leaving = false;
  readonly #orphan = new SessionOrphan(this);

  constructor(context: SessionContext, client: ClientConnection, applicant: Applicant, first: SessionBackendSeed) {
    this.context = context;
    this.client = client;
    this.#applicant = applicant;
    this.#user = applicant.response.user.toString("utf8");
    this.threadId = first.connection.threadId;
    this.id = String(this.threadId);
    this.loginBackend = first.connection.name;
    this.backends = new SessionBackends(context, (backend, reason) => backendClosed(this, backend, reason));
    this.state = new SessionState(context, first.connection.name);
    const schema = applicant.response.database?.toString("utf8");
    const known = schema === undefined || schema === "" ? undefined : schema;
    this.state.names.use(known);
    this.backends.install(first.connection, { settings: this.state.settings.serial, schema: known });
  }

  /** Who the client has logged in as. */
  get applicant(): Applicant {
    return this.#applicant;
  }

  get user(): string {
    return this.#user;
  }

  get flight(): Flight | undefined {
    return this.#flight;
  }

  /** The flight, if its statement itself is on its way, and not what must come before it. */
  get sentFlight(): Flight | undefined {
    return this.#flight === this.#sent ? this.#flight : undefined;
  }

  /** When its present statement began to wait. */
  get heldSinceMs(): number | undefined {
    return this.#held?.sinceMs;
  }

  /** The statement that waits, and what it waits for. */
  get heldTie(): Tie | undefined {
    if (this.#held === undefined) return undefined;
    const { migrations, sinceMs } = this.#held;
    const text = this.#heldText ?? EMPTY;
    return { reason: waitsFor(migrations), cause: { text, modes: this.state.settings.modes, sinceMs } };
  }

  /** Its statement waits for a file that the client is sending. */
  get sendsFile(): boolean {
    const at = this.#flight?.backend;
    return at !== undefined && this.backends.get(at)?.connection.sendsFile === true;
  }

  /** What its client has sent only half of: a server that is reading hears of no KILL, and has executed nothing. */
  get halfSent(): string | undefined {
    if (this.#large.isComing) return "a statement of more than 16 MiB";
    return this.sendsFile ? "a file (LOAD DATA LOCAL)" : undefined;
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** It is ending, and its connections go. */
  get leaving(): boolean {
    return this.#leaving;
  }

  get origin(): SessionOrigin {
    return { program: programOf(this.#applicant.response.attributes), address: this.client.remote };
  }

  openOn(backend: string): Tie | undefined {
    return this.state.openOn(backend);
  }

  hasUsed(tables: ReadonlySet<string>): boolean {
    return this.state.hasUsed(tables);
  }

  endOpen(backend: string): void {
    this.#ending.endOpen(backend);
  }

  endPinned({ reason }: Tie): void {
    this.#ending.endSession(reason);
  }

  /** An operator has asked for its end: not to be called in the middle of a reply, save where something is {@link halfSent}. */
  endByOrder(why: string): void {
    this.disconnect(
      { source: "proxy", reason: "killed" },
      this.halfSent === undefined ? killedByOrder(why) : undefined,
    );
  }

  async prepareFor(backend: string): Promise<Immovable | undefined> {
    const immovable = (): Immovable | undefined => {
      const tie = this.immovable(backend);
      return tie === undefined ? undefined : { kind: "pinned", reason: tie.reason, cause: tie.cause };
    };
    if (immovable() !== undefined || this.#leaving) return immovable();
    const problem = await this.backends.open(
      backend,
      () => this.applicant,
      () => this.shared(),
    );
    if (problem !== undefined) return { kind: "login", reason: `it cannot log in to ${backend}: ${problem.message}` };
    return immovable();
  }

  /** Why the session cannot do without the other backends than this one. */
  immovable(backend: string): Tie | undefined {
    if (this.state.unknownCalls.size > 0) settleCalls(this);
    return this.state.names.temporaryElsewhere(backend) ?? this.state.pins.against(backend);
  }

  shared(schema = this.state.names.schema): Parameters<SessionBackends["bringUpToDate"]>[1] {
    return { settings: this.state.settings, schema, option: this.state.option };
  }

  /** The client is somebody else from now on: nothing of the session's state is left, and it has this schema. */
  becomes(applicant: Applicant, schema: string | undefined): void {
    this.uncount();
    this.#applicant = applicant;
    this.#user = applicant.response.user.toString("utf8");
    this.context.userSessions.enter(this.#user, 0);
    this.state.reset("login");
    this.state.names.use(schema);
  }

  /** It does not count among its user's sessions any more. */
  uncount(): void {
    this.context.userSessions.leave(this.#user);
  }

  /** What a session that has begun anew had open, or could not be moved for, is gone. */
  startedAnew(localAddress: string): void {
    this.context.account(this.user, localAddress);
    this.context.arming.changed(this);
    this.context.traffic.settled(this);
  }

  /** Serves the client until it leaves. Resolves when everything of the session has ended on every server. */
  async run(): Promise<Disconnect> {
    this.context.traffic.sessions.add(this);
    this.context.byThread.set(this.threadId, this);
    void this.client.gone.then(() => {
      this.#abandon();
      this.#orphan.begin();
    });
    this.client.serve(this);
    await this.#served.promise;
    await this.#leave();
    this.#orphan.end();
    return this.#end ?? { source: "client", reason: "gone" };
  }

  /** Has a command done: at once where it is a plain statement, else by the long way. */
  command(payload: Buffer): void {
    if (this.#end !== undefined) {
      this.#served.resolve();
      return;
    }
    this.#busy = true;
    const telling = this.#ending.tell(payload);
    if (telling === undefined) this.#do(payload);
    else {
      const goOn = (told: boolean): void => (told ? this.commandDone() : this.#do(payload));
      telling.then(goOn, (error: unknown) => this.over(error));
    }
  }

  #do(payload: Buffer): void {
    try {
      if (this.#plain.send(payload)) return;
    } catch (error) {
      this.over(error);
      return;
    }
    dispatchCommand(this, payload).then(
      (goesOn) => {
        if (goesOn) this.commandDone();
        else this.#quit();
      },
      (error: unknown) => this.over(error),
    );
  }

  /** Has a command of more than one packet done, of which the first has come. */
  largeCommand(head: Buffer): void {
    if (this.#end !== undefined) {
      this.#served.resolve();
      return;
    }
    this.#busy = true;
    this.#large.run(head, this.#ending.tell(head)).then(
      () => this.commandDone(),
      (error: unknown) => this.over(error),
    );
  }

  /** From this turn on the statement in flight counts as touching everything. Only while one is. */
  widenFlight(): void {
    if (this.#flight !== undefined) this.takeOff({ ...this.#flight, everything: true, opens: true });
  }

  over(error: unknown): void {
    if (error !== undefined) failSession(this, error);
    this.#served.resolve();
  }

  /** The present command has been answered to its end. */
  commandDone(): void {
    const ending = this.#ending.commandDone();
    if (ending === undefined) this.#rest();
    else
      ending.then(
        () => this.#rest(),
        (error: unknown) => this.over(error),
      );
  }

  #rest(): void {
    this.#busy = false;
    if (this.#closing) this.close();
    this.client.next();
  }

  /** A statement is on its way from this turn on. */
  takeOff(flight: Flight): void {
    if (this.#flight === undefined) this.#sentMs = this.context.clock.monotonicMs();
    this.#flight = flight;
    this.#sent = flight;
  }

  #answered(): void {
    this.context.metrics.times.add(this.context.clock.monotonicMs() - this.#sentMs);
  }

  /** The statement that has taken off has ended, and with it the command. */
  landed(): void {
    this.#flight = undefined;
    this.#answered();
    this.context.traffic.settled(this);
    this.commandDone();
  }

  /** The backend of the statement in flight is gone: the client hears so where it has got nothing of the reply. */
  lostInFlight(backend: SessionBackend): void {
    // A client that leaves in the middle of a file takes the backend with it, not the other way round.
    if (this.client.isGone) this.giveUp();
    this.disconnect(
      { source: "backend", reason: "lost" },
      backend.connection.relayedSome ? undefined : backendLost(backend.name),
    );
  }

  /** Ends the session when its present statement and transaction have ended; at once where it has none. */
  close(): void {
    this.#closing = true;
    if (!this.#busy && this.state.transaction.isNone) this.disconnect({ source: "proxy", reason: "shutdown" });
  }

  /** Ends the session now. The first reason given is the one that counts. */
  disconnect(end: Disconnect, last?: ErrPacket): void {
    this.#end ??= end;
    if (last !== undefined && !this.client.isGone) this.client.send(buildErr(last));
    this.client.end();
    this.#abandon();
  }

  /** KILL QUERY for a statement that waits. False where none does. */
  killHeld(): boolean {
    if (this.#held === undefined) return false;
    this.context.traffic.stopWaiting(this.#held, "killed");
    return true;
  }

  /** Answers the present command with an error of the proxy's own; a large one, when the client has sent all of it. */
  refuse(reason: RefusalReason, error: ErrPacket): void {
    this.context.metrics.refused(reason);
    this.answerError(error);
  }

  /** Answers the present command with an error that no server has sent, or not as the answer to this command. */
  answerError(error: ErrPacket): void {
    this.answered.note(this.#sent, error);
    this.#large.whenSent(() => this.client.send(buildErr(error)));
  }

  /** How the last command went, where no server knows of it. */
  get answeredHere(): ReturnType<AnsweredHere["since"]> {
    return this.answered.since(this.#sent);
  }

  /** Answers the present command with the OK that the server would have sent; `told` as it tells of a transaction. */
  answerOk(told?: TransactionTold): void {
    const backend = this.backends.get(this.state.lastBackend) ?? this.backends.all[0];
    this.answered.note(this.#sent);
    this.client.send(okTelling(told, this.state.statusLike(backend), this.applicant.capabilities));
  }

  /**
   * Has one command done: judges it, waits where a hold or the licence demands it, gets the backend ready, and sends
   * it in the same turn of the event loop in which it was last judged. Answers undefined where nothing was sent; the
   * client then has its answer.
   */
  async perform(work: Work): Promise<ReplyEnd | undefined> {
    try {
      return await this.#perform(work);
    } finally {
      if (this.#released !== undefined) this.context.traffic.answered(this.#released);
      this.#released = undefined;
    }
  }

  async #perform(work: Work): Promise<ReplyEnd | undefined> {
    const { traffic } = this.context;
    for (;;) {
      const route = work.route();
      if (route.refusal !== undefined) return await this.#refuseRoute(route.refusal);
      const blocking = traffic.blocking(this, route.heldBy);
      if (blocking.length > 0) {
        if (!(await this.#wait(work, route, (held) => traffic.waitForRelease(held, blocking)))) return undefined;
        continue;
      }
      if (!traffic.licensed(route.armedBy)) {
        if (!(await this.#wait(work, route, (held) => traffic.waitForLicence(held)))) return undefined;
        continue;
      }
      // From here to the first byte nothing is awaited: what was just found is still true when it is sent.
      this.#begin(work, route);
      try {
        const step = nextPreparation(this, work, route);
        if (step === undefined) return await this.#send(work, route);
        const problem = await step;
        if (problem !== undefined) {
          this.refuse("backend", problem);
          return undefined;
        }
      } catch (error) {
        if (!isSwitchyardError(error, "PROXY_BACKEND_LOST")) throw error;
        this.disconnect({ source: "backend", reason: "lost" });
        return undefined;
      } finally {
        this.#flight = undefined;
        traffic.settled(this);
      }
      if (this.client.isGone) return this.giveUp();
      const opens = this.backends.get(route.backend) === undefined && traffic.holds.size > 0;
      if (opens && !(await this.#wait(work, route, (held) => traffic.waitForNoHold(held)))) return undefined;
    }
  }

  /** Nobody waits for the present statement any more: it must not be sent if it was not yet. */
  #abandon(): void {
    if (this.#held === undefined) return;
    this.giveUp();
    this.context.traffic.stopWaiting(this.#held, "abandoned");
  }

  /** Its client has gone, and something that it had sent was not carried out: nothing that it has sent behind it is. */
  giveUp(): undefined {
    this.#end ??= { source: "client", reason: "gone" };
  }

  #begin(work: Work, route: Route): void {
    if (this.#held !== undefined) this.#endWait();
    const opens = work.opens || (route.chooses && this.state.transaction.isLazy);
    this.#flight = { backend: route.backend, tables: route.tables, everything: route.everything, opens };
  }

  async #send(work: Work, route: Route): Promise<ReplyEnd> {
    const { state, context } = this;
    const backend = this.#backend(route.backend);
    const stays = state.transaction.isLazy && !route.chooses;
    const cause = this.#openingCause(work);
    context.metrics.statement(route.backend, work.kind);
    this.#sent = this.#flight;
    this.#sentMs = context.clock.monotonicMs();
    let end: ReplyEnd;
    try {
      end = await work.send(backend, stays ? state.transaction.lazyFlags : 0);
      this.#answered();
    } catch (error) {
      if (isSwitchyardError(error, "PROXY_BACKEND_LOST")) this.lostInFlight(backend);
      throw error;
    }
    state.lastBackend = route.backend;
    // Taken back: its connection was closed before a server had all of it.
    if (end.unsent === true) return end;
    // An ERR carries no status: a deadlock has ended the transaction, a lock timeout has not.
    if (end.error !== undefined && (route.chooses || !state.transaction.isNone)) await backend.connection.refresh();
    const usedNone = !route.chooses && USE_NO_TABLE.has(work.kind);
    if (!stays) state.transaction.told(route.backend, backend.connection.inTransaction, usedNone);
    if (cause !== undefined) state.transaction.causedBy(cause);
    if (work.after !== undefined) await work.after(backend, end);
    // Tables that are only looked at elsewhere do not belong together.
    state.used(route.away === true ? NO_TABLES : route.tables);
    if (route.hint !== undefined) context.metrics.routeHint(route.hint);
    if (route.armedBy.length > 0) context.arming.used(this, route.armedBy);
    return end;
  }

  /** Remembers a statement that may open a transaction, or whose transaction has just been opened for it. */
  #openingCause({ text, opens, kind }: Work): Cause | undefined {
    const { transaction } = this.state;
    if (text === undefined || transaction.cause !== undefined) return undefined;
    return opens || kind === "xa" || transaction.backend !== undefined ? this.state.causeNow(text) : undefined;
  }

  #backend(name: string): SessionBackend {
    const backend = this.backends.get(name);
    if (backend === undefined) throw new Error(`backend ${name} is not open`);
    return backend;
  }

  async #refuseRoute(refusal: Refusal): Promise<undefined> {
    const heldThen = this.#held !== undefined;
    if (heldThen) this.#endWait();
    const at = this.state.transaction.backend;
    if (!heldThen || refusal.beyond === undefined || at === undefined || this.state.transaction.isXa) {
      const { notUnderstood } = refusal;
      const noSql = notUnderstood === undefined ? undefined : await syntaxErrorOf(this, notUnderstood);
      if (noSql === undefined) this.refuse(refusal.reason, refusal.error);
      else this.answerError(noSql);
      return undefined;
    }
    // The transaction began during the hold on tables that stayed; now the table that it reached has moved.
    const backend = this.backends.get(at);
    await backend?.connection.rollBack();
    this.state.transaction.ended();
    this.context.traffic.settled(this);
    this.refuse("rolled-back", rolledBackBySwitch(refusal.beyond));
    return undefined;
  }

  /** Waits for the release of a hold, or for the licence. False: the statement goes unsent, and that was answered. */
  async #wait(work: Work, route: Route, wait: (held: HeldStatement) => Promise<HoldOutcome>): Promise<boolean> {
    const { traffic, clock } = this.context;
    this.#held ??= traffic.newHeld(work.bytes, `${this.user}@${this.client.remote}`);
    this.#heldText = work.text;
    const held = this.#held;
    if (this.client.isGone) {
      this.giveUp();
      return this.#endWait();
    }
    const waiting = wait(held);
    const limitMs = work.timeLimitMs - (clock.monotonicMs() - held.sinceMs);
    const timer =
      work.timeLimitMs === 0
        ? undefined
        : setTimeout(() => traffic.stopWaiting(held, "timed-out"), Math.max(0, limitMs));
    const outcome: HoldOutcome = await waiting;
    clearTimeout(timer);
    if (outcome === "released") {
      this.#released = held;
      return true;
    }
    const waitedMs = clock.monotonicMs() - held.sinceMs;
    this.#endWait();
    const error = errorOfOutcome(outcome, route, waitedMs, this.context.limits);
    if (error !== undefined) this.refuse(error.reason, error.error);
    return false;
  }

  #endWait(): false {
    if (this.#held !== undefined) {
      this.context.traffic.waited(this.context.clock.monotonicMs() - this.#held.sinceMs);
    }
    this.#held = undefined;
    this.#heldText = undefined;
    return false;
  }

  #quit(): void {
    this.#busy = false;
    this.#end ??= { source: "client", reason: "quit" };
    this.#served.resolve();
  }

  /** The client is gone: what it has open is rolled back before the connections go. Until then it counts as open. */
  async #leave(): Promise<void> {
    this.#leaving = true;
    this.client.end();
    // A server that was started anew counts from the beginning: the id may be another session's by now.
    if (this.context.byThread.get(this.threadId) === this) this.context.byThread.delete(this.threadId);
    try {
      await this.#ending.undone;
      await this.backends.close();
    } finally {
      this.state.reset("login");
      this.uncount();
      this.context.traffic.sessions.delete(this);
      this.context.arming.left(this);
      this.context.traffic.settled(this);
    }
  }
}

/** The connection on which a session has logged in. */
export interface SessionBackendSeed {
  readonly connection: SessionBackend["connection"];
}
