import { SwitchyardError } from "../base/errors.ts";
import type { BinlogEvent, GtidEvent, QueryEvent, RowsEvent } from "./binlog-event.ts";
import { refusedEvent } from "./event-checks.ts";
import { STATEMENT_EVENTS } from "./event-types.ts";
import { shapeOf, TRANSACTION_STEPS, type TransactionState } from "./transaction-states.ts";

/**
 * The log as a sequence of transactions: `begin`, its rows and statements, `end`.
 *
 * An end says how: `commit` (also DDL, which comes as one `statement` between begin and end, and XA COMMIT or XA
 * ROLLBACK, which come without rows), or `prepare` for an XA branch whose outcome is not known yet.
 */
export type TransactionPart =
  | { readonly kind: "begin"; readonly event: GtidEvent }
  | { readonly kind: "rows"; readonly event: RowsEvent }
  | { readonly kind: "statement"; readonly event: QueryEvent }
  | { readonly kind: "end"; readonly how: "commit" | "prepare" };

/**
 * Follows the events of one dump through the shapes that a transaction may have. One reader per dump; after a lost
 * connection a new one begins between transactions, and the part-read transaction comes again whole.
 */
export class TransactionReader {
  #state: TransactionState = "between";
  #gtid = "none yet";

  /** Whether the next event begins a transaction. */
  get isBetween(): boolean {
    return this.#state === "between";
  }

  /**
   * The parts that an event adds. A payload is unpacked at once; who wants it in pieces pushes the events of its
   * `stream()` one by one.
   *
   * @throws {SwitchyardError} `BINLOG_TRANSACTION_SHAPE`, `BINLOG_EVENT_REFUSED` for a transaction without GTID, and
   *   what decoding a payload throws
   */
  *push(event: BinlogEvent): Generator<TransactionPart> {
    if (event.kind === "payload") {
      for (const inner of event.events()) yield* this.push(inner);
      return;
    }
    if (event.kind === "anonymous-gtid") throw refusedEvent("a transaction without GTID", "Set gtid_mode=ON.");
    const shape = shapeOf(event);
    const step = TRANSACTION_STEPS[this.#state][shape];
    if ("refuse" in step) throw this.#refused(nameOf(event, shape), step.refuse);
    this.#state = step.to;
    switch (step.emit) {
      case "nothing":
        return;
      case "begin":
        if (event.kind === "gtid") {
          this.#gtid = `${event.gtid.uuid}:${event.gtid.tag === "" ? "" : `${event.gtid.tag}:`}${event.gtid.gno}`;
          yield { kind: "begin", event };
        }
        return;
      case "rows":
        if (event.kind === "rows") yield { kind: "rows", event };
        return;
      case "statement":
        if (event.kind === "query") yield { kind: "statement", event };
        return;
      case "end-statement":
        if (event.kind === "query") yield { kind: "statement", event };
        yield { kind: "end", how: "commit" };
        return;
      case "end-commit":
        yield { kind: "end", how: "commit" };
        return;
      case "end-prepare":
        yield { kind: "end", how: "prepare" };
        return;
    }
  }

  #refused(shape: string, why: string): SwitchyardError {
    return new SwitchyardError("BINLOG_TRANSACTION_SHAPE", {
      what: `the event "${shape}" cannot be followed: ${why}`,
      details: [`transaction  ${this.#gtid}`, `reader       ${this.#state}`],
      changed: "The stream stopped; nothing of this transaction was kept.",
    });
  }
}

/** What the event is called in a message. */
function nameOf(event: BinlogEvent, shape: string): string {
  return event.kind === "statement-context" ? (STATEMENT_EVENTS[event.type] ?? shape) : shape;
}
