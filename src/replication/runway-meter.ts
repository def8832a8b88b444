import type { Clock } from "../base/clock.ts";
import { deferred } from "../base/deferred.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { BinlogDecoder } from "../binlog/binlog-decoder.ts";
import type { GtidSet } from "../gtid/gtid-set.ts";
import { Connection } from "../mysql/connection.ts";
import { dumpRequest } from "../mysql/dump-request.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { isMysqlError } from "../mysql/mysql-error.ts";
import { bytesFrom, growthPerSecond, type LogFile, type RunwayFacts, runwayMs, runwayShort } from "./runway.ts";
import { connectSource, readerAttributes, type StreamName } from "./stream-session.ts";

export interface RunwayMeterOptions {
  readonly name: StreamName;
  readonly source: Endpoint;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly limits: {
    /** How often the source is asked. */
    readonly runwayEveryMs: number;
    /** Below it a line is logged. */
    readonly runwayWarnMs: number;
    /** Below it a copy gives way to the stream, and does not go on where that does not help. */
    readonly runwayStopMs: number;
  };
  /** What is applied now. */
  readonly executed: () => GtidSet;
  readonly lagMs: () => number;
}

const SETTINGS =
  "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_expire_logs_seconds', 'binlog_expire_logs_auto_purge', 'binlog_space_limit')";
const HEARTBEAT_MS = 100;
const PROBE_TIMEOUT_MS = 60_000;
/** The server's error for a log that it does not have. */
const LOG_ENDED = 1236;

interface NeededLog {
  readonly file: string;
  readonly commitMicros: number;
}

/** Keeps an eye on how long the source will still have what the stream needs. */
export class RunwayMeter {
  readonly #options: RunwayMeterOptions;
  #facts: RunwayFacts | undefined;
  /** As of a while ago: what the log has grown by within a moment says nothing of its rate. */
  #files: { readonly files: readonly LogFile[]; readonly atMs: number } | undefined;
  #bytesPerSecond = 0;
  #looking: Promise<void> | undefined;
  #warned = false;

  constructor(options: RunwayMeterOptions) {
    this.#options = options;
  }

  /** Asks again and again until the signal aborts. Never throws: what is not known does not stop anything. */
  async run(): Promise<void> {
    const { clock, limits, signal } = this.#options;
    while (!signal.aborted) {
      await this.look().catch((error: unknown) => {
        if (!signal.aborted) {
          this.#options.log.warn({ error: messageOf(error) }, "how long the source keeps its log could not be read");
        }
      });
      this.#warn();
      await clock.sleep(limits.runwayEveryMs, signal).catch(() => undefined);
    }
  }

  /** How much longer the source keeps what is needed; undefined where that is for ever, or not known. */
  leftMs(): number | undefined {
    if (this.#facts === undefined) return undefined;
    return runwayMs(this.#facts, this.#options.clock.monotonicMs(), this.#options.lagMs());
  }

  /** Bytes of the source's log that are still needed, as it last said. */
  get neededBytes(): number | undefined {
    return this.#facts?.neededBytes;
  }

  /** So little is left that a copy must give way. */
  get isShort(): boolean {
    const left = this.leftMs();
    return left !== undefined && left < this.#options.limits.runwayStopMs;
  }

  /** @throws {SwitchyardError} `STREAM_RUNWAY_SHORT` */
  require(): void {
    if (this.isShort) throw runwayShort(this.leftMs() ?? 0, this.#options.limits.runwayStopMs);
  }

  /** Asks the source now; who asks meanwhile hears the same. @throws {SwitchyardError} what connections and decoder throw */
  look(): Promise<void> {
    this.#looking ??= this.#ask().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #ask(): Promise<void> {
    const { clock, name, source, signal, executed } = this.#options;
    const over = AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]);
    const connection = await connectSource(source, name, over);
    const destroy = (): void => connection.destroy();
    over.addEventListener("abort", destroy, { once: true });
    try {
      const kept = await readKept(connection);
      const files = (await connection.rows("SHOW BINARY LOGS")).map((row): LogFile => {
        return { name: row["Log_name"] ?? "", bytes: Number(row["File_size"] ?? 0) };
      });
      const row = await connection.one("SELECT UNIX_TIMESTAMP(NOW(6)) AS now");
      const atMs = clock.monotonicMs();
      const applied = executed();
      // Before a stream has begun it needs nothing of the past.
      const found = applied.isEmpty ? undefined : await this.#oldestNeeded(applied, files.at(-1), over);
      const needed = found === "purged" ? undefined : found;
      const ageMs = needed === undefined ? 0 : Number(row?.["now"]) * 1000 - needed.commitMicros / 1000;
      const look = { files, atMs };
      this.#facts = {
        atMs,
        ...kept,
        purged: found === "purged",
        neededAgeMs: Math.max(0, ageMs),
        neededBytes: needed === undefined ? 0 : bytesFrom(files, needed.file),
        bytesPerSecond: this.#grown(look),
      };
    } finally {
      over.removeEventListener("abort", destroy);
      connection.destroy();
    }
  }

