import type { SwitchyardError } from "../base/errors.ts";
import type { StatementFacts, StatementKind } from "../sql/statement.ts";
import { COM } from "../wire/capabilities.ts";
import { statementOffset } from "../wire/query-attributes.ts";
import type { ReplyEnd, ReplyWaiter } from "./reply-jobs.ts";
import type { Session } from "./session.ts";
import type { SessionBackend } from "./session-backends.ts";

/** Kinds that leave nothing behind in the session but the transaction and LAST_INSERT_ID(). */
const PLAIN: ReadonlySet<StatementKind> = new Set(["select", "insert", "replace", "update", "delete"]);

/**
 * The short way of a plain statement: sent in the very call in which it is judged, without a promise. It is open only
 * while each question of the long way, {@link Session.perform}, has its simplest answer:
 *
 * one statement of a plain kind, on tables of one home · no hold and no armed migration on them · nothing that the
 * session has pinned, begun lazily, or keeps in temporary tables · a backend that is open, free, and knows the
 * session's state · no transaction that is open elsewhere.
 *
 * What it does is what the long way would do then; every other command is for that one.
 */
export class PlainStatements implements ReplyWaiter {
  readonly #session: Session;
  #backend: SessionBackend | undefined;
  #inserts = false;

  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Sends a command, if it is a plain statement; {@link Session.commandDone} is called when its reply has ended. False:
   * nothing was done.
   *
   * @throws {SwitchyardError} as the long way would for the same command
   */
  send(payload: Buffer): boolean {
    if (payload[0] !== COM.QUERY) return false;
    const session = this.#session;
    const { state, backends } = session;
    if (state.hasTies) return false;
    const text = payload.subarray(statementOffset(payload, session.applicant.capabilities));
    const { facts, decisions } = state.judge(text, state.names.schema);
    const [only] = facts;
    const [decision] = decisions;
    if (only === undefined || decision === undefined || facts.length > 1 || !isPlain(only)) return false;
    if (decision.kind !== "one" || decision.heldBy.length > 0 || decision.armedBy.length > 0) return false;
    const backend = decision.backend === undefined ? undefined : backends.get(decision.backend);
    if (backend === undefined || !backend.connection.isFree || backends.isBehind(backend, session.shared()))
      return false;
    const at = state.transaction.backend;
    if (at !== undefined && at !== backend.name) return false;
    this.#backend = backend;
    this.#inserts = only.kind === "insert" || only.kind === "replace";
    session.takeOff({ backend: backend.name, tables: decision.tables, everything: false, opens: backends.mayOpen });
    session.context.metrics.statement(backend.name, only.kind);
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
    state.transaction.told(backend.name, backend.connection.inTransaction);
    if (flight !== undefined) state.used(flight.tables);
    this.#session.landed();
  }
}

function isPlain(facts: StatementFacts): boolean {
  return PLAIN.has(facts.kind) && facts.effects.length === 0 && !facts.locksUserLevel && !facts.causesImplicitCommit;
}
