import type { Socket } from "node:net";
import type { CompressionWishes, CompressionWord } from "../mysql/compression-choice.ts";
import type { TlsSettings } from "../mysql/endpoint.ts";
import type { ConfiguredUser } from "./configured-users.ts";
import type { ListenAddress } from "./listen-at.ts";

/** A server that the proxy relays to. It has no account of its own there: clients bring theirs. */
export interface BackendAddress {
  /** The name in `backends:`. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls: TlsSettings;
  /** Left out: no compression towards this server. */
  readonly compression?: CompressionWishes;
}

/** Bounds of one worker; the unit is the end of the name. */
export interface ProxyLimits {
  readonly sessionsMax: number;
  readonly connectTimeoutMs: number;
  /** From accepting a client until it is logged in. */
  readonly loginTimeoutMs: number;
  /** Clients that have not logged in. */
  readonly loginsPendingMax: number;
  /** Sessions of one user; 0 for any number. */
  readonly sessionsPerUserMax: number;
  /** A session without a command for this long is ended; 0 for never. */
  readonly idleTimeoutMs: number;
  /** A statement that a server has executed for this long is killed; 0 for never. */
  readonly queryTimeoutMs: number;
  /** What still runs for a client that has gone, and was killed, may take this long to end; then its connections are closed. */
  readonly orphanTimeoutMs: number;
  /** A command of a client that must be put together; those whose first packet tells the tables may be longer. */
  readonly commandBytesMax: number;
  /** Bytes of a client that pipelines, kept while a command of it is executed. */
  readonly pipelineBytesMax: number;
  /** The same of all clients together beyond that, read while their statements take long, to see whether they are there. */
  readonly readAheadBytesMax: number;
  readonly preparedStatementsMax: number;
  /** Long data of one session that waits for its execute. */
  readonly longDataBytesMax: number;
  /** Settings of one session that are kept to be replayed elsewhere. */
  readonly settingsMax: number;
  readonly holdStatementsMax: number;
  readonly holdBytesMax: number;
  /** Held statements that go on in one turn of the event loop. */
  readonly releasePerTurnMax: number;
  /** Held statements that have gone on and have no answer yet. */
  readonly releaseInFlightMax: number;
  /** A released statement that takes longer makes room for the next. */
  readonly releaseSlotMs: number;
  /** How long statements of an armed migration wait for a good lease before they are given up. */
  readonly licenceWaitMs: number;
  readonly leaseTtlMs: number;
  readonly leaseMarginMs: number;
  /** Between two attempts at a store that does not answer. */
  readonly storeRetryMs: number;
  /** Logins to a new home that arming makes at a time. */
  readonly armLoginsMax: number;
  readonly tablesPerSessionMax: number;
  readonly seenTogetherMax: number;
  readonly accountsMax: number;
  readonly passwordsMax: number;
  readonly reportSessionsMax: number;
  readonly reportEveryMs: number;
}

export const DEFAULT_PROXY_LIMITS: ProxyLimits = {
  sessionsMax: 10_000,
  connectTimeoutMs: 5000,
  loginTimeoutMs: 10_000,
  loginsPendingMax: 2000,
  sessionsPerUserMax: 0,
  idleTimeoutMs: 0,
  queryTimeoutMs: 0,
  orphanTimeoutMs: 60_000,
  commandBytesMax: 64 * 1024 ** 2,
  pipelineBytesMax: 64 * 1024,
  readAheadBytesMax: 64 * 1024 ** 2,
  preparedStatementsMax: 16_382,
  longDataBytesMax: 64 * 1024 ** 2,
  settingsMax: 200,
  holdStatementsMax: 100_000,
  holdBytesMax: 256 * 1024 ** 2,
  releasePerTurnMax: 64,
  releaseInFlightMax: 128,
  releaseSlotMs: 100,
  licenceWaitMs: 10_000,
  leaseTtlMs: 5000,
  leaseMarginMs: 1500,
  storeRetryMs: 250,
  armLoginsMax: 8,
  tablesPerSessionMax: 500,
  seenTogetherMax: 500,
  accountsMax: 1000,
  passwordsMax: 10_000,
  reportSessionsMax: 500,
  reportEveryMs: 1000,
};

/** Where the key and the certificate come from that clients see. */
export type FrontTls = "generated" | "disabled" | { readonly cert: string; readonly key: string };

/** Clients that another process has accepted, and hands to this one. */
export interface HandedClients {
  /** Called once. Each is given to `take` in the turn in which it arrives, none of its bytes read. */
  to(take: (socket: Socket) => void): void;
}

/** Everything that one proxy worker needs to know. */
export interface ProxyWorkerConfig {
  readonly listen: ListenAddress | HandedClients;
  /** Names this worker among all, for example `<host>-<pid>-<worker>`; the boot nonce is added to it. */
  readonly name: string;
  readonly version: string;
  readonly backends: Readonly<Record<string, BackendAddress>>;
  /** The home of all tables where the store has no rules yet. */
  readonly defaultBackend: string;
  readonly tls: FrontTls;
  /** Accounts of clients that know only native passwords. */
  readonly users?: readonly ConfiguredUser[];
  /** Users whose hints to a backend are followed. */
  readonly hintUsers?: readonly string[];
  /** Networks of load balancers that begin each connection with a header of the PROXY protocol. */
  readonly trustedNetworks?: readonly string[];
  /** Offered to clients; as a server offers it where left out. */
  readonly compression?: readonly CompressionWord[];
  readonly limits?: Partial<ProxyLimits>;
}
