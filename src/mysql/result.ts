import type { ColumnDefinition } from "../wire/column-definition.ts";
import type { OkPacket, SessionTrack } from "../wire/ok-packet.ts";

/** What the server said at the end of a statement. */
export interface OkFacts {
  readonly affectedRows: number;
  readonly lastInsertId: bigint;
  readonly warnings: number;
  readonly info: string;
  readonly status: number;
  /** What changed in the session; empty unless the connection tracks it. */
  readonly tracks: readonly SessionTrack[];
}

/** The result of one statement. Fields are the server's raw text; views that may share memory with other rows. */
export interface QueryResult extends OkFacts {
  readonly columns: readonly ColumnDefinition[];
  readonly rows: readonly (readonly (Buffer | null)[])[];
}

/** Where the rows of a streamed result go. */
export interface RowSink {
  columns(columns: readonly ColumnDefinition[]): void;
  /**
   * One row packet of the text protocol, valid during the call only unless copied. While the promise it returns is
   * pending, the socket is paused. Throwing ends the connection and rejects the stream with what was thrown.
   */
  row(payload: Buffer): void | Promise<void>;
}

export function okFacts(ok: OkPacket): OkFacts {
  return {
    affectedRows: ok.affectedRows,
    lastInsertId: ok.lastInsertId,
    warnings: ok.warnings,
    info: ok.info.toString("utf8"),
    status: ok.status,
    tracks: ok.tracks,
  };
}

/** The facts of a result set whose end carries no more than warnings and status. */
export function eofFacts(warnings: number, status: number): OkFacts {
  return { affectedRows: 0, lastInsertId: 0n, warnings, info: "", status, tracks: [] };
}
