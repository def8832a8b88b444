import { deferred } from "../base/deferred.ts";
import { SwitchyardError } from "../base/errors.ts";
import type { ColumnDefinition } from "../wire/column-definition.ts";
import type { ErrPacket } from "../wire/err-packet.ts";
import { TextRow } from "../wire/text-row.ts";
import { MysqlError } from "./mysql-error.ts";
import type { Reply, ReplyContext } from "./reply.ts";
import type { OkFacts, QueryResult } from "./result.ts";
import { ResultReader, type ResultVisitor } from "./result-reader.ts";

/** Sends the contents that a `LOAD DATA LOCAL` asks for; `sequence` is that of the server's request. */
export type LocalInfileSender = (sequence: number, context: ReplyContext) => Promise<void>;

/**
 * The server asks for a file that nobody offered. It gets nothing, not even an answer: the connection ends.
 */
export function refuseLocalInfile(_sequence: number, context: ReplyContext): Promise<void> {
  throw new SwitchyardError("MYSQL_LOCAL_INFILE_REFUSED", {
    what: `server "${context.server}" asked for the contents of a file that no statement of ours has offered`,
    changed: "Nothing was sent, and the connection was closed.",
  });
}

/** Collects the results of a statement, or of several. */
export class QueryReply implements Reply, ResultVisitor {
  readonly #done = deferred<QueryResult[]>();
  readonly #reader = new ResultReader(this);
  readonly #results: QueryResult[] = [];
  readonly #sendFile: LocalInfileSender;
  #columns: readonly ColumnDefinition[] = [];
  #row: TextRow | undefined;
  #rows: (Buffer | null)[][] = [];

  constructor(sendFile: LocalInfileSender = refuseLocalInfile) {
    this.#sendFile = sendFile;
  }

  /** All results; at least one. Rejects with a {@link MysqlError} that carries the results before it. */
  get done(): Promise<QueryResult[]> {
    return this.#done.promise;
  }

  packet(payload: Buffer, sequence: number, context: ReplyContext): boolean | Promise<boolean> {
    return this.#reader.packet(payload, sequence, context);
  }

  failed(error: ErrPacket, context: ReplyContext): void {
    this.#done.reject(new StatementError(error, context.server, this.#results));
  }

  lost(error: unknown): void {
    this.#done.reject(error);
  }

  columns(columns: readonly ColumnDefinition[]): void {
    this.#columns = columns;
    this.#row = new TextRow(columns.length);
    this.#rows = [];
  }

  row(payload: Buffer): void {
    const row = this.#row?.scan(payload);
    if (row !== undefined) this.#rows.push(this.#columns.map((_, column) => row.field(column)));
  }

  end(facts: OkFacts, more: boolean): void {
    this.#results.push({ ...facts, columns: this.#columns, rows: this.#rows });
    this.#columns = [];
    this.#rows = [];
    if (!more) this.#done.resolve(this.#results);
  }

  localInfile(sequence: number, context: ReplyContext): Promise<void> {
    return this.#sendFile(sequence, context);
  }
}

/** A statement failed, perhaps behind others that were sent with it and did not. */
export class StatementError extends MysqlError {
  /** Results of the statements before the one that failed. */
  readonly results: readonly QueryResult[];

  constructor(error: ErrPacket, server: string, results: readonly QueryResult[]) {
    super(error, server, "a statement");
    this.name = "StatementError";
    this.results = results;
  }
}
