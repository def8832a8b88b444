import { COM, PACKET_PAYLOAD_MAX } from "../wire/capabilities.ts";
import { statementOffset } from "../wire/query-attributes.ts";
import type { BackendConnection } from "./backend-connection.ts";
import { rolledBackByOrder } from "./client-errors.ts";
import { killAt } from "./kill-command.ts";
import { executeRefused } from "./prepared-commands.ts";
import { statementIdOf } from "./prepared-statement.ts";
import type { Session } from "./session.ts";

/** What an operator has asked to be ended: what is open at a backend, or the session. */
type Order = { readonly what: "open"; readonly backend: string } | { readonly what: "session"; readonly why: string };

const LOOK_MS = 2;

/**
 * Ends what a session has open, or the session, for a switch that was told not to wait for it.
 *
 * A statement that runs is killed; only when it has been answered the rest is ended, so that its client hears the truth
 * of it. A transaction is rolled back, and the client told so at its next statement, a COMMIT included, by the error with
 * which servers ask for a transaction to be made again. Where more is open, such as a lock, the session ends: its client
 * would go on believing that it has it.
 */
export class SessionEnding {
  readonly #session: Session;
  #order: Order | undefined;
  /** The KILL of its statement, until the server has taken it. */
  #kill: Promise<void> | undefined;
  /** Its transaction is undone when this settles, and the client does not know it yet. */
  #undone: Promise<void> | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  endOpen(backend: string): void {
    this.#begin({ what: "open", backend });
  }

  endSession(why: string): void {
    this.#begin({ what: "session", why });
  }

  /** Settles when its transaction has been undone, if that is under way. */
  get undone(): Promise<void> | undefined {
    return this.#undone;
  }

  /** The present command has been answered. What must come before the next one, if anything. */
  commandDone(): Promise<void> | undefined {
    return this.#order === undefined ? undefined : this.#carryOut(this.#order);
  }

  /**
   * Whether the client is told by way of this command that its transaction was undone. Undefined where none was. Of a
   * large command the first packet will do.
   */
  tell(payload: Buffer): Promise<boolean> | undefined {
    return this.#undone === undefined ? undefined : this.#tell(this.#undone, payload);
  }

  #begin(order: Order): void {
    if (this.#order !== undefined || (order.what === "open" && this.#undone !== undefined)) return;
    const session = this.#session;
    this.#order = order;
    const { halfSent } = session;
    if (!session.busy) void this.#carryOut(order);
    // Half a command or file is ended by closing its connection.
    else if (halfSent !== undefined) session.endByOrder(`its client was sending ${halfSent}`);
    else this.#kill = killAt(session);
  }

  /** Until it waits for something, nothing comes between the call and the end. */
  async #carryOut(order: Order): Promise<void> {
    const session = this.#session;
    const kill = this.#kill;
    this.#order = undefined;
    this.#kill = undefined;
    // One that came late would meet a later statement.
    if (kill !== undefined) await kill;
    if (order.what === "session") return session.endByOrder(order.why);
    const tie = session.openOn(order.backend);
    if (tie === undefined) return;
    const connection = session.backends.get(order.backend)?.connection;
    if (connection === undefined || session.state.moreThanTransactionOn(order.backend))
      return session.endByOrder(tie.reason);
    this.#undone = this.#rollBack(connection);
    await this.#undone;
  }

  async #rollBack(connection: BackendConnection): Promise<void> {
    const session = this.#session;
    const { clock, traffic } = session.context;
    while (!connection.isFree && !connection.isLost) await clock.sleep(LOOK_MS);
    const answer = await connection.rollBack().catch(() => undefined);
    if (answer === undefined || answer.error !== undefined || connection.inTransaction)
      return session.endByOrder("its transaction cannot be rolled back");
    session.state.transaction.ended();
    session.state.used([]);
    traffic.settled(session);
  }

  async #tell(undone: Promise<void>, payload: Buffer): Promise<boolean> {
    await undone;
    const heard = this.#hears(payload);
    if (heard === "nothing yet") return false;
    this.#undone = undefined;
    if (heard === "it has given it up itself") return false;
    if (payload[0] === COM.STMT_EXECUTE) executeRefused(this.#session, payload);
    this.#session.refuse("rolled-back", rolledBackByOrder());
    return true;
  }

  /** What a client learns, or need not learn, by sending this command. */
  #hears(payload: Buffer): "nothing yet" | "it was undone" | "it has given it up itself" {
    const { state, applicant } = this.#session;
    switch (payload[0]) {
      case COM.QUERY: {
        // Nothing so large is a mere ROLLBACK.
        if (payload.length >= PACKET_PAYLOAD_MAX) return "it was undone";
        const text = payload.subarray(statementOffset(payload, applicant.capabilities));
        return this.#asks(state.judge(text, state.names.schema).facts);
      }
      case COM.STMT_EXECUTE: {
        const statement = payload.length < 5 ? undefined : state.prepared.get(statementIdOf(payload));
        return statement === undefined ? "nothing yet" : this.#asks(state.judgeKept(statement).facts);
      }
      case COM.QUIT:
      case COM.RESET_CONNECTION:
      case COM.CHANGE_USER:
        return "it has given it up itself";
      default:
        return "nothing yet";
    }
  }

  #asks(facts: readonly { readonly kind: string }[]): "it was undone" | "it has given it up itself" {
    return facts.length === 1 && facts[0]?.kind === "rollback" ? "it has given it up itself" : "it was undone";
  }
}
