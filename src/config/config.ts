import type { Limits } from "./limits.ts";

/** Where to listen. Port 0 takes any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** How a connection to a server is protected; PEM texts, not paths. */
export interface BackendTls {
  readonly mode: "disabled" | "preferred" | "required" | "verify_ca" | "verify_identity";
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The words of a server's `protocol_compression_algorithms`. */
export type CompressionName = "zlib" | "zstd" | "uncompressed";

/** One entry of `backends:`. `password` must never reach a log. */
export interface BackendConfig {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly tls: BackendTls;
  /** The first of the list that the server offers is used. */
  readonly compression: { readonly algorithms: readonly CompressionName[]; readonly zstdLevel: number };
}

/** Someone who may use the admin API; `sha256` is the hash of the token in hexadecimal. */
export interface AdminToken {
  readonly name: string;
  readonly role: "read" | "operate";
  readonly sha256: string;
}

export interface AdminConfig {
  readonly listen: ListenAddress;
  readonly tokens: readonly AdminToken[];
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Allows plain HTTP beyond loopback. */
  readonly insecure: boolean;
}

/** What clients of the proxy find in front: a certificate of ours, one that was given, or none. */
export type ClientTls =
  | { readonly kind: "generated" }
  | { readonly kind: "given"; readonly cert: string; readonly key: string }
  | { readonly kind: "disabled" };

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogConfig {
  readonly level: LogLevel;
  /** `auto`: pretty on a terminal, JSON elsewhere. */
  readonly format: "auto" | "json" | "pretty";
}

/** Where proxies and controllers meet: in this process's own memory and disk, or in an etcd. PEM texts, not paths. */
export type StoreConfig = { readonly kind: "embedded" } | EtcdConfig;

/** `password` must never reach a log. */
export interface EtcdConfig {
  readonly kind: "etcd";
  readonly endpoints: readonly string[];
  /** How all our keys begin. */
  readonly prefix: string;
  readonly user?: string;
  readonly password?: string;
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string };
}

/** A checked configuration. Plain data: it is sent to child processes as it is. */
export interface Config {
  readonly listen: ListenAddress;
  readonly admin: AdminConfig;
  readonly store: StoreConfig;
  /** Absolute. */
  readonly dataDirectory: string;
  readonly backends: Readonly<Record<string, BackendConfig>>;
  /** The backend of every table that no migration has moved. */
  readonly default: string;
  readonly limits: Limits;
  /** Proxy worker processes. */
  readonly workers: number;
  readonly clientTls: ClientTls;
  /** Accounts of clients that know only native passwords. `password` must never reach a log. */
  readonly users: readonly { readonly name: string; readonly password: string }[];
  readonly routeHints: {
    /** Names of users whose statements may say in a comment which backend they go to. */
    readonly users: readonly string[];
  };
  readonly proxyProtocol: {
    /** Networks, each as address and length of its prefix, or an address. */
    readonly trusted: readonly string[];
  };
  /** Offered to clients of the proxy. */
  readonly compression: readonly CompressionName[];
  readonly log: LogConfig;
}

/** Whether a host is reachable from this machine alone. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
