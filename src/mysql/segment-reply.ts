import { deferred } from "../base/deferred.ts";
import { SwitchyardError } from "../base/errors.ts";
import { HEADER_BYTES, PACKET_PAYLOAD_MAX } from "../wire/capabilities.ts";
import type { ColumnDefinition } from "../wire/column-definition.ts";
import { type ErrPacket, parseErr } from "../wire/err-packet.ts";
import { MysqlError } from "./mysql-error.ts";
import { refuseLocalInfile } from "./query-reply.ts";
import type { Reply, ReplyContext } from "./reply.ts";
import type { OkFacts } from "./result.ts";
import { ResultReader, type ResultVisitor } from "./result-reader.ts";

/** Where runs of row packets go. */
export interface SegmentSink {
  columns(columns: readonly ColumnDefinition[]): void;
  /**
   * Whole row packets, one behind the other, with their headers (a row of 16 MiB and more is several packets). The
   * buffer is the sink's to keep. While the promise it returns is pending, the socket is paused.
   */
  segment(bytes: Buffer, rows: number): void | Promise<void>;
}

const EMPTY: Buffer = Buffer.alloc(0);

/**
 * Reads one result set without cutting out its rows: only the headers are walked, to find the end and to count.
 * It speaks DEPRECATE_EOF only.
 */
export class SegmentReply implements Reply, ResultVisitor {
  readonly #done = deferred<OkFacts>();
  readonly #reader = new ResultReader(this);
  readonly #sink: SegmentSink;
  /** The beginning of a packet, or of a row of several packets, whose rest has not arrived; in parts. */
  #tail: Buffer[] = [];
  #tailBytes = 0;
  /** How long the tail must become before it is worth looking at again. */
  #neededBytes = 0;

  constructor(sink: SegmentSink) {
    this.#sink = sink;
  }

  get done(): Promise<OkFacts> {
    return this.#done.promise;
  }

  packet(payload: Buffer, sequence: number, context: ReplyContext): boolean | Promise<boolean> {
    const complete = this.#reader.packet(payload, sequence, context);
    if (this.#reader.inRows) context.uncut(true);
    return complete;
  }

  chunk(bytes: Buffer, context: ReplyContext): boolean | Promise<boolean> {
    if (this.#tailBytes === 0) return this.#walk(bytes, EMPTY, context);
    const missing = Math.max(0, this.#neededBytes - this.#tailBytes);
    this.#tail.push(bytes.subarray(0, missing));
    this.#tailBytes += Math.min(missing, bytes.length);
    if (this.#tailBytes < this.#neededBytes) return false;
    // Of what has come only what the row lacks is copied behind its beginning.
    return this.#walk(Buffer.concat(this.#tail, this.#tailBytes), bytes.subarray(missing), context);
  }

  /** Goes on with `behind`, once the sink has taken the whole rows of `bytes`. */
  #walk(bytes: Buffer, behind: Buffer, context: ReplyContext): boolean | Promise<boolean> {
    const run = walkRows(bytes);
    this.#keep(run.ends ? EMPTY : bytes.subarray(run.rowsEnd), run.neededBytes);
    const goOn = (): boolean | Promise<boolean> => {
      if (run.ends) return this.#finish(bytes, run.rowsEnd, behind, context);
      return behind.length > 0 && this.chunk(behind, context);
    };
    const wait = run.rows === 0 ? undefined : this.#sink.segment(bytes.subarray(0, run.rowsEnd), run.rows);
    return wait === undefined ? goOn() : wait.then(goOn);
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

  row(): void {
    throw new SwitchyardError("INTERNAL_INVARIANT", { what: "a row was cut out of a stream of segments" });
  }

  end(facts: OkFacts, more: boolean): void {
    if (more) throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", { what: "a second result set in a stream of one" });
    this.#done.resolve(facts);
  }

  localInfile(sequence: number, context: ReplyContext): Promise<void> {
    return refuseLocalInfile(sequence, context);
  }

  #keep(tail: Buffer, neededBytes: number): void {
    this.#tail = tail.length === 0 ? [] : [tail];
    this.#tailBytes = tail.length;
    this.#neededBytes = neededBytes;
  }

  /** Reads the packet behind the rows, which is whole. */
  #finish(whole: Buffer, at: number, behind: Buffer, context: ReplyContext): boolean {
    const end = at + HEADER_BYTES + whole.readUIntLE(at, 3);
    const payload = whole.subarray(at + HEADER_BYTES, end);
    const unread = whole.subarray(end);
    context.uncut(false, behind.length === 0 ? unread : Buffer.concat([unread, behind]));
    if (payload[0] === 0xff) this.failed(parseErr(payload), context);
    else this.#reader.endRows(payload, context);
    return true;
  }
}

interface Run {
  readonly rows: number;
  /** Where the last whole row ends. */
  readonly rowsEnd: number;
  /** Whether the packet behind the rows is the one that ends the result, and whole. */
  readonly ends: boolean;
  /** Bytes from `rowsEnd` on that must be there before another look is worth it. */
  readonly neededBytes: number;
}

/** Walks whole rows from the start of `bytes`. */
function walkRows(bytes: Buffer): Run {
  const size = bytes.length;
  let rows = 0;
  let at = 0;
  let rowsEnd = 0;
  let continues = false;
  while (at + HEADER_BYTES < size) {
    const length = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
    const next = at + HEADER_BYTES + length;
    if (next > size) return { rows, rowsEnd, ends: false, neededBytes: next - rowsEnd };
    const first = bytes[at + HEADER_BYTES] ?? 0;
    if (!continues && first >= 0xfe && (first === 0xff || length < PACKET_PAYLOAD_MAX)) {
      return { rows, rowsEnd, ends: true, neededBytes: 0 };
    }
    at = next;
    continues = length === PACKET_PAYLOAD_MAX;
    if (!continues) {
      rows += 1;
      rowsEnd = at;
    }
  }
  return { rows, rowsEnd, ends: false, neededBytes: at - rowsEnd + HEADER_BYTES + 1 };
}
