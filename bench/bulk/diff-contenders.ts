import { type ChildProcessByStdio, type SpawnOptions, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { MysqlServer } from "../../servers/mysql-server.ts";
import { mysqlTool } from "../../servers/programs.ts";
import type { Contender } from "../frame/interleave.ts";
import { BULK_SCHEMA } from "./bulk-data.ts";
import type { CopyServers } from "./copy-contenders.ts";
import { overTcp, timed, withArgs } from "./copy-contenders.ts";
import type { StreamProcess } from "./stream-process.ts";

/** Switchyard's diff, run as `diff start` runs it: beside the stream that keeps both sides alike, in its process. */
export function switchyardDiff(servers: CopyServers, program: StreamProcess, fast = false): Contender {
  return {
    name: fast ? "switchyard --fast" : "switchyard",
    measure: async () => {
      const answer = await program.ask({ order: "diff", fast });
      if (answer.rows !== servers.rows || answer.differences !== 0) {
        throw new Error(`the diff has compared ${answer.rows} rows and found ${answer.differences} differences`);
      }
      return { seconds: answer.ms / 1000, rssMb: answer.peakRssMb };
    },
  };
}

/** The least that any comparison of all bytes outside of the servers must do: read them all. */
export function selectAll(servers: CopyServers): Contender {
  return {
    name: "select *",
    measure: () =>
      timed(async () => {
        await Promise.all([
          readAll(servers.get("source"), servers.tables),
          readAll(servers.get("target"), servers.tables),
        ]);
      }),
  };
}

const CLIENT_ARGS = ["--ssl-mode=DISABLED", "--quick", "--skip-column-names", "--batch"];

export const SELECT_ALL_COMMANDS: readonly string[] = [
  "one client for each server, both at once:",
  `  mysql ${CLIENT_ARGS.join(" ")} -e 'SELECT * FROM sbtest.sbtest1; SELECT * FROM sbtest.sbtest2; …' > /dev/null`,
];

const DUMP_ARGS = [
  ...["--ssl-mode=DISABLED", "--single-transaction", "--set-gtid-purged=OFF"],
  ...["--skip-comments", "--no-create-info", "--order-by-primary", "--databases", BULK_SCHEMA],
];

export const DUMP_AND_CMP_COMMANDS: readonly string[] = [`cmp <(mysqldump ${DUMP_ARGS.join(" ")}) <(mysqldump …)`];

/** What people do who have no tool for it: writes must stop, or the dumps are of two moments. */
export function dumpAndCmp(servers: CopyServers): Contender {
  const dump = (server: MysqlServer): string => {
    const { command, args } = withArgs(mysqlTool("mysqldump"), [...overTcp(server), ...DUMP_ARGS]);
    return [command, ...args].map((word) => `'${word}'`).join(" ");
  };
  const script = `cmp <(${dump(servers.get("source"))}) <(${dump(servers.get("target"))})`;
  return { name: "mysqldump", measure: () => timed(() => succeeds(spawn("bash", ["-c", script], STDIO), "cmp")) };
}

const STDIO = { stdio: ["ignore", "ignore", "pipe"] } as const satisfies SpawnOptions;

async function readAll(server: MysqlServer, tables: readonly string[]): Promise<void> {
  const sql = tables.map((table) => `SELECT * FROM ${table}`).join("; ");
  const { command, args } = withArgs(mysqlTool("mysql"), [...overTcp(server), ...CLIENT_ARGS, "-e", sql]);
  await succeeds(spawn(command, args, STDIO), "mysql");
}

async function succeeds(child: ChildProcessByStdio<null, null, Readable>, name: string): Promise<void> {
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exit, signal) => resolve(signal ?? exit));
  });
  if (code !== 0) throw new Error(`${name} ended with ${String(code)}: ${errors}`);
}
