import { SwitchyardError } from "../base/errors.ts";
import type { Home } from "./ports.ts";

/** What to do where the address of a backend leads to another server than the journal knows. */
export const SERVER_CHANGED_FIX =
  "If a replica has taken its place, prove and accept it with `switchyard migration repoint`; else point the backend at the server that it named before.";

/** Whether this is the server that the journal knows, or it knows none. */
export function isKnownServer(known: string, now: string): boolean {
  return known === "" || known === now;
}

/**
 * The server must be the one that the migration's streams use: what is fenced, counted and stopped at elsewhere says
 * nothing about the rows that they apply.
 *
 * @throws {SwitchyardError} `CUTOVER_SERVER_CHANGED`
 */
export function requireKnownServer(home: Pick<Home, "backend" | "label">, known: string, now: string): void {
  if (isKnownServer(known, now)) return;
  throw new SwitchyardError("CUTOVER_SERVER_CHANGED", {
    what: `the address of "${home.backend}", ${home.label}, leads to another server than the migration's streams use`,
    details: [`known  server_uuid ${known}`, `now    server_uuid ${now}`],
    changed: "Nothing was changed on that server.",
    fix: SERVER_CHANGED_FIX,
  });
}
