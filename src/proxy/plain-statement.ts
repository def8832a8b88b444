import type { SwitchyardError } from "../base/errors.ts";
import type { Judgement } from "../rules/judgement.ts";
import type { StatementFacts, StatementKind } from "../sql/statement.ts";
import { COM } from "../wire/capabilities.ts";
import { statementOffset } from "../wire/query-attributes.ts";
import type { Cause } from "./cause.ts";
import { EXECUTE_HEAD_BYTES, readExecute, statementIdOf } from "./prepared-statement.ts";
import type { ReplyEnd, ReplyWaiter } from "./reply-jobs.ts";
import type { Session } from "./session.ts";
import type { SessionBackend } from "./session-backends.ts";

/** Kinds that leave nothing behind in the session but the transaction and LAST_INSERT_ID(). */
const PLAIN: ReadonlySet<StatementKind> = new Set(["select", "insert", "replace", "update", "delete"]);

const NONE: readonly string[] = [];

/** Where a command goes at once, and what it is there. */
interface Plain {
  readonly backend: SessionBackend;
  readonly tables: readonly string[];
  readonly kind: StatementKind | "command";
}

/**
 * The short way of a plain command: sent in the very call in which it is judged, without a promise. It is open only
 * while each question of the long way, {@link Session.perform}, has its simplest answer:
 *
 * one statement of a plain kind, on tables of one home or on none, as text, or prepared at that home and executed
 * without a cursor and without values sent ahead; the end of a transaction that is open; or a ping · no hold and no
 * armed migration on its tables · nothing that the session has pinned, begun lazily, or keeps in temporary tables · a
 * backend that is open, free, and knows the session's state · no transaction that is open elsewhere.
 *
 * What it does is what the long way would do then; every other command is for that one.
 */
export class PlainStatements implements ReplyWaiter {
  readonly #session: Session;
  #backend: SessionBackend | undefined;
  #inserts = false;
  #cause: Cause | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Sends a command, if it is a plain one; {@link Session.commandDone} is called when its reply has ended. False:
   * nothing was done.
   *
   * @throws {SwitchyardError} as the long way would for the same command
   */
  send(payload: Buffer): boolean {
    switch (payload[0]) {
      case COM.QUERY:
        return this.#query(payload);
      case COM.STMT_EXECUTE:
        return this.#execute(payload);
      case COM.PING:
        return this.#ping(payload);
      default:
        return false;
    }
  }

