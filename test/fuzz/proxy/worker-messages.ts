/** What the process of the proxies under test is told, and what it tells. */
export type ToWorkers =
  | { readonly kind: "start"; readonly mysql: Address; readonly hostile: readonly Address[] }
  /** Asks for figures; `settle`: after everything that can be collected has been. */
  | { readonly kind: "figures"; readonly id: number; readonly settle: boolean }
  | { readonly kind: "stop" };

export type FromWorkers =
  | {
      readonly kind: "started";
      /** Its default backend is the real server; tables of the hostile ones are routed to them. */
      readonly port: number;
      /** The same, and it believes headers of the PROXY protocol. */
      readonly balancedPort: number;
      /** One for each hostile server, which is its default backend. */
      readonly atHostile: readonly number[];
    }
  | { readonly kind: "figures"; readonly id: number; readonly figures: Figures }
  /** Something that must not be: it is a failure whatever else happens. */
  | { readonly kind: "wrong"; readonly what: string };

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Of the process, at one moment. */
export interface Figures {
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly externalBytes: number;
  /** Sockets, timers and the like that keep the process alive. */
  readonly resources: Readonly<Record<string, number>>;
  /** Connections to servers that are open, by the proxies' own count. */
  readonly backends: number;
  /** Connections that were accepted, less those that have ended, by the proxies' own count. */
  readonly clients: number;
  /** Sessions, as the proxies report them. */
  readonly sessions: readonly string[];
  /** How connections have ended so far, by source and reason. */
  readonly ends: Readonly<Record<string, number>>;
}
