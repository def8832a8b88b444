import { randomInt, randomUUID } from "node:crypto";
import type { GtidSet } from "../gtid/gtid-set.ts";
import type { BinlogDumpRequest } from "./binlog-dump.ts";

/** Bounds of the server ids that dumps announce: far from those that people give to servers. */
const SERVER_ID_MIN = 0x4000_0000;
const SERVER_ID_MAX = 0x7fff_ffff;

/**
 * Asks for the transactions that are not in `executed`, under a server id that nothing else has at the time. Of the dumps that
 * are made under one `replicaUuid` the newest lives; without one it ends no other.
 */
export function dumpRequest(
  executed: GtidSet,
  heartbeatMs: number,
  replicaUuid: string = randomUUID(),
): BinlogDumpRequest {
  const serverId = randomInt(SERVER_ID_MIN, SERVER_ID_MAX);
  return { serverId, executed: executed.encodeBinary(), heartbeatMs, replicaUuid };
}
