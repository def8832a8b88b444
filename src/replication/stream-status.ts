/** How far a stream is, for people, for gauges, and for the gate of a switch. */
export interface StreamStatus {
  readonly state: "copying" | "catching-up" | "running" | "stopped-at" | "paused" | "failed" | "closed";
  /** Every row has been copied once, and the target has all its keys. True from the start where nothing is copied. */
  readonly copied: boolean;
  readonly rowsCopied: number;
  /** The server's own estimate; 0 where nothing is copied. */
  readonly rowsEstimated: number;
  readonly tables: readonly TableProgress[];
  /** Age of the oldest source transaction that has not been applied, by the source's own clock. */
  readonly lagMs: number;
  /** How much longer the source keeps the binary log that the stream still needs; left out where it is not known. */
  readonly runwayMs?: number;
  /** Bytes of the source's binary log from the file that the stream still needs to its end. */
  readonly neededBytes?: number;
  /** Source transactions applied since this stream was opened. */
  readonly appliedTransactions: number;
  /** Rows that were not what the stream expected, since it was opened. */
  readonly drift: number;
  /** DDL of others on the tables, since it was opened. */
  readonly ddl: number;
  /** GTID set applied so far. */
  readonly executed: string;
  readonly error?: string;
  /** The first line of what keeps it from going on, while it tries again. */
  readonly retrying?: string;
  /** What the target keeps it waiting for, where nothing has been written for a while and no error is given. */
  readonly waiting?: string;
}

export interface TableProgress {
  /** `schema.table`. */
  readonly table: string;
  readonly rowsCopied: number;
  readonly rowsEstimated: number;
  readonly done: boolean;
  /** How often its copy has begun, where that is more than once: it counts only as a whole, and was interrupted. */
  readonly beginnings?: number;
}
