import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { MysqlServer } from "../../servers/mysql-server.ts";
import { providePeers } from "../../servers/peer-programs.ts";
import { type Command, mysqlTool } from "../../servers/programs.ts";
import { runCommand } from "../../servers/run-command.ts";
import type { BenchContext } from "../frame/bench.ts";
import type { Contender, Measures } from "../frame/interleave.ts";
import { addKeys, BULK_SCHEMA } from "./bulk-data.ts";
import { type BulkServers, loadFile } from "./bulk-servers.ts";
import { StreamProcess } from "./stream-process.ts";
import type { StreamOrder } from "./stream-program.ts";

export type CopyServers = BulkServers<"source" | "target">;

/** A contender of the copy: fills the empty target from the source. */
export interface Copier {
  readonly name: string;
  /** The commands as a person would type them. */
  readonly commands: readonly string[];
  copy(): Promise<Measures>;
}

/** Empties the target before, and looks at what came after. */
export function asContender(servers: CopyServers, copier: Copier): Contender {
  return {
    name: copier.name,
    measure: async () => {
      await servers.clear("target");
      const measures = await copier.copy();
      await servers.requireRows("target", copier.name);
      return measures;
    },
  };
}

/** Switchyard's stream, opened as the controller opens it; done when it runs, with all keys and next to no lag. */
export function switchyard(servers: CopyServers): Copier {
  return {
    name: "switchyard",
    commands: [
      "the stream of a migration, opened as the controller opens it, in a process of its own;",
      "timed from its first connection until its state is `running`: all copied, keys added, lag below 1 s",
    ],
    copy: async () => {
      const program = await StreamProcess.start();
      try {
        let peakRssMb = 0;
        const { seconds } = await timed(async () => {
          await program.ask(openOrder(servers));
          peakRssMb = (await program.ask({ order: "running" })).peakRssMb;
        });
        return { seconds, rssMb: peakRssMb };
      } finally {
        await program.close();
      }
    },
  };
}

/** A migration of all tables, from the source to the target. */
export function openOrder(servers: CopyServers): StreamOrder {
  const [source, target] = [servers.endpoint("source"), servers.endpoint("target")];
  return { order: "open", migration: "bench", source, target, tables: servers.tables };
}

/** The limit: rows that lie ready in files on the server's machine, read by the server itself, keys added after. */
export function loadData(servers: CopyServers): Copier {
  const target = servers.get("target");
  const { tables } = servers.data;
  return {
    name: "load data",
    commands: [
      `two clients, each with half of ${servers.files.length} files:`,
      "  CREATE TABLE … with the primary key only; LOAD DATA INFILE '…' INTO TABLE …; and after all rows ALTER TABLE … ADD KEY …",
    ],
    copy: () =>
      timed(async () => {
        await target.root(`CREATE DATABASE ${BULK_SCHEMA}; ${tables.map(({ create }) => create).join("; ")}`);
        await inTwo(servers.files, (file) => target.root(loadFile(file)));
        await inTwo(tables, (table) => target.root(addKeys(table) ?? "DO 0"));
      }),
  };
}

const DUMP_ARGS = ["--threads=2", `--database=${BULK_SCHEMA}`, "--no-locks"];
const LOAD_ARGS = ["--threads=2", `--database=${BULK_SCHEMA}`, "--enable-binlog"];
/** A single table is cut, so that both threads have work. */
const ROWS_PER_FILE = 500_000;

export async function myloader(context: BenchContext, servers: CopyServers): Promise<Copier> {
  const peers = await providePeers(context.say);
  const folder = join(context.folder, "dump");
  const dumpArgs = [...DUMP_ARGS, ...(servers.data.tables.length > 1 ? [] : [`--rows=${ROWS_PER_FILE}`])];
  const run = async (name: "mydumper" | "myloader", server: MysqlServer, args: readonly string[]): Promise<void> => {
    const { command, args: first, env } = peers.program(name);
    await runCommand(command, [...first, ...overTcp(server), ...args], { env });
  };
  return {
    name: "myloader",
    commands: [`mydumper ${dumpArgs.join(" ")} --outputdir=dump`, `myloader ${LOAD_ARGS.join(" ")} --directory=dump`],
    copy: async () => {
      rmSync(folder, { recursive: true, force: true });
      return await timed(async () => {
        await run("mydumper", servers.get("source"), [...dumpArgs, `--outputdir=${folder}`]);
        await run("myloader", servers.get("target"), [...LOAD_ARGS, `--directory=${folder}`]);
      });
    },
  };
}

const MYSQLDUMP_ARGS = [
  "--ssl-mode=DISABLED",
  "--single-transaction",
  "--set-gtid-purged=OFF",
  "--databases",
  BULK_SCHEMA,
];

export function mysqldump(servers: CopyServers): Copier {
  return {
    name: "mysqldump",
    commands: [`mysqldump ${MYSQLDUMP_ARGS.join(" ")} | mysql --ssl-mode=DISABLED`],
    copy: () =>
      timed(() =>
        piped(
          withArgs(mysqlTool("mysqldump"), [...overTcp(servers.get("source")), ...MYSQLDUMP_ARGS]),
          withArgs(mysqlTool("mysql"), [...overTcp(servers.get("target")), "--ssl-mode=DISABLED"]),
        ),
      ),
  };
}

/** Two workers over one list. */
export async function inTwo<T>(list: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const left = [...list];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all([worker(), worker()]);
}

export async function timed(work: () => Promise<void>): Promise<{ readonly seconds: number }> {
  const began = performance.now();
  await work();
  return { seconds: (performance.now() - began) / 1000 };
}

export function overTcp(server: MysqlServer): string[] {
  return [`--host=${server.host}`, `--port=${server.port}`, `--user=${server.rootUser}`];
}

export function withArgs(command: Command, args: readonly string[]): Command {
  return { command: command.command, args: [...command.args, ...args] };
}

/** Runs two programs, the output of the first being the input of the second, and fails when either does. */
async function piped(from: Command, into: Command): Promise<void> {
  const reader = spawn(into.command, into.args, { stdio: ["pipe", "ignore", "pipe"] });
  const writer = spawn(from.command, from.args, { stdio: ["ignore", reader.stdin, "pipe"] });
  // The reader sees the end of its input only when nobody else can write to it.
  reader.stdin.destroy();
  const ended = [writer, reader].map(async (child) => {
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    const code = await new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (exit, signal) => resolve(signal ?? exit));
    });
    if (code !== 0) throw new Error(`${child.spawnargs.slice(-3).join(" ")} ended with ${String(code)}: ${errors}`);
  });
  await Promise.all(ended);
}
