import { SwitchyardError } from "../base/errors.ts";
import type { Connection } from "../mysql/connection.ts";

/** Which end of a stream a server is. */
export type StreamEnd = "source" | "target";

/** `server_uuid` of the server behind a connection. */
export async function serverUuid(connection: Connection): Promise<string> {
  if (connection.serverUuid !== "") return connection.serverUuid;
  const row = await connection.one("SELECT @@global.server_uuid AS uuid");
  return row?.["uuid"] ?? "";
}

/**
 * The server must be the one that the stream knows. Its address may lead elsewhere since: to a replica that has taken its
 * place, of which nobody has proven yet that it has all that was applied and nothing in between.
 *
 * @param known empty where none is known yet
 * @throws {SwitchyardError} `STREAM_SOURCE_CHANGED`, `STREAM_TARGET_CHANGED`
 */
export function requireServer(end: StreamEnd, known: string, now: string): void {
  if (known === "" || known === now) return;
  throw new SwitchyardError(end === "source" ? "STREAM_SOURCE_CHANGED" : "STREAM_TARGET_CHANGED", {
    what: `the stream's ${end} is another server than before`,
    details: [`before  server_uuid ${known}`, `now     server_uuid ${now}`],
    changed: "Nothing was applied.",
    fix: "If a replica has taken its place, prove and accept it with `switchyard migration repoint`; else point the backend at the server that it named before, and resume.",
  });
}
