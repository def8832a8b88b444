import { SwitchyardError } from "../base/errors.ts";
import { CAP, COM, hasFlag, PACKET_PAYLOAD_MAX, STATUS } from "./capabilities.ts";
import { EOF_BYTES_BELOW, parseEof } from "./eof-packet.ts";
import { okStatus } from "./ok-packet.ts";
import { PacketReader } from "./packet-reader.ts";

/** What a packet given to {@link ReplyTracker.take} was. */
export type ReplyPacket =
  /** OK in answer to a statement or command; more results may follow. */
  | "ok"
  /** End of a result set, or of its column definitions on connections without DEPRECATE_EOF. */
  | "eof"
  | "error"
  /** How many columns the result set has that begins here. */
  | "columns"
  /** The server wants the contents of a file; the reply goes on after the client has sent them. */
  | "local-infile"
  | "prepared"
  /** The server wants more from the client in a change of user. */
  | "authentication"
  | "statistics"
  /** An error that answers no command: the server is about to close the connection. */
  | "unsolicited";

/** A statement that the server has prepared. */
export interface PreparedFacts {
  readonly statementId: number;
  readonly columns: number;
  readonly parameters: number;
}

/** What the tracker expects next. */
type Expectation =
  | "nothing"
  | "result"
  | "single"
  | "definitions"
  | "definitions-end"
  | "rows"
  | "statistics"
  | "prepare"
  | "parameters"
  | "parameters-end"
  | "authentication"
  | "events";

/** Commands that the server never answers. */
const SILENT: ReadonlySet<number> = new Set([COM.QUIT, COM.STMT_CLOSE, COM.STMT_SEND_LONG_DATA]);

/**
 * Knows what the server still owes for one command, from packet headers and first bytes. Rows and column
 * definitions are counted, never looked into; {@link wants} asks for the payload of the few packets that matter.
 *
 * One tracker follows one connection: {@link start} a command when its reply is the next to come (pipelined
 * commands wait in a queue of the owner's), then give it every packet of the wire until {@link complete}.
 *
 * An ERR packet carries no status, so {@link status} is then what it was before.
 */
export class ReplyTracker {
  #capabilities: number;
  #command = -1;
  #expects: Expectation = "nothing";
  /** Packets of 16 MiB - 1 go on in the next one, which must not be taken for a beginning. */
  #continues = false;
  #owed = 0;
  #columns = 0;
  /** Definitions are sent; a client may have asked the server to leave them out. */
  #described = true;
  #status = 0;
  #failed = false;
  #prepared: PreparedFacts | undefined;
  #rows = 0;

  constructor(capabilities: number) {
    this.#capabilities = capabilities;
  }

  /** Nothing more is owed for the command given to {@link start}. True before the first command as well. */
  get complete(): boolean {
    return this.#expects === "nothing" && !this.#continues;
  }

  /** Status flags of the last OK or EOF packet, of this or an earlier command. */
  get status(): number {
    return this.#status;
  }

  /** Whether the command ended with an ERR packet. */
  get failed(): boolean {
    return this.#failed;
  }

  /** What was prepared, after a `COM_STMT_PREPARE` that succeeded. */
  get prepared(): PreparedFacts | undefined {
    return this.#prepared;
  }

  /** Columns of the present result set. */
  get columns(): number {
    return this.#columns;
  }

  /** Row packets seen since {@link start}. */
  get rows(): number {
    return this.#rows;
  }

  /** Whether rows of a result set are what comes next. */
  get inRows(): boolean {
    return this.#expects === "rows";
  }

  /** Whether definitions of the columns of a result set are what comes next. */
  get inDefinitions(): boolean {
    return this.#expects === "definitions";
  }

  /** The status that a login ended with, which no command of this tracker has told. */
  setStatus(status: number): void {
    this.#status = status;
  }

  /** Only between commands. */
  setCapabilities(capabilities: number): void {
    this.#capabilities = capabilities;
  }

  /** A command has been sent, and its reply is the next to come. */
  start(command: number): void {
    if (!this.complete) throw unexpected(`command ${command} while a reply to ${this.#command} is owed`);
    this.#command = command;
    this.#failed = false;
    this.#prepared = undefined;
    this.#columns = 0;
    this.#rows = 0;
    this.#expects = expectationOf(command);
  }

