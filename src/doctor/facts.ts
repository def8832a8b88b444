import type { MigrationDocument } from "../cutover/migration-document.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import type { Direction } from "../replication/direction.ts";
import type { ControllerDocument, StreamClaim } from "../rules/controller-documents.ts";
import type { ProxyDocument } from "../rules/proxy-document.ts";
import type { RulesDocument } from "../rules/rules-document.ts";

/** A document with the revision at which it was read: the condition of a later write. */
export interface Read<T> {
  readonly document: T;
  readonly revision: number;
}

/** The claim of one table on one server. */
export interface TableClaim {
  readonly key: string;
  readonly uuid: string;
  readonly table: string;
  readonly migration: string;
  readonly revision: number;
}

/** All that the store holds, as of one revision. */
export interface StoreFacts {
  /** Where it was read, for people. */
  readonly from: string;
  /** False where it was read from the disk of a process that does not run: what is leased is not there. */
  readonly live: boolean;
  readonly rules: Read<RulesDocument> | undefined;
  readonly migrations: readonly Read<MigrationDocument>[];
  readonly claims: readonly TableClaim[];
  readonly proxies: readonly ProxyDocument[];
  /** Ids of the proxies that live. */
  readonly alive: readonly string[];
  readonly controllers: readonly ControllerDocument[];
  /** By migration: who runs it. */
  readonly runners: Readonly<Record<string, StreamClaim>>;
  readonly orders: readonly OrderDocument[];
  /** Migrations of which something else is kept: orders that have ended, reports of diffs. */
  readonly otherTraces: readonly string[];
  readonly unreadable: readonly { readonly key: string; readonly why: string }[];
  /** Keys that no version of Switchyard writes. */
  readonly unknownKeys: readonly string[];
}

/** One trigger that bears a name of ours. */
export interface FoundTrigger {
  readonly schema: string;
  readonly name: string;
  /** Key `schema.table`. */
  readonly table: string;
  readonly migration: string;
  readonly kind: "fence" | "guard";
  readonly event: string;
  /** The attempt that put it up; empty where its text does not say. */
  readonly token: string;
  /** Whether it lets our account's user write. */
  readonly letsUsPass: boolean;
}

/** One row of a ledger. */
export interface LedgerRow {
  readonly migration: string;
  readonly direction: Direction;
  readonly worker: number;
  readonly epoch: string;
  readonly gtids: string;
  readonly startToken: string;
  /** The attempt that has sealed it; empty where none has. */
  readonly sealedBy: string;
  readonly sourceUuid: string;
}

/** A user-level lock of ours. */
export interface HeldLock {
  readonly name: string;
  readonly connectionId: string;
  readonly user: string;
}

/** What one server says. Ledgers are read before `executed` on any server, so that a ledger is never ahead by reading late. */
export interface ServerFacts {
  readonly uuid: string;
  readonly label: string;
  readonly readOnly: boolean;
  readonly superReadOnly: boolean;
  /** It follows another server, or refuses writes as a replica does: what it bears came from there, and goes from there. */
  readonly replica: boolean;
  readonly executed: string;
  readonly purged: string;
  readonly triggers: readonly FoundTrigger[];
  /** Format by table of the sidecar, NaN for a table of somebody else; empty where there is no sidecar. */
  readonly sidecar: ReadonlyMap<string, number>;
  readonly ledger: readonly LedgerRow[];
  /** GTID sets of the copy's snapshots, by migration. */
  readonly snapshots: Readonly<Record<string, readonly string[]>>;
  /** Migrations of which the sidecar has rows. */
  readonly traces: readonly string[];
  readonly locks: readonly HeldLock[];
  /** Connections that apply rows: `<migration>/<direction>` with their id. */
  readonly appliers: readonly { readonly stream: string; readonly connectionId: string }[];
  /** Those of the tables of interest that are there. */
  readonly tables: ReadonlySet<string>;
  /** Schemas in which no table can hide from our account. */
  readonly schemasSeen: ReadonlySet<string>;
  /** Questions that the account may not ask here. */
  readonly unseen: readonly string[];
}

/** A server that did not answer says why. */
export type ServerAnswer = ServerFacts | { readonly unreachable: string };

/** All that a diagnosis goes by. */
export interface Facts {
  readonly nowMs: number;
  readonly config: {
    readonly default: string;
    readonly backends: readonly string[];
    readonly store: "embedded" | "etcd";
  };
  readonly store: StoreFacts;
  /** By backend of the configuration. */
  readonly servers: Readonly<Record<string, ServerAnswer>>;
  /** Another store that this configuration would use with another `store:`, and how many migrations it holds. */
  readonly otherStore?: { readonly where: string; readonly migrations: number };
}
