/** So long an answer may be missing before the server is asked; for sessions whose statements may take any time. */
export const ANSWER_QUIET_MS = 15_000;

/** What a server says of its sessions, asked on a connection of its own. */
export interface ServerSessions {
  /** `server_uuid` of who was asked: the address may lead to another server by now. */
  readonly serverUuid: string;
  /** The asking session: where it is not among them, the server's numbers are not those of its logins. */
  readonly own: number;
  readonly sessions: readonly Readonly<Record<string, string | null>>[];
}

/** An account sees its own sessions without a privilege. It tells who waits for the network, which tables of sessions do not. */
export const SESSIONS_SQL = "SHOW PROCESSLIST";

/** As much of a connection as is watched. */
export interface WatchedConnection {
  readonly threadId: number;
  readonly serverUuid: string;
  readonly closed: Promise<string>;
  /** For how long an answer has been owed with nothing moving either way. */
  readonly owedMs: number;
  abandon(reason: string): void;
}

/** States in which the server waits for the other end of the connection. */
const WAITS_FOR_US: readonly string[] = ["Sending to client", "Receiving from client"];

/** What the server does with a command whose answer is owed. */
export type CommandFate =
  /** It is worked on, or cannot be told. */
  | "works"
  /** The server waits for us, as we do for it. */
  | "waits"
  /** It has been answered, or the session is gone: nothing will come. */
  | "over";

export function commandFate(
  { serverUuid, own, sessions }: ServerSessions,
  asked: Pick<WatchedConnection, "serverUuid" | "threadId">,
): CommandFate {
  if (serverUuid !== asked.serverUuid) return "works";
  const byId = (id: number) => sessions.find((session) => session["Id"] === String(id));
  if (byId(own) === undefined) return "works";
  const session = byId(asked.threadId);
  if (session === undefined || session["Command"] === "Sleep") return "over";
  return WAITS_FOR_US.includes(session["State"] ?? "") ? "waits" : "works";
}

/**
 * Ends a connection whose answer will not come: something between has forgotten it, and neither end hears of that. Two
 * looks must say so. A long statement is left alone, and so is one while its server cannot be asked. What the statement has done is not known
 * then, as with any connection that is lost.
 */
export function watchAnswers(connection: WatchedConnection, quietMs: number, ask: () => Promise<ServerSessions>): void {
  let asking = false;
  let hopeless = 0;
  const look = async (): Promise<void> => {
    const fate = await ask().then(
      (sessions) => commandFate(sessions, connection),
      (): CommandFate => "works",
    );
    // While we asked, it may have come.
    if (connection.owedMs < quietMs) return;
    hopeless = fate === "works" ? 0 : hopeless + 1;
    if (hopeless > 1) {
      connection.abandon(
        `the answer to a statement is missing for ${quietMs} ms, and the server no longer works on it`,
      );
    }
  };
  const timer = setInterval(() => {
    if (connection.owedMs < quietMs) hopeless = 0;
    else if (!asking) {
      asking = true;
      void look().finally(() => {
        asking = false;
      });
    }
  }, quietMs / 2);
  timer.unref();
  void connection.closed.then(() => clearInterval(timer));
}
