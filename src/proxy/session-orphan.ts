import { killStatement, ORPHAN_GRACE_MS } from "./orphaned-statement.ts";
import type { Session } from "./session.ts";

/**
 * What still happens in a session whose client has gone. What it had sent is carried out, as by a server, for as long as
 * each statement ends soon. One that does not is killed where it runs, and what was sent behind it goes unsent: it may
 * build upon what was not done. A server that does not end it even then is left.
 */
export class SessionOrphan {
  readonly #session: Session;
  #lastResort: NodeJS.Timeout | undefined;
  #over = false;

  constructor(session: Session) {
    this.#session = session;
  }

  /** The client has gone. */
  begin(): void {
    // A client that is told to leave may take longer than its session.
    if (this.#over) return;
    const { backends, busy, context } = this.#session;
    const why = "its client has gone, and the server does not answer";
    this.#lastResort = setTimeout(() => backends.destroy(why), ORPHAN_GRACE_MS + context.limits.orphanTimeoutMs);
    if (busy) void this.#watch();
  }

  /** Nothing of the session is left. */
  end(): void {
    this.#over = true;
    clearTimeout(this.#lastResort);
  }

  async #watch(): Promise<void> {
    const session = this.#session;
    const { context } = session;
    for (;;) {
      const { sentFlight } = session;
      await context.clock.sleep(ORPHAN_GRACE_MS);
      if (this.#over) return;
      if (sentFlight === undefined || session.sentFlight !== sentFlight) continue;
      session.giveUp();
      const connection = session.backends.get(sentFlight.backend)?.connection;
      if (connection !== undefined) await killStatement(context, session.applicant, connection);
      return;
    }
  }
}
