import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { MysqlServer } from "../../servers/mysql-server.ts";

const MAGIC_BYTES = 4;
const TYPE_OFFSET = 4;
const SIZE_OFFSET = 9;
const FLAGS_OFFSET = 17;
const FORMAT_DESCRIPTION = 15;
const IN_USE = 1;

/** The events of every binary log file of a server, as a dump would send them, in memory. */
export interface RecordedLog {
  readonly packets: readonly Buffer[];
  readonly bytes: number;
}

/** Reads the files of a server that nobody writes to. */
export async function readLog(server: MysqlServer): Promise<RecordedLog> {
  const packets: Buffer[] = [];
  let bytes = 0;
  for (const row of await server.root("SHOW BINARY LOGS")) {
    const file = readFileSync(join(server.datadir, row["Log_name"] ?? ""));
    bytes += file.length;
    for (let offset = MAGIC_BYTES; offset < file.length; ) {
      const size = file.readUInt32LE(offset + SIZE_OFFSET);
      // The file that is written to says so in its first event; a dump sends that event without the flag.
      if (file[offset + TYPE_OFFSET] === FORMAT_DESCRIPTION)
        file[offset + FLAGS_OFFSET] = flagsAt(file, offset) & ~IN_USE;
      packets.push(file.subarray(offset, offset + size));
      offset += size;
    }
  }
  return { packets, bytes };
}

function flagsAt(file: Buffer, offset: number): number {
  return file[offset + FLAGS_OFFSET] ?? 0;
}
