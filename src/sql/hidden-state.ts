import type { FactsDraft } from "./facts-draft.ts";
import { nextIs } from "./names.ts";
import type { SideEffect } from "./statement.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { numberOf } from "./word-table.ts";

const PAREN_CLOSE = 0x29;

const LAST_INSERT_ID = numberOf("LAST_INSERT_ID");
const USER_LOCKS: ReadonlySet<number> = new Set(
  ["GET_LOCK", "RELEASE_LOCK", "RELEASE_ALL_LOCKS", "IS_FREE_LOCK", "IS_USED_LOCK"].map(numberOf),
);
const READS: ReadonlyMap<number, SideEffect> = new Map<number, SideEffect>([
  [numberOf("FOUND_ROWS"), "reads-found-rows"],
  [numberOf("ROW_COUNT"), "reads-row-count"],
  [numberOf("CONNECTION_ID"), "reads-connection-id"],
  [numberOf("PS_CURRENT_THREAD_ID"), "reads-connection-id"],
]);
const VARIABLES: ReadonlyMap<string, SideEffect> = new Map<string, SideEffect>([
  ["identity", "reads-last-insert-id"],
  ["last_insert_id", "reads-last-insert-id"],
  ["warning_count", "reads-diagnostics"],
  ["error_count", "reads-diagnostics"],
  ["pseudo_thread_id", "reads-connection-id"],
]);

/** Notes what a call of the function `number` reads or changes in the session; the parenthesis is the current token. */
export function callEffect(number: number, lexer: Tokenizer, draft: FactsDraft): void {
  if (number === 0) return;
  if (number === LAST_INSERT_ID) {
    draft.addEffect(nextIs(lexer, PAREN_CLOSE) ? "reads-last-insert-id" : "sets-last-insert-id");
    return;
  }
  if (USER_LOCKS.has(number)) draft.locksUserLevel = true;
  const effect = READS.get(number);
  if (effect !== undefined) draft.addEffect(effect);
}

/** Notes what reading the system variable at the current token tells of the session. */
export function variableEffect(lexer: Tokenizer, draft: FactsDraft): void {
  const text = lexer.text
    .toString("latin1", lexer.start + 2, lexer.end)
    .toLowerCase()
    .replaceAll("`", "");
  const effect = VARIABLES.get(text.slice(text.lastIndexOf(".") + 1));
  if (effect !== undefined) draft.addEffect(effect);
}
