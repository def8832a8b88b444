import { CAP, hasFlag, PACKET_PAYLOAD_MAX, STATUS } from "../wire/capabilities.ts";
import { type ColumnDefinition, parseColumnDefinition } from "../wire/column-definition.ts";
import { EOF_BYTES_BELOW, parseEof } from "../wire/eof-packet.ts";
import { parseOk } from "../wire/ok-packet.ts";
import { PacketReader } from "../wire/packet-reader.ts";
import type { ReplyContext } from "./reply.ts";
import { eofFacts, type OkFacts, okFacts } from "./result.ts";

/** Who is told about the parts of a reply to a statement, in order. */
export interface ResultVisitor {
  columns(columns: readonly ColumnDefinition[]): void;
  row(payload: Buffer): void | Promise<void>;
  /** A result has ended; `more` says whether another one follows. */
  end(facts: OkFacts, more: boolean): void;
  /** The server asks for a file. The promise resolves when all of it has been sent. */
  localInfile(sequence: number, context: ReplyContext): Promise<void>;
}

/** The grammar of replies to `COM_QUERY`, over joined payloads; ERR packets are handled by the caller. */
export class ResultReader {
  readonly #visitor: ResultVisitor;
  #expects: "result" | "definitions" | "definitions-end" | "rows" = "result";
  #owed = 0;
  #columns: ColumnDefinition[] = [];

  constructor(visitor: ResultVisitor) {
    this.#visitor = visitor;
  }

  /** Whether rows come next, so that an 0xff can only be an error. */
  get inRows(): boolean {
    return this.#expects === "rows";
  }

  /** Reads one packet that is not an ERR. Answers whether the reply is complete. */
  packet(payload: Buffer, sequence: number, context: ReplyContext): boolean | Promise<boolean> {
    switch (this.#expects) {
      case "rows":
        return this.#readRow(payload, context);
      case "result":
        return this.#readResult(payload, sequence, context);
      case "definitions":
        this.#readDefinition(payload, context);
        return false;
      case "definitions-end":
        context.status(parseEof(payload).status);
        this.#beginRows();
        return false;
    }
  }

  #readRow(payload: Buffer, context: ReplyContext): boolean | Promise<boolean> {
    if (payload[0] === 0xfe) {
      const deprecateEof = hasFlag(context.capabilities, CAP.DEPRECATE_EOF);
      if (payload.length < (deprecateEof ? PACKET_PAYLOAD_MAX : EOF_BYTES_BELOW)) {
        return this.endRows(payload, context);
      }
    }
    const wait = this.#visitor.row(payload);
    return wait === undefined ? false : wait.then(() => false);
  }

  /** Reads the packet that ends the rows. */
  endRows(payload: Buffer, context: ReplyContext): boolean {
    if (hasFlag(context.capabilities, CAP.DEPRECATE_EOF)) {
      return this.#end(okFacts(parseOk(payload, context.capabilities)), context);
    }
    const eof = parseEof(payload);
    return this.#end(eofFacts(eof.warnings, eof.status), context);
  }

  #readResult(payload: Buffer, sequence: number, context: ReplyContext): boolean | Promise<boolean> {
    const first = payload[0];
    if (first === 0x00) return this.#end(okFacts(parseOk(payload, context.capabilities)), context);
    if (first === 0xfb) return this.#visitor.localInfile(sequence, context).then(() => false);
    this.#owed = new PacketReader(payload, "column count").lenencNumber();
    this.#columns = [];
    this.#expects = "definitions";
    return false;
  }

  #readDefinition(payload: Buffer, context: ReplyContext): void {
    this.#columns.push(parseColumnDefinition(payload));
    this.#owed -= 1;
    if (this.#owed > 0) return;
    if (hasFlag(context.capabilities, CAP.DEPRECATE_EOF)) this.#beginRows();
    else this.#expects = "definitions-end";
  }

  #beginRows(): void {
    this.#expects = "rows";
    this.#visitor.columns(this.#columns);
  }

  #end(facts: OkFacts, context: ReplyContext): boolean {
    context.status(facts.status);
    const more = hasFlag(facts.status, STATUS.MORE_RESULTS);
    this.#expects = "result";
    this.#visitor.end(facts, more);
    return !more;
  }
}
