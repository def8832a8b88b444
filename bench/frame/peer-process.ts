import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { PeerCommand } from "../../servers/peer-programs.ts";

const START_SECONDS_MAX = 20;

export interface PeerProcessOptions {
  readonly name: string;
  /** A subfolder of the run's folder; the process works in it and ends with the run. */
  readonly folder: string;
  readonly program: PeerCommand;
  readonly args: readonly string[];
  /** Where it listens once it is ready. */
  readonly port: number;
}

/** A peer that runs as long as the bench measures it. */
export class PeerProcess {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /**
   * Starts it and waits until it takes connections.
   *
   * @throws {Error} with the end of its log, when it does not.
   */
  static async start(options: PeerProcessOptions): Promise<PeerProcess> {
    const { name, folder, program, args, port } = options;
    mkdirSync(folder, { recursive: true });
    const logFile = join(folder, "log");
    const log = openSync(logFile, "w");
    const env = { ...process.env, ...program.env };
    const child = spawn(program.command, [...program.args, ...args], { cwd: folder, env, stdio: ["ignore", log, log] });
    closeSync(log);
    writeFileSync(join(folder, `${name}.pid`), String(child.pid));
    let ended = "";
    child.on("error", (error) => {
      ended = error.message;
    });
    child.on("exit", (code, signal) => {
      ended = `it ended with ${signal ?? code}`;
    });
    const until = Date.now() + START_SECONDS_MAX * 1000;
    while (!(await listens(port))) {
      if (ended !== "" || Date.now() > until) {
        child.kill("SIGKILL");
        throw new Error(`${name} did not start: ${ended}\n${readFileSync(logFile, "utf8").slice(-2000)}`);
      }
      await sleep(50);
    }
    return new PeerProcess(child, port);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("the process has not started");
    return this.#child.pid;
  }

  /** Ends it at once. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