  #query(payload: Buffer): boolean {
    const { state, applicant } = this.#session;
    if (state.hasTies) return false;
    const text = payload.subarray(statementOffset(payload, applicant.capabilities));
    const plain = this.#judge(state.judgeShape(text));
    return plain !== undefined && this.#go(plain, payload, text);
  }

  #execute(payload: Buffer): boolean {
    const { state, applicant } = this.#session;
    if (state.hasTies || state.longDataBytes > 0 || payload.length < EXECUTE_HEAD_BYTES) return false;
    const statement = state.prepared.get(statementIdOf(payload));
    if (statement === undefined || statement.longData.size > 0) return false;
    const plain = this.#judge(state.judgePrepared(statement));
    const handle = plain === undefined ? undefined : statement.handles.get(plain.backend.connection);
    if (plain === undefined || handle === undefined) return false;
    const parts = readExecute(payload, statement.parameters, applicant.capabilities);
    if (parts.opensCursor) return false;
    statement.takeTypes(parts);
    return this.#go(plain, statement.executeAt(plain.backend.connection, handle, payload, parts), statement.text);
  }

  #ping(payload: Buffer): boolean {
    const { state } = this.#session;
    if (state.hasTies || this.#session.answeredHere !== undefined) return false;
    // It tells how many warnings the last statement had.
    const backend = this.#ready(state.transaction.backend ?? state.lastBackend);
    return backend !== undefined && this.#go({ backend, tables: NONE, kind: "command" }, payload);
  }

  #judge({ facts, decisions }: Judgement): Plain | undefined {
    const [only] = facts;
    const [decision] = decisions;
    if (only === undefined || decision === undefined || facts.length > 1 || decisions.length > 1) return undefined;
    if (!isPlain(only) && !this.#endsTransaction(only)) return undefined;
    if (only.kind !== "select" && this.#session.state.routing.triggersLeave) return undefined;
    const { kind, heldBy, armedBy, tables } = decision;
    if (heldBy.length > 0 || armedBy.length > 0) return undefined;
    const name = kind === "one" ? decision.backend : kind === "any" ? this.#homeOfNone() : undefined;
    const backend = this.#ready(name);
    return backend === undefined ? undefined : { backend, tables, kind: only.kind };
  }

  #endsTransaction(facts: StatementFacts): boolean {
    if (facts.kind !== "commit" && facts.kind !== "rollback") return false;
    const isWhole = facts.chain !== true && facts.release !== true && facts.effects.length === 0;
    return isWhole && this.#session.state.transaction.backend !== undefined;
  }

  /** Where a command goes that names no table and looks back at none. */
  #homeOfNone(): string {
    const { state, context } = this.#session;
    return state.transaction.backend ?? context.traffic.rules.default;
  }

  /** A backend that may get a command in this very turn. */
  #ready(name: string | undefined): SessionBackend | undefined {
    const { state, backends } = this.#session;
    const backend = name === undefined ? undefined : backends.get(name);
    if (backend === undefined || !backend.connection.isFree) return undefined;
    if (backends.isBehind(backend, this.#session.shared())) return undefined;
    const at = state.transaction.backend;
    return at === undefined || at === name ? backend : undefined;
  }

  #go({ backend, tables, kind }: Plain, payload: Buffer, text?: Buffer): true {
    const session = this.#session;
    this.#backend = backend;
    this.#inserts = kind === "insert" || kind === "replace";
    const opens = session.backends.mayOpen;
    const { state } = session;
    const first = opens && text !== undefined && state.transaction.cause === undefined;
    this.#cause = first ? state.causeNow(text) : undefined;
    session.takeOff({ backend: backend.name, tables, everything: false, opens });
    session.context.metrics.statement(backend.name, kind);
    backend.connection.relayFor(this, payload, session.client);
    return true;
  }

  ended({ error }: ReplyEnd): void {
    const backend = this.#backend;
    if (backend === undefined) return;
    this.#session.state.lastBackend = backend.name;
    if (error === undefined) {
      if (this.#inserts) this.#session.state.insertBackend = backend.name;
      this.#land(backend);
      return;
    }
    // An ERR carries no status: a deadlock has ended the transaction, a lock timeout has not.
    backend.connection.refresh().then(
      () => this.#land(backend),
      () => {
        this.#session.disconnect({ source: "backend", reason: "lost" });
        this.#session.landed();
      },
    );
  }

  lost(_error: SwitchyardError): void {
    const backend = this.#backend;
    if (backend === undefined) return;
    this.#session.lostInFlight(backend);
    // In flight until the session has heard that the connection is gone: it was not an idle one.
    void backend.connection.closed.then(() => this.#session.landed());
  }

  #land(backend: SessionBackend): void {
    const { state, flight } = this.#session;
    state.transaction.told(backend.name, backend.connection.inTransaction, flight?.tables.length === 0);
    if (this.#cause !== undefined) state.transaction.causedBy(this.#cause);
    if (flight !== undefined) state.used(flight.tables);
    this.#session.landed();
  }
}

/** It leaves nothing behind in the session but the transaction and LAST_INSERT_ID(). */
export function isPlain(facts: StatementFacts): boolean {
  const quiet = facts.effects.length === 0 && facts.calls === undefined && facts.routeHint === undefined;
  return PLAIN.has(facts.kind) && quiet && !facts.locksUserLevel && !facts.causesImplicitCommit;
}
