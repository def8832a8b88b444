import { deferred } from "../base/deferred.ts";
import type { ColumnDefinition } from "../wire/column-definition.ts";
import type { ErrPacket } from "../wire/err-packet.ts";
import { MysqlError } from "./mysql-error.ts";
import { refuseLocalInfile } from "./query-reply.ts";
import type { Reply, ReplyContext } from "./reply.ts";
import type { OkFacts, RowSink } from "./result.ts";
import { ResultReader, type ResultVisitor } from "./result-reader.ts";

/** Hands the rows of one statement to a sink as they come. */
export class StreamReply implements Reply, ResultVisitor {
  readonly #done = deferred<OkFacts>();
  readonly #reader = new ResultReader(this);
  readonly #sink: RowSink;
  #facts: OkFacts | undefined;

  constructor(sink: RowSink) {
    this.#sink = sink;
  }

  /** Resolves behind the last row. */
  get done(): Promise<OkFacts> {
    return this.#done.promise;
  }

  packet(payload: Buffer, sequence: number, context: ReplyContext): boolean | Promise<boolean> {
    return this.#reader.packet(payload, sequence, context);
  }

  failed(error: ErrPacket, context: ReplyContext): void {
    this.#done.reject(new MysqlError(error, context.server, "a streamed query"));
  }

  lost(error: unknown): void {
    this.#done.reject(error);
  }

  columns(columns: readonly ColumnDefinition[]): void {
    this.#sink.columns(columns);
  }

  row(payload: Buffer): void | Promise<void> {
    return this.#sink.row(payload);
  }

  end(facts: OkFacts, more: boolean): void {
    this.#facts ??= facts;
    if (!more) this.#done.resolve(this.#facts);
  }

  localInfile(sequence: number, context: ReplyContext): Promise<void> {
    return refuseLocalInfile(sequence, context);
  }
}
