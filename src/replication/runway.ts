import { SwitchyardError } from "../base/errors.ts";

/** What a source says of the log that a stream still needs, and when it was asked. */
export interface RunwayFacts {
  readonly atMs: number;
  /** Something that is needed is not in the log any more. */
  readonly purged: boolean;
  /** How long it keeps a log after it was written to; undefined where it never purges by age. */
  readonly retentionMs: number | undefined;
  /** How many bytes of log it keeps at most; undefined where that is not limited. */
  readonly spaceBytes: number | undefined;
  /** Age of the oldest transaction that is not applied, by the source's clock; 0 where it has none. */
  readonly neededAgeMs: number;
  /** From the beginning of the file that it is in to the end of the log. */
  readonly neededBytes: number;
  /** By how much the log grows; 0 where that is not known yet. */
  readonly bytesPerSecond: number;
}

/**
 * How much longer the source keeps what the stream still needs; undefined where it keeps it for ever. A file is purged by
 * the age of its last transaction, so this is the least that it can be.
 *
 * @param lagMs of the stream: newer than the facts, and infinite where it is not known
 */
export function runwayMs(facts: RunwayFacts, nowMs: number, lagMs: number): number | undefined {
  if (facts.purged) return 0;
  const sinceMs = nowMs - facts.atMs;
  const left: number[] = [];
  if (facts.retentionMs !== undefined) left.push(facts.retentionMs - Math.min(lagMs, facts.neededAgeMs + sinceMs));
  if (facts.spaceBytes !== undefined && facts.bytesPerSecond > 0) {
    left.push(((facts.spaceBytes - facts.neededBytes) / facts.bytesPerSecond) * 1000 - sinceMs);
  }
  return left.length === 0 ? undefined : Math.min(...left);
}

export interface LogFile {
  readonly name: string;
  readonly bytes: number;
}

/** Bytes from the beginning of a file of the log to its end. */
export function bytesFrom(files: readonly LogFile[], name: string): number {
  const at = files.findIndex((file) => file.name === name);
  return files.slice(Math.max(0, at)).reduce((sum, file) => sum + file.bytes, 0);
}

/** How fast the log has grown between two looks; 0 where the file that was the last is gone. */
export function growthPerSecond(
  before: { readonly files: readonly LogFile[]; readonly atMs: number } | undefined,
  now: { readonly files: readonly LogFile[]; readonly atMs: number },
): number {
  const last = before?.files.at(-1);
  if (before === undefined || last === undefined || now.atMs <= before.atMs) return 0;
  if (!now.files.some(({ name }) => name === last.name)) return 0;
  return Math.max(0, ((bytesFrom(now.files, last.name) - last.bytes) / (now.atMs - before.atMs)) * 1000);
}

/** Why a copy does not go on. */
export function runwayShort(leftMs: number, stopMs: number): SwitchyardError {
  const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
  return new SwitchyardError("STREAM_RUNWAY_SHORT", {
    what: `the copy has stopped: the source keeps the binary log that the stream needs for ${seconds(leftMs)} more, and ${seconds(stopMs)} is the least (runwayStopSeconds)`,
    changed: "What is copied stays, and is not copied again; nothing is lost yet.",
    fix: "Let the source keep its logs for longer (`SET PERSIST binlog_expire_logs_seconds = 604800`, or more space for them), then `switchyard migration resume`. Where the log is purged before, the copy must begin again.",
  });
}
