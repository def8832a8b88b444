import { SwitchyardError } from "../base/errors.ts";
import type { Judgement } from "../rules/judgement.ts";
import type { SqlModes } from "../sql/statement.ts";
import { CAP, COM, hasFlag } from "../wire/capabilities.ts";
import { PacketReader } from "../wire/packet-reader.ts";
import { PacketWriter } from "../wire/packet-writer.ts";
import type { BackendConnection } from "./backend-connection.ts";
import type { Cause } from "./cause.ts";
import type { KeptText, Reading } from "./prepared-reading.ts";

/** Bytes ahead of the parameters of an execute: command, id, flags, iterations. */
export const EXECUTE_HEAD_BYTES = 10;
const PARAMETER_COUNT_AVAILABLE = 0x08;
const CURSOR_FLAGS = 0x07;

/** What else than its text decides on what a statement is. */
export interface Meaning {
  readonly schema: string | undefined;
  readonly reading: Reading;
}

/** A statement that the client has prepared, under an id of ours; each backend has one of its own, or none yet. */
export class PreparedStatement {
  readonly id: number;
  readonly text: Buffer;
  /** The session's schema when it was prepared: what its names mean. */
  readonly schema: string | undefined;
  readonly parameters: number;
  /** How its text was read when it was prepared. */
  readonly reading: Reading;
  /** The server's ids. A connection that has ended takes its own with it. */
  readonly handles = new Map<BackendConnection, number>();
  /** The types sent last, as they stand in the packet; a client sends them once. */
  types: Buffer | undefined;
  /** Connections that have been told {@link types}. */
  readonly typed = new Set<BackendConnection>();
  /** Values sent ahead of the next execute, by parameter. */
  readonly longData = new Map<number, Buffer[]>();
  /** Where rows of the last execute wait to be fetched. */
  cursor: BackendConnection | undefined;
  cursorCause: Cause | undefined;
  /** Where it was executed last. */
  last: BackendConnection | undefined;
  /** How its text was judged last, while the session had no temporary tables. */
  judged: PreparedJudgement | undefined;

  constructor(id: number, text: Buffer, meaning: Meaning, parameters: number) {
    const { schema, reading } = meaning;
    this.id = id;
    this.text = text;
    this.schema = schema;
    this.reading = reading;
    this.parameters = parameters;
  }

  forget(connection: BackendConnection): void {
    this.handles.delete(connection);
    this.typed.delete(connection);
    if (this.cursor === connection) this.cursor = undefined;
    if (this.last === connection) this.last = undefined;
  }

  /** Keeps the types that an execute brings. */
  takeTypes({ types }: ExecuteParts): void {
    // Some clients send the same ones each time.
    if (types === undefined || this.types?.equals(types) === true) return;
    this.types = Buffer.from(types);
    this.typed.clear();
  }

  /** The execute as `connection` must get it, where the statement is `handle`; it is sent in this very turn. */
  executeAt(connection: BackendConnection, handle: number, payload: Buffer, parts: ExecuteParts): Buffer {
    const told = this.typed.has(connection);
    if (!told) this.typed.add(connection);
    this.last = connection;
    this.cursor = parts.opensCursor ? connection : undefined;
    return executeFor(payload, parts, handle, told ? undefined : this.types);
  }

  /** The values sent ahead, as the commands that send them, for the backend's id. */
  longDataCommands(handle: number): Buffer[] {
    const commands: Buffer[] = [];
    for (const [parameter, parts] of this.longData) {
      const head = new PacketWriter(16).u8(COM.STMT_SEND_LONG_DATA).u32(handle).u16(parameter).payload();
      for (const part of parts) commands.push(Buffer.concat([head, part]));
    }
    return commands;
  }
}

/** A judgement, and what it holds for: as long as both are the same, a text means and is decided the same. */
export interface PreparedJudgement extends Judgement {
  readonly rulesSerial: number;
  readonly modes: SqlModes;
}

/** The parts of an execute that depend on the backend that gets it. */
export interface ExecuteParts {
  /** The types in this packet, if it has any. */
  readonly types: Buffer | undefined;
  /** Where the flag stands that says whether types follow; -1 where the packet has no parameters. */
  readonly flagAt: number;
  readonly opensCursor: boolean;
}

/** Finds those parts. @throws {SwitchyardError} `WIRE_MALFORMED` */
export function readExecute(payload: Buffer, parameters: number, capabilities: number): ExecuteParts {
  const reader = new PacketReader(payload, "execute", 5);
  const flags = reader.u8();
  reader.skip(EXECUTE_HEAD_BYTES - 6);
  const opensCursor = (flags & CURSOR_FLAGS) !== 0;
  const named = hasFlag(capabilities, CAP.QUERY_ATTRIBUTES);
  const counted = named && (flags & PARAMETER_COUNT_AVAILABLE) !== 0;
  const count = counted ? reader.lenencNumber() : parameters;
  if (count === 0) return { types: undefined, flagAt: -1, opensCursor };
  if (count < parameters) throw reader.malformed(`${count} parameters; the statement has ${parameters}`);
  reader.skip(Math.ceil(count / 8));
  const flagAt = reader.offset;
  if (reader.u8() !== 1) return { types: undefined, flagAt, opensCursor };
  const from = reader.offset;
  for (let index = 0; index < count; index++) {
    reader.skip(2);
    if (named) reader.lenencBytes();
  }
  return { types: payload.subarray(from, reader.offset), flagAt, opensCursor };
}

/** The execute as one backend must get it: with its id, and with the types where it has not been told them. */
export function executeFor(payload: Buffer, parts: ExecuteParts, handle: number, types: Buffer | undefined): Buffer {
  const insert = parts.flagAt >= 0 && parts.types === undefined && types !== undefined;
  const edited = insert
    ? Buffer.concat([payload.subarray(0, parts.flagAt), Buffer.from([1]), types, payload.subarray(parts.flagAt + 1)])
    : Buffer.from(payload);
  edited.writeUInt32LE(handle, 1);
  return edited;
}

/** The same command for the id that a backend has given. */
export function withStatementId(payload: Buffer, id: number): Buffer {
  if (payload.length < 5) {
    throw new SwitchyardError("WIRE_MALFORMED", { what: "a command on a prepared statement ends before its id" });
  }
  const edited = Buffer.from(payload);
  edited.writeUInt32LE(id, 1);
  return edited;
}

/** The id in a command on a prepared statement. @throws {SwitchyardError} `WIRE_MALFORMED` */
export function statementIdOf(payload: Buffer): number {
  return new PacketReader(payload, "prepared statement command", 1).u32();
}

/** A statement that the client has prepared by the SQL statement PREPARE. */
export interface TextPrepared extends KeptText {
  readonly name: string;
  /** Connections that know it. */
  readonly on: Set<BackendConnection>;
}

/** The key of a name: the case of its letters means nothing. */
export function preparedKey(name: string): string {
  return name.toLowerCase();
}
