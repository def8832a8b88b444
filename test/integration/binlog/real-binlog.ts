import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { BinlogDecoder } from "../../../src/binlog/binlog-decoder.ts";
import type { BinlogEvent } from "../../../src/binlog/binlog-event.ts";
import { type TransactionPart, TransactionReader } from "../../../src/binlog/transaction-reader.ts";
import { mysqlTool, type TestServer } from "../../support/servers.ts";

/** Runs `sql` as root into a log file of its own and gives that file's path. */
export async function logOf(server: TestServer, sql: string): Promise<string> {
  await server.root("FLUSH BINARY LOGS");
  const [status] = await server.root("SHOW BINARY LOG STATUS");
  await server.root(sql);
  await server.root("FLUSH BINARY LOGS");
  return join(server.datadir, status?.["File"] ?? "");
}

/** The raw events of a log file, in order. */
export function eventsOf(file: string): Buffer[] {
  const bytes = readFileSync(file);
  const events: Buffer[] = [];
  for (let offset = 4; offset < bytes.length; ) {
    const size = bytes.readUInt32LE(offset + 9);
    events.push(bytes.subarray(offset, offset + size));
    offset += size;
  }
  return events;
}

export function decodeFile(file: string): BinlogEvent[] {
  const decoder = new BinlogDecoder();
  return eventsOf(file).map((event) => decoder.decode(event));
}

export function partsOf(file: string): TransactionPart[] {
  const reader = new TransactionReader();
  return decodeFile(file).flatMap((event) => [...reader.push(event)]);
}

/** What MySQL's own tool says of the file. */
export async function mysqlbinlog(file: string): Promise<string> {
  const tool = mysqlTool("mysqlbinlog");
  const args = [...tool.args, "-vv", "--print-table-metadata", "--base64-output=decode-rows", file];
  const { stdout } = await promisify(execFile)(tool.command, args, { maxBuffer: 1 << 28, encoding: "latin1" });
  return stdout;
}
