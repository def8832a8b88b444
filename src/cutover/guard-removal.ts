import { triggerPrefix } from "./fence-triggers.ts";
import type { HomeSession } from "./ports.ts";

const ROUNDS_MAX = 20;
/** Shorter than a transaction takes from its first statement to one that needs a stronger lock on the table. */
const PENDING_MS = 3;
const REST_MS = 100;

/**
 * Takes the guards off a home in use. They let everybody pass already; each goes in a moment in which no transaction
 * holds its table, since the server would end one that has read it and then writes to it as a deadlock's victim.
 *
 * False where some could not go: transactions came without a pause.
 */
export async function takeGuardsOff(
  session: HomeSession,
  token: string,
  rest: (ms: number) => Promise<void>,
): Promise<boolean> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    if (await session.removeGuards(token, PENDING_MS)) return true;
    await rest(REST_MS);
  }
  return false;
}

/** What an operator must know of guards that stay behind when a migration ends: they run in our account's name. */
export function guardsLeft(migration: string, backend: string): string {
  return (
    `triggers ${triggerPrefix(migration)}… on ${backend}, which refuse nothing: transactions kept their tables. Run the ` +
    "command again when they are quieter, or drop them by hand; until then Switchyard's account there must stay, " +
    "because writes to the tables run them in its name"
  );
}
