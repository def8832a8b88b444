import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { inactive } from "./client-errors.ts";
import { killAt } from "./kill-command.ts";
import type { ProxyLimits } from "./proxy-config.ts";
import type { Session } from "./session.ts";

export interface SessionWatchOptions {
  readonly sessions: Iterable<Session>;
  /** Read anew each time: they may change while sessions live. */
  readonly limits: Pick<ProxyLimits, "idleTimeoutMs" | "queryTimeoutMs">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What was seen of a session, and since when it has been just so. */
interface Seen {
  readonly bytesRead: number;
  readonly executing: boolean;
  sinceMs: number;
}

const LOOK_MS = 100;

/**
 * Ends sessions that are idle, and kills statements that run, for longer than is allowed. It looks at all of them now and
 * then, so that no statement pays for it: one that has got no byte of its client in between, and does the same, has
 * done it all the time. A statement that waits for a switch is not executed by any server, and its time does not count.
 */
export class SessionWatch {
  readonly #options: SessionWatchOptions;
  readonly #seen = new WeakMap<Session, Seen>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: SessionWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { limits, sessions, clock } = this.#options;
    if (limits.idleTimeoutMs === 0 && limits.queryTimeoutMs === 0) return;
    const now = clock.monotonicMs();
    for (const session of sessions) this.#judge(session, now);
  }

  #judge(session: Session, now: number): void {
    const { limits, log } = this.#options;
    const { bytesRead } = session.client;
    const executing = session.busy && session.heldSinceMs === undefined;
    const seen = this.#seen.get(session);
    if (seen === undefined || seen.bytesRead !== bytesRead || seen.executing !== executing) {
      this.#seen.set(session, { bytesRead, executing, sinceMs: now });
      return;
    }
    const forMs = now - seen.sinceMs;
    const { idleTimeoutMs, queryTimeoutMs } = limits;
    if (!session.busy && idleTimeoutMs > 0 && forMs >= idleTimeoutMs) {
      session.disconnect({ source: "proxy", reason: "idle" }, inactive());
    } else if (executing && queryTimeoutMs > 0 && forMs >= queryTimeoutMs) {
      seen.sinceMs = now;
      log.info({ session: session.id, user: session.user, queryTimeoutMs }, "a statement has run for too long");
      void killAt(session);
    }
  }
}
