import { ERROR_CODES, type ErrorCode } from "../base/error-codes.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import type { Compare, StoreEntry, StoreEvent, TransactionResult } from "./store.ts";
import type { IdentifiedWrite } from "./store-limits.ts";

/** What a child asks of the process that hosts the store. */
export type StoreRequest =
  | { readonly op: "get"; readonly key: string }
  | { readonly op: "list"; readonly prefix: string }
  | { readonly op: "transact"; readonly conditions: readonly Compare[]; readonly writes: readonly IdentifiedWrite[] }
  | { readonly op: "watch"; readonly watch: number; readonly prefix: string }
  | { readonly op: "unwatch"; readonly watch: number }
  | { readonly op: "lease"; readonly ttlMs: number }
  | { readonly op: "keep-alive"; readonly lease: string }
  | { readonly op: "revoke"; readonly lease: string }
  | { readonly op: "ping" };

/** The answer to each request. */
export interface StoreAnswers {
  get: { readonly entry?: StoreEntry };
  list: { readonly entries: readonly StoreEntry[]; readonly revision: number };
  transact: TransactionResult;
  watch: Record<string, never>;
  unwatch: Record<string, never>;
  lease: { readonly lease: string };
  "keep-alive": { readonly kept: boolean };
  revoke: Record<string, never>;
  ping: Record<string, never>;
}

export interface TransportedError {
  readonly code: ErrorCode;
  readonly what: string;
  readonly details?: readonly string[];
  readonly changed?: string;
  readonly fix?: string;
}

/** Child to host: a request, or that events of a watch have arrived. */
export type ToHost =
  | { readonly id: number; readonly request: StoreRequest }
  | { readonly watch: number; readonly seen: number };

/** Host to child: an answer, or what a watch has seen. */
export type ToChild =
  | { readonly id: number; readonly answer: StoreAnswers[keyof StoreAnswers] }
  | { readonly id: number; readonly error: TransportedError }
  | { readonly watch: number; readonly reset: readonly StoreEntry[]; readonly revision: number }
  | { readonly watch: number; readonly change: readonly StoreEvent[] }
  | { readonly watch: number; readonly stale: string };

/** An error in the form in which it travels; what is not ours becomes a defect of this program. */
export function transportError(error: unknown): TransportedError {
  if (!(error instanceof SwitchyardError)) return { code: "INTERNAL_INVARIANT", what: messageOf(error) };
  const { what, details, changed, fix } = error.facts;
  return {
    code: error.code,
    what,
    ...(details === undefined ? {} : { details }),
    ...(changed === undefined ? {} : { changed }),
    ...(fix === undefined ? {} : { fix }),
  };
}

/** The error that {@link transportError} was given. */
export function receivedError(error: TransportedError): SwitchyardError {
  const { code, ...facts } = error;
  return new SwitchyardError(code in ERROR_CODES ? code : "INTERNAL_INVARIANT", facts);
}