  /**
   * A packet begins; `length` is that of its payload, `firstByte` -1 where it is empty. Answers whether its whole
   * payload must be given to {@link take} (before the next packet); otherwise it is counted and done with.
   */
  wants(length: number, firstByte: number): boolean {
    if (this.#continues) {
      this.#continues = length === PACKET_PAYLOAD_MAX;
      return false;
    }
    switch (this.#expects) {
      case "rows":
        if (firstByte === 0xff || (firstByte === 0xfe && this.#endsRows(length))) return true;
        this.#rows += 1;
        break;
      case "definitions":
      case "parameters":
        if (firstByte === 0xff) return true;
        this.#countDefinition();
        break;
      case "events":
        if (firstByte !== 0x00) return true;
        break;
      default:
        return true;
    }
    this.#continues = length === PACKET_PAYLOAD_MAX;
    return false;
  }

  /** The payload of a packet for which {@link wants} answered true. */
  take(payload: Buffer): ReplyPacket {
    const first = payload[0] ?? -1;
    if (first === 0xff && this.#expects !== "statistics") {
      const solicited = this.#expects !== "nothing";
      this.#expects = "nothing";
      this.#failed = true;
      return solicited ? "error" : "unsolicited";
    }
    switch (this.#expects) {
      case "result":
        return this.#takeResult(payload, first);
      case "single":
        return this.#takeEnd(payload, first);
      case "definitions-end":
        return this.#takeDefinitionsEnd(payload);
      case "rows":
        return this.#takeRowsEnd(payload);
      case "statistics":
        this.#expects = "nothing";
        return "statistics";
      case "prepare":
        return this.#takePrepared(payload);
      case "parameters-end":
        this.#status = parseEof(payload).status;
        this.#expectColumns(this.#prepared?.columns ?? 0);
        return "eof";
      case "authentication":
        return this.#takeAuthentication(payload, first);
      case "events":
        this.#expects = "nothing";
        return "eof";
      default:
        throw unexpected(`a packet that starts with ${first} while nothing is owed`);
    }
  }

  get #deprecateEof(): boolean {
    return hasFlag(this.#capabilities, CAP.DEPRECATE_EOF);
  }

  #endsRows(length: number): boolean {
    return this.#deprecateEof ? length < PACKET_PAYLOAD_MAX : length < EOF_BYTES_BELOW;
  }

  #takeResult(payload: Buffer, first: number): ReplyPacket {
    if (first === 0x00) return this.#takeEnd(payload, first);
    if (first === 0xfb) return "local-infile";
    const reader = new PacketReader(payload, "column count");
    this.#columns = reader.lenencNumber();
    const optional = hasFlag(this.#capabilities, CAP.OPTIONAL_RESULTSET_METADATA);
    this.#described = !optional || reader.left === 0 || reader.u8() === 1;
    this.#expectColumns(this.#columns);
    return "columns";
  }

  #takeEnd(payload: Buffer, first: number): ReplyPacket {
    if (first === 0xfe && payload.length < 7) this.#status = parseEof(payload).status;
    else if (first === 0x00 || first === 0xfe) this.#status = okStatus(payload);
    else throw unexpected(`a packet that starts with ${first} in answer to command ${this.#command}`);
    this.#expects = hasFlag(this.#status, STATUS.MORE_RESULTS) ? "result" : "nothing";
    return first === 0x00 ? "ok" : "eof";
  }

  /** Ends the column definitions: rows follow, unless the result stays in a cursor or this was a prepare. */
  #takeDefinitionsEnd(payload: Buffer): ReplyPacket {
    this.#status = parseEof(payload).status;
    const fetched = this.#command === COM.STMT_EXECUTE && hasFlag(this.#status, STATUS.CURSOR_EXISTS);
    this.#expects = fetched || this.#command === COM.STMT_PREPARE ? "nothing" : "rows";
    return "eof";
  }

  #takeRowsEnd(payload: Buffer): ReplyPacket {
    this.#status = this.#deprecateEof ? okStatus(payload) : parseEof(payload).status;
    const more = hasFlag(this.#status, STATUS.MORE_RESULTS) && this.#command !== COM.STMT_FETCH;
    this.#expects = more ? "result" : "nothing";
    return "eof";
  }

  #takePrepared(payload: Buffer): ReplyPacket {
    const reader = new PacketReader(payload, "prepared statement");
    if (reader.u8() !== 0x00) throw reader.malformed("neither OK nor ERR answers a prepare");
    const statementId = reader.u32();
    const columns = reader.u16();
    const parameters = reader.u16();
    this.#prepared = { statementId, columns, parameters };
    this.#columns = columns;
    const optional = hasFlag(this.#capabilities, CAP.OPTIONAL_RESULTSET_METADATA) && reader.left >= 4;
    if (optional) reader.skip(3);
    this.#described = !optional || reader.u8() !== 0;
    if (parameters === 0) this.#expectColumns(columns);
    else if (this.#described) {
      this.#expects = "parameters";
      this.#owed = parameters;
    } else this.#expectAfterParameters();
    return "prepared";
  }

  #takeAuthentication(payload: Buffer, first: number): ReplyPacket {
    if (first !== 0x00) return "authentication";
    return this.#takeEnd(payload, first);
  }

  /** Definitions of columns come next. Where they are left out, the EOF that ends them is sent all the same. */
  #expectColumns(count: number): void {
    this.#owed = count;
    if (count === 0) this.#expects = this.#command === COM.STMT_PREPARE ? "nothing" : "rows";
    else if (this.#described) this.#expects = "definitions";
    else this.#expectAfterColumns();
  }

  #expectAfterParameters(): void {
    if (this.#deprecateEof) this.#expectColumns(this.#prepared?.columns ?? 0);
    else this.#expects = "parameters-end";
  }

  #expectAfterColumns(): void {
    if (!this.#deprecateEof) this.#expects = "definitions-end";
    else this.#expects = this.#command === COM.STMT_PREPARE ? "nothing" : "rows";
  }

  #countDefinition(): void {
    this.#owed -= 1;
    if (this.#owed > 0) return;
    if (this.#expects === "parameters") this.#expectAfterParameters();
    else this.#expectAfterColumns();
  }
}

function expectationOf(command: number): Expectation {
  if (SILENT.has(command)) return "nothing";
  switch (command) {
    case COM.QUERY:
    case COM.STMT_EXECUTE:
    case COM.PROCESS_INFO:
      return "result";
    case COM.FIELD_LIST:
    case COM.STMT_FETCH:
      return "rows";
    case COM.STATISTICS:
      return "statistics";
    case COM.STMT_PREPARE:
      return "prepare";
    case COM.CHANGE_USER:
      return "authentication";
    case COM.BINLOG_DUMP:
    case COM.BINLOG_DUMP_GTID:
      return "events";
    default:
      return "single";
  }
}

function unexpected(what: string): SwitchyardError {
  return new SwitchyardError("WIRE_UNEXPECTED_PACKET", {
    what: `the MySQL protocol allows no such thing here: ${what}`,
  });
}
