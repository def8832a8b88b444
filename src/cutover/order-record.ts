import { ERROR_CODES, type ErrorCode } from "../base/error-codes.ts";
import type { OrderCommand, OrderDocument } from "./order-document.ts";

/** How an order has ended, as the exit codes of commands have it. */
export type OrderOutcome = "done" | "failed" | "refused" | "aborted" | "unknown";

const OUTCOMES: Readonly<Record<1 | 2 | 3 | 4 | 5, OrderOutcome>> = {
  1: "failed",
  2: "refused",
  3: "refused",
  4: "aborted",
  5: "unknown",
};

/**
 * What is kept of an order for good, beside the migration that it was about: who asked for what, when and why, and what
 * came of it. Written with the end of the order in one transaction, and never changed.
 */
export interface OrderRecord {
  readonly format: 1;
  readonly id: string;
  readonly command: OrderCommand;
  readonly migration: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** The name of the token, or `local` for whoever asked on the machine itself without one. */
  readonly who: string;
  readonly reason?: string;
  /** ISO 8601, by the process that took the order. */
  readonly at: string;
  readonly endedAt: string;
  readonly outcome: OrderOutcome;
  /** Where it is not done: the first line of the error. */
  readonly error?: string;
}

/** Records that are kept of one migration; the oldest go. */
export const ORDER_RECORDS_MAX = 500;

/** The record of an order that is `done` or `failed`. */
export function recordOf(order: OrderDocument, endedAt: string): OrderRecord {
  const { id, command, migration, options, who, reason, at, error } = order;
  return {
    format: 1,
    ...{ id, command, migration, options, who },
    ...(reason === undefined ? {} : { reason }),
    at,
    endedAt,
    outcome: error === undefined ? "done" : outcomeOf(error.code),
    ...(error === undefined ? {} : { error: error.message.split("\n")[0] ?? "" }),
  };
}

/** The outcome of an order that ended with an error. */
export function outcomeOf(code: string): OrderOutcome {
  const kind = code in ERROR_CODES ? ERROR_CODES[code as ErrorCode] : undefined;
  return OUTCOMES[kind?.exit ?? 1];
}
