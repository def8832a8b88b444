import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { CompressionWord } from "../mysql/compression-choice.ts";
import type { Arming } from "./arming.ts";
import type { BackendProbe } from "./backend-probe.ts";
import type { TrustedNetworks } from "./client-origin.ts";
import type { ConfiguredUsers } from "./configured-users.ts";
import type { PasswordCache } from "./password-cache.ts";
import type { PreparedXids } from "./prepared-xids.ts";
import type { BackendAddress, ProxyLimits } from "./proxy-config.ts";
import type { ProxyMetrics } from "./proxy-metrics.ts";
import type { ServersReached } from "./reached-servers.ts";
import type { RouteHints } from "./route-hints.ts";
import type { SeenTogether } from "./seen-together.ts";
import type { ServerKeys } from "./server-keys.ts";
import type { Session } from "./session.ts";
import type { Traffic } from "./traffic.ts";
import type { UserSessions } from "./user-sessions.ts";

/** What every session of a worker shares. */
export interface SessionContext {
  readonly traffic: Traffic;
  readonly arming: Arming;
  readonly seen: SeenTogether;
  readonly servers: ServersReached;
  readonly metrics: ProxyMetrics;
  readonly limits: ProxyLimits;
  readonly clock: Clock;
  readonly log: Logger;
  readonly bootNonce: string;
  readonly backends: Readonly<Record<string, BackendAddress>>;
  readonly keys: ServerKeys;
  readonly passwords: PasswordCache;
  readonly users: ConfiguredUsers;
  readonly hints: RouteHints;
  readonly trusted: TrustedNetworks;
  /** Compression that is offered to clients. */
  readonly compression: readonly CompressionWord[];
  /** Logged-in sessions by the thread id that their clients were greeted with. */
  readonly byThread: Map<number, Session>;
  readonly probe: BackendProbe;
  readonly xids: PreparedXids;
  /** Sessions of each user. */
  readonly userSessions: UserSessions;
  /** Has the other workers kill the statement of the session, if one of them has it, that was greeted with this id. */
  readonly relayKill: (thread: number) => void;
  /** An account has logged in, from where the backend sees it. */
  readonly account: (user: string, host: string) => void;
}
