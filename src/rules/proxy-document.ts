/**
 * What a proxy worker tells the controller, under {@link PROXIES_PREFIX} + id. Written by the proxy alone, and
 * kept when it dies: only the controller, once it has made sure that the proxy cannot write, removes it.
 */
export interface ProxyDocument {
  readonly format: 3;
  /** `<host>-<pid>-<worker>-<boot nonce>`: never used by another process. */
  readonly id: string;
  /** Sent to every backend as connection attribute `switchyard_proxy`. */
  readonly bootNonce: string;
  readonly version: string;
  /** Generation of the rules that every statement admitted from now on is judged by. */
  readonly generation: number;
  /** By migration: the arming that this proxy keeps, and the sessions that could not follow. */
  readonly armed: Readonly<Record<string, ArmedAcknowledgement>>;
  /** By migration: holds that are in force here, and whether they have drained. */
  readonly holds: Readonly<Record<string, HoldAcknowledgement>>;
  /** Sets of tables that met in one statement or transaction; each sorted, bounded in number and size. */
  readonly seenTogether: readonly (readonly string[])[];
  /** Accounts that have logged in through this proxy: `user`, and the host that the backend saw. */
  readonly accounts: readonly string[];
  /** By backend: which servers its connections there lead to. A backend that no client has needed is missing. */
  readonly servers: Readonly<Record<string, ReachedServers>>;
}

/** Servers by their `server_uuid`, as each connection was told right behind its login. */
export interface ReachedServers {
  /** Where the newest login has led. */
  readonly newest: string;
  /** Where the connections that are open lead, each once, in order; none while no client has one. */
  readonly open: readonly string[];
}

export interface ArmedAcknowledgement {
  readonly token: string;
  /** `preparing` until every session that may use the tables is logged in to the new home. */
  readonly state: "preparing" | "ready";
  /** Sessions that cannot move, with the reason; at most 50. */
  readonly blocked: readonly BlockedSession[];
}

export interface BlockedSession {
  /**
   * `statement`: one is in flight, which ends by itself. `open`: a transaction or what else lasts beyond statements.
   * `pinned`: something keeps the session where it is. `login`: the new home does not let it in.
   */
  readonly kind?: BlockedKind;
  readonly session: string;
  readonly user: string;
  readonly reason: string;
  /** What the client says it is. */
  readonly program?: string;
  /** The client's address. */
  readonly address?: string;
  /** The statement that brought it about, its values left out, and for how long that had been so when this was told. */
  readonly statement?: string;
  readonly forMs?: number;
}

export type BlockedKind = (typeof BLOCKED_KINDS)[number];

export const BLOCKED_KINDS = ["statement", "open", "pinned", "login"] as const;

export interface HoldAcknowledgement {
  readonly token: string;
  /** `holding`: nothing new is admitted. `drained`: and every transaction open on the old home since before has ended. */
  readonly state: "holding" | "drained";
  /** Transactions still open on the old home, while `holding`; at most 50. */
  readonly open: readonly BlockedSession[];
}
