import { SwitchyardError } from "../base/errors.ts";

/**
 * The connection ended before the answer came. {@link sent} says whether the statement had gone out: then its
 * outcome is unknown and must be read from the server; otherwise it was certainly not done.
 */
export class ConnectionLost extends SwitchyardError {
  readonly sent: boolean;

  constructor(server: string, reason: string, sent: boolean) {
    super("MYSQL_CONNECTION_LOST", {
      what: `the connection to server "${server}" has ended: ${reason}`,
      changed: sent
        ? "A statement was in flight; whether the server carried it out is not known."
        : "No statement was in flight; nothing was changed.",
    });
    this.name = "ConnectionLost";
    this.sent = sent;
  }
}

/** Whether `error` says that a connection was lost. */
export function isConnectionLost(error: unknown): error is ConnectionLost {
  return error instanceof ConnectionLost;
}
