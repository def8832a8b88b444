import { deferred } from "../base/deferred.ts";
import { COM } from "../wire/capabilities.ts";
import type { ErrPacket } from "../wire/err-packet.ts";
import { PacketWriter } from "../wire/packet-writer.ts";
import { MysqlError } from "./mysql-error.ts";
import type { Reply } from "./reply.ts";

/** What to ask of a source's binary log. */
export interface BinlogDumpRequest {
  /** Not the id of any server or other dump there. */
  readonly serverId: number;
  /** The transactions that are not wanted any more, in the server's binary form. */
  readonly executed: Buffer;
  readonly heartbeatMs: number;
  /** A dump that the server still runs for the same uuid is ended by this one. */
  readonly replicaUuid: string;
}

/**
 * Takes one event. Its bytes stay as they are, but lie among others that came with it, which whoever keeps them keeps as
 * well. While its promise is pending, the socket is paused.
 */
export type EventSink = (event: Buffer) => void | Promise<void>;

/** Heartbeats in the form that can tell positions beyond 4 GiB. */
const FLAG_HEARTBEAT_V2 = 2;
const FIRST_POSITION = 4n;
const NANOSECONDS_PER_MS = 1_000_000;

/** What the session must say before it asks for events: checksums as in the log, heartbeats, and who it is. */
export function dumpPreparation(request: BinlogDumpRequest): string {
  const period = Math.round(request.heartbeatMs * NANOSECONDS_PER_MS);
  const uuid = request.replicaUuid.replaceAll(/[^0-9a-fA-F-]/g, "");
  return (
    "SET @source_binlog_checksum = @@global.binlog_checksum, @master_binlog_checksum = @@global.binlog_checksum, " +
    `@source_heartbeat_period = ${period}, @master_heartbeat_period = ${period}, ` +
    `@replica_uuid = '${uuid}', @slave_uuid = '${uuid}'`
  );
}

/**
 * The command that asks for events by GTID. The file name is always empty: with a name the server does not check
 * whether transactions that are still wanted have been purged, and they would be missing silently.
 */
export function dumpCommand(request: BinlogDumpRequest): Buffer {
  return new PacketWriter(64 + request.executed.length)
    .u8(COM.BINLOG_DUMP_GTID)
    .u16(FLAG_HEARTBEAT_V2)
    .u32(request.serverId)
    .u32(0)
    .u64(FIRST_POSITION)
    .u32(request.executed.length)
    .bytes(request.executed)
    .payload();
}

/** Hands the events of a dump to a sink until the server or the connection ends it. */
export class BinlogDumpReply implements Reply {
  readonly #done = deferred<void>();
  readonly #sink: EventSink;

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  get done(): Promise<void> {
    return this.#done.promise;
  }

  packet(payload: Buffer): boolean | Promise<boolean> {
    if (payload[0] === 0xfe && payload.length < 9) {
      this.#done.resolve();
      return true;
    }
    const wait = this.#sink(payload.subarray(1));
    return wait === undefined ? false : wait.then(() => false);
  }

  failed(error: ErrPacket, context: { readonly server: string }): void {
    this.#done.reject(new MysqlError(error, context.server, "a dump of the binary log"));
  }

  lost(error: unknown): void {
    this.#done.reject(error);
  }
}
