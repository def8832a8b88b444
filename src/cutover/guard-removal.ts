import type { Clock } from "../base/clock.ts";
import { deadlineIn } from "../base/deadline.ts";
import { triggerPrefix } from "./fence-triggers.ts";
import type { HomeSession } from "./ports.ts";

/** How long DDL may wait for a table: shorter than a transaction takes from its first statement to one that needs a stronger lock on the table. */
const PENDING_MS = 3;
const REST_MS = 100;

/**
 * Takes the guards off a home in use. They let the proxies' clients pass already; each goes in a moment in which no transaction
 * holds its table, since the server would end one that has read it and then writes to it as a deadlock's victim.
 *
 * False where some could not go in the time: transactions came without a pause.
 */
export async function takeGuardsOff(
  session: HomeSession,
  token: string,
  wait: { readonly clock: Clock; readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<boolean> {
  const deadline = deadlineIn(wait.clock, wait.timeoutMs);
  for (;;) {
    if (await session.removeGuards(token, PENDING_MS)) return true;
    if (deadline.passed) return false;
    await wait.clock.sleep(REST_MS, wait.signal);
  }
}

/** Whom they keep out, and how long: to be said wherever guards are left on a home in use. */
export const LEFT_GUARDS_REFUSE =
  "They refuse nobody while the controller that left them runs; once it has ended, writes past the proxies, until a quarter " +
  "of an hour after the switch or rollback";

/** What an operator must know of guards that stay behind when a migration ends: they run in our account's name. */
export function guardsLeft(migration: string, backend: string): string {
  return (
    `triggers ${triggerPrefix(migration)}… on ${backend}: transactions kept their tables. ${LEFT_GUARDS_REFUSE}. Run the ` +
    "command again when they are quieter, or drop them by hand; until then Switchyard's account there must stay, " +
    "because writes to the tables run them in its name"
  );
}
