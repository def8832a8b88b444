import { isSwitchyardError, messageOf } from "../base/errors.ts";
import { commandTooLarge, malformedPacket } from "./client-errors.ts";
import type { Session } from "./session.ts";

/** Ends a session by what was thrown while it was served, and says so in the log. */
export function failSession(session: Session, error: unknown): void {
  const { log } = session.context;
  if (isSwitchyardError(error, "PROXY_BACKEND_LOST")) {
    log.info({ session: session.id, error: messageOf(error) }, "a backend has closed a session's connection");
    session.disconnect({ source: "backend", reason: "lost" });
  } else if (isSwitchyardError(error, "WIRE_PACKET_TOO_LARGE")) {
    session.disconnect({ source: "client", reason: "limit" }, commandTooLarge());
  } else if (isSwitchyardError(error, "WIRE_MALFORMED", "WIRE_UNEXPECTED_PACKET")) {
    log.info({ session: session.id, error: messageOf(error) }, "a client broke the protocol");
    session.disconnect({ source: "client", reason: "protocol" }, malformedPacket());
  } else {
    log.error({ session: session.id, error: messageOf(error) }, "a session failed");
    session.disconnect({ source: "proxy", reason: "internal" });
  }
}
