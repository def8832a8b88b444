/** Who ended a session. */
export type DisconnectSource = "client" | "proxy" | "backend";

/** Why a session ended; source and reason are the labels of the metric. */
export interface Disconnect {
  readonly source: DisconnectSource;
  readonly reason: DisconnectReason;
}

export type DisconnectReason =
  /** The client said that it leaves. */
  | "quit"
  /** The client's connection ended without a word. */
  | "gone"
  /** Login refused by the backend, or given up by the client. */
  | "login"
  /** The client broke the protocol, or sent more than is allowed. */
  | "protocol"
  | "limit"
  /** A command that was refused when part of it had been sent, with a transaction or something else open there. */
  | "refused"
  /** A login that took too long. */
  | "timeout"
  /** No command for as long as is allowed. */
  | "idle"
  | "shutdown"
  | "killed"
  | "unreachable"
  /** The server closed a connection that the session could not go on without. */
  | "lost"
  | "internal";