  #grown(look: { readonly files: readonly LogFile[]; readonly atMs: number }): number {
    if (this.#files !== undefined) {
      if (look.atMs - this.#files.atMs < this.#options.limits.runwayEveryMs / 2) return this.#bytesPerSecond;
      this.#bytesPerSecond = growthPerSecond(this.#files, look);
    }
    this.#files = look;
    return this.#bytesPerSecond;
  }

  /** The first transaction that the log still holds and that is not applied; undefined where there is none. */
  async #oldestNeeded(
    applied: GtidSet,
    end: LogFile | undefined,
    signal: AbortSignal,
  ): Promise<NeededLog | "purged" | undefined> {
    const { source, name } = this.#options;
    const connection = await Connection.connect(source, { attributes: readerAttributes(name), signal });
    const destroy = (): void => connection.destroy();
    signal.addEventListener("abort", destroy, { once: true });
    const found = deferred<NeededLog | "purged" | undefined>();
    const decoder = new BinlogDecoder();
    let file = "";
    const request = dumpRequest(applied, HEARTBEAT_MS);
    const dumping = connection.binlogDump(request, (packet) => {
      if (found.settled) return;
      const event = decoder.decode(packet);
      if (event.kind === "rotate") file = event.file;
      // While it reads over what is applied it sends heartbeats, too.
      else if (event.kind === "heartbeat" && isBehind(event, end)) found.resolve(undefined);
      else if (event.kind === "gtid") found.resolve({ file, commitMicros: event.commitMicros });
    });
    dumping.then(
      // Cut by us when its time was over: that nothing was heard does not mean that nothing is needed.
      () => found.reject(unheard(source)),
      // Purged already: what follows the log next says so, and what is missing.
      (error: unknown) => (isMysqlError(error, LOG_ENDED) ? found.resolve("purged") : found.reject(error)),
    );
    try {
      return await found.promise;
    } finally {
      signal.removeEventListener("abort", destroy);
      connection.destroy();
      await dumping.catch(() => undefined);
    }
  }

  #warn(): void {
    const left = this.leftMs();
    const low = left !== undefined && left < this.#options.limits.runwayWarnMs;
    if (low && !this.#warned) {
      this.#options.log.warn(
        { leftSeconds: Math.round(left / 1000), neededBytes: this.neededBytes },
        "the source will soon purge binary logs that the stream still needs",
      );
    }
    this.#warned = low;
  }
}

function unheard(source: Endpoint): SwitchyardError {
  return new SwitchyardError("MYSQL_CONNECTION_LOST", {
    what: `server "${source.name}" did not say in time which of its log is still needed`,
    changed: "Nothing was changed.",
  });
}

function isBehind(at: { readonly file: string; readonly position: number }, end: LogFile | undefined): boolean {
  return end === undefined || at.file > end.name || (at.file === end.name && at.position >= end.bytes);
}

/** For how long, and up to what size, a server keeps its binary log. */
export async function readKept(
  connection: Connection,
): Promise<{ readonly retentionMs: number | undefined; readonly spaceBytes: number | undefined }> {
  const rows = await connection.rows(SETTINGS);
  const settings = new Map(rows.map((row) => [row["Variable_name"] ?? "", row["Value"] ?? ""]));
  const seconds = Number(settings.get("binlog_expire_logs_seconds") ?? 0);
  const byAge = settings.get("binlog_expire_logs_auto_purge") !== "OFF" && seconds > 0;
  const space = Number(settings.get("binlog_space_limit") ?? 0);
  return { retentionMs: byAge ? seconds * 1000 : undefined, spaceBytes: space > 0 ? space : undefined };
}
