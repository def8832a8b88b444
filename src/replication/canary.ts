import { randomInt } from "node:crypto";
import { deferred } from "../base/deferred.ts";
import { SwitchyardError } from "../base/errors.ts";
import { BinlogDecoder } from "../binlog/binlog-decoder.ts";
import { TransactionReader } from "../binlog/transaction-reader.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import { Connection } from "../mysql/connection.ts";
import { dumpRequest } from "../mysql/dump-request.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { BEAT_MAX, beatOf, writeBeat } from "./heartbeat.ts";
import { SIDECAR } from "./sidecar.ts";
import { ensureSidecar } from "./sidecar-format.ts";
import { connectSource, readerAttributes, type StreamName } from "./stream-session.ts";

export interface CanaryOptions {
  readonly name: StreamName;
  /** The server that the stream would follow. */
  readonly source: Endpoint;
  /** The server that it would write to. */
  readonly target: Endpoint;
  /** For all of it. */
  readonly timeoutMs: number;
}

const HEARTBEAT_MS = 5000;
/** No stream has a ledger row of this number; the row is taken back at once. */
const CANARY_WORKER = 4_294_967_295;

/**
 * Proves that a stream between two servers could begin now: a beat written on the source comes back in its log and is
 * read there, and a row of the ledger is written on the target and taken back. May be called while no stream runs in
 * that direction. Rows of tables are not touched; the beat stays in the sidecar.
 *
 * @returns milliseconds from the beat's commit until it came
 * @throws {SwitchyardError} what the connections, the decoder and {@link ensureSidecar} throw; `TIMEOUT`
 */
export async function proveStream(options: CanaryOptions): Promise<number> {
  const signal = AbortSignal.timeout(options.timeoutMs);
  try {
    await proveLedger(options, signal);
    return await proveLog(options, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new SwitchyardError("TIMEOUT", {
      what: `the ${options.name.direction} stream was not proven within ${options.timeoutMs} ms`,
      changed: "Nothing was changed but a row of the sidecar's heartbeats.",
      cause: error,
    });
  }
}

async function proveLedger({ name, target }: CanaryOptions, signal: AbortSignal): Promise<void> {
  const connection = await connectSource(target, name, signal);
  const stop = destroyOn(signal, connection);
  try {
    await ensureSidecar(connection);
    await connection.query("START TRANSACTION");
    await connection.query(
      `INSERT INTO ${SIDECAR.ledger} (migration, direction, worker, epoch, gtids) VALUES ` +
        `('${name.migration}', '${name.direction}', ${CANARY_WORKER}, 0, '')`,
    );
    await connection.query("ROLLBACK");
  } finally {
    stop();
    connection.destroy();
  }
}

async function proveLog({ name, source }: CanaryOptions, signal: AbortSignal): Promise<number> {
  const connection = await connectSource(source, name, signal);
  const stop = destroyOn(signal, connection);
  let dump: Connection | undefined;
  try {
    await ensureSidecar(connection);
    const row = await connection.one("SELECT @@global.gtid_executed AS executed");
    const executed = GtidSet.parse(row?.["executed"] ?? "");
    dump = await Connection.connect(source, { attributes: readerAttributes(name), signal });
    const beat = randomInt(1, BEAT_MAX - 1);
    let written = 0;
    const [at] = await Promise.all([
      follow(dump, executed, name, beat, signal).then(() => performance.now()),
      writeBeat(connection, name, beat).then(() => {
        written = performance.now();
      }),
    ]);
    return Math.max(0, at - written);
  } finally {
    stop();
    dump?.destroy();
    connection.destroy();
  }
}

/** Resolves when the beat has come, behind the position. */
async function follow(
  dump: Connection,
  executed: GtidSet,
  name: StreamName,
  beat: number,
  signal: AbortSignal,
): Promise<void> {
  const decoder = new BinlogDecoder();
  const reader = new TransactionReader();
  const found = deferred<void>();
  const request = dumpRequest(executed, HEARTBEAT_MS);
  const dumping = dump
    .binlogDump(request, (event) => {
      for (const part of reader.push(decoder.decode(event))) {
        if (part.kind === "rows" && beatOf(part.event, name) === beat) found.resolve();
      }
    })
    .then(() => {
      throw new SwitchyardError("MYSQL_CONNECTION_LOST", { what: "the server ended the dump of its log" });
    });
  const stop = destroyOn(signal, dump);
  try {
    await Promise.race([found.promise, dumping]);
  } finally {
    stop();
  }
}

function destroyOn(signal: AbortSignal, connection: Connection): () => void {
  const destroy = (): void => connection.destroy();
  signal.addEventListener("abort", destroy, { once: true });
  return () => signal.removeEventListener("abort", destroy);
}
