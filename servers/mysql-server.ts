import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import mysql from "mysql2/promise";
import type { Endpoint } from "../src/mysql/endpoint.ts";
import { freePort } from "./free-port.ts";
import { isAlive } from "./lock-file.ts";
import { copyPristineDatadir } from "./pristine-datadir.ts";
import type { Programs } from "./programs.ts";
import { SetupError } from "./setup-error.ts";
import { onSmallDisk, SmallDisk } from "./small-disk.ts";

const START_SECONDS_MAX = 60;
const STOP_SECONDS_MAX = 60;

export type Row = Record<string, string | null>;

export interface MysqlServerOptions {
  readonly name: string;
  /** The server's own folder: data, socket, log and pid file lie in it. Made when missing. */
  readonly folder: string;
  readonly serverId: number;
  /** Further arguments of mysqld; later ones win. */
  readonly args?: readonly string[];
  /** Its binary log lies on a disk of its own, of so many MiB: see {@link MysqlServer.logDisk}. */
  readonly logDiskMebibytes?: number;
  /** A fixed port; a free one where left out. */
  readonly port?: number;
}

/** One real mysqld of ours: GTIDs, row-based binary log, its own data directory, reached on 127.0.0.1. */
export class MysqlServer {
  readonly name: string;
  readonly host = "127.0.0.1";
  readonly folder: string;
  readonly datadir: string;
  readonly socket: string;
  readonly rootUser = "root";
  readonly #programs: Programs;
  readonly #options: MysqlServerOptions;
  #port = 0;
  #pid = 0;

  constructor(programs: Programs, options: MysqlServerOptions) {
    this.name = options.name;
    this.folder = options.folder;
    this.datadir = join(options.folder, "data");
    this.socket = join(options.folder, "mysqld.sock");
    this.#programs = programs;
    this.#options = options;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#pid;
  }

  /** The disk of its binary log, where it has one of its own, while it runs. */
  get logDisk(): SmallDisk {
    return new SmallDisk(this.#pid, this.#logFolder);
  }

  get #logFolder(): string {
    return join(this.folder, "log-disk");
  }

  /**
   * Starts mysqld and waits until it answers; the data directory is made when there is none.
   *
   * @throws {SetupError} with the end of its error log when it does not come up.
   */
  async start(args: readonly string[] = []): Promise<void> {
    if (!existsSync(this.datadir)) {
      mkdirSync(this.folder, { recursive: true });
      await copyPristineDatadir(this.#programs, this.datadir);
    }
    for (let attempt = 0; ; attempt++) {
      if (this.#port === 0) this.#port = this.#options.port ?? (await freePort());
      if (await this.#startOn(args)) return;
      const log = this.log();
      const taken = /Do you already have another mysqld|Address already in use/.test(log);
      if (!taken || this.#options.port !== undefined || attempt >= 4) {
        throw new SetupError(`mysqld "${this.name}" did not start:\n${log.split("\n").slice(-15).join("\n")}`);
      }
      this.#port = 0;
    }
  }

  /** Takes over a server that another process has started in this folder. */
  adopt(pid: number, port: number): void {
    this.#pid = pid;
    this.#port = port;
  }

  /** Ends the server in good order (SIGTERM) and waits until it is gone. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Ends the server as a crash does (SIGKILL) and waits until it is gone. */
  async kill9(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Stops in good order if it runs, and starts again on the same port and data. */
  async restart(args: readonly string[] = []): Promise<void> {
    await this.stop();
    await this.start(args);
  }

  /** Where and as whom to connect, over TCP. */
  endpoint(user: string, password: string): Endpoint {
    return { name: this.name, host: this.host, port: this.#port, user, password, tls: { mode: "preferred" } };
  }

  /**
   * Runs one or several statements as root on a connection of their own and gives the rows of the last one that
   * returned rows. Values are the server's texts.
   */
  async root(sql: string): Promise<Row[]> {
    const connection = await mysql.createConnection({
      socketPath: this.socket,
      user: this.rootUser,
      charset: "utf8mb4",
      multipleStatements: true,
      // JSON is text, which mysql2 would have us say; all else is decoded by the character set of its column.
      typeCast: (field) => (field.type === "JSON" ? field.string("utf8") : field.string()),
    });
    try {
      const [result, fields] = await connection.query({ sql });
      if (!Array.isArray(result)) return [];
      // With several statements both are arrays of one entry each; a statement without rows has no fields.
      const several = Array.isArray(fields) && fields.some((entry) => entry === undefined || Array.isArray(entry));
      const sets = (several ? result : [result]) as unknown[];
      return (sets.findLast((set) => Array.isArray(set)) ?? []) as Row[];
    } finally {
      connection.destroy();
    }
  }

  /** The server's error log so far. */
  log(): string {
    try {
      return readFileSync(join(this.folder, "error.log"), "utf8").trimEnd();
    } catch {
      return "";
    }
  }

  async #startOn(args: readonly string[]): Promise<boolean> {
    rmSync(join(this.folder, "mysqld.pid"), { force: true });
    const log = openSync(join(this.folder, "error.log"), "w");
    const { mysqld } = this.#programs;
    const { logDiskMebibytes } = this.#options;
    const { command, args: first } =
      logDiskMebibytes === undefined ? mysqld : onSmallDisk(mysqld, this.#logFolder, logDiskMebibytes);
    const all = [
      ...first,
      ...this.#programs.mysqldRunArgs,
      ...this.#standardArgs(),
      ...(logDiskMebibytes === undefined ? [] : ["--user=root", `--log-bin=${join(this.#logFolder, "binlog")}`]),
      ...(this.#options.args ?? []),
      ...args,
    ];
    const child = spawn(command, all, { cwd: this.folder, stdio: ["ignore", log, log], detached: true });
    closeSync(log);
    child.unref();
    let ended = false;
    child.on("error", () => {
      ended = true;
    });
    child.on("exit", () => {
      ended = true;
    });
    this.#pid = child.pid ?? 0;
    const deadline = Date.now() + START_SECONDS_MAX * 1000;
    while (!ended && Date.now() < deadline) {
      if (existsSync(this.socket) && (await this.#answers())) return true;
      await sleep(25);
    }
    if (!ended) await this.kill9();
    return false;
  }

  async #answers(): Promise<boolean> {
    return this.root("SELECT 1").then(
      () => true,
      () => false,
    );
  }

  #standardArgs(): string[] {
    return [
      ...(process.getuid?.() === 0 ? ["--user=root"] : []),
      `--datadir=${this.datadir}`,
      `--socket=${this.socket}`,
      `--pid-file=${join(this.folder, "mysqld.pid")}`,
      `--port=${this.#port}`,
      `--server-id=${this.#options.serverId}`,
      "--bind-address=127.0.0.1",
      "--mysqlx=0",
      "--skip-name-resolve",
      "--gtid-mode=ON",
      "--enforce-gtid-consistency=ON",
      "--log-bin=binlog",
      "--sync-binlog=1",
      "--innodb-flush-log-at-trx-commit=2",
      "--innodb-buffer-pool-size=128M",
      "--innodb-redo-log-capacity=256M",
      "--local-infile=ON",
      "--log-bin-trust-function-creators=ON",
      "--max-connections=500",
    ];
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const pid = this.#pid;
    if (pid === 0) return;
    this.#pid = 0;
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    const deadline = Date.now() + STOP_SECONDS_MAX * 1000;
    while (isAlive(pid)) {
      if (Date.now() > deadline) throw new SetupError(`mysqld "${this.name}" (pid ${pid}) did not end`);
      await sleep(10);
    }
  }
}
