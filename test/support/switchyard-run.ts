import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const MAIN = join(import.meta.dirname, "../../src/main.ts");
const START_MAX_MS = 60_000;

/** How a process has ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One line of the log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** A `switchyard` process with what it has written so far. */
export class SwitchyardRun {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], options: { cwd: string; env?: Readonly<Record<string, string>> }) {
    this.child = spawn(process.execPath, [MAIN, ...args], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.on("data", (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.ended = new Promise((resolve) => {
      this.child.once("close", (code, signal) => resolve({ code, signal }));
    });
  }

  get log(): readonly LogLine[] {
    const lines = this.stderr.split("\n").filter((line) => line.startsWith("{") && line.endsWith("}"));
    return lines.map((line) => JSON.parse(line) as LogLine);
  }

  /** The first line, from the `from`th on, with this message. */
  async line(message: string, from = 0): Promise<LogLine> {
    const until = Date.now() + START_MAX_MS;
    while (Date.now() < until) {
      const found = this.log.slice(from).find((line) => line["msg"] === message);
      if (found !== undefined) return found;
      if (this.child.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`"${message}" was not logged:\n${this.stderr}`);
  }

  /** The admin API's address, once everything has started. */
  async adminUrl(): Promise<string> {
    return String((await this.line("switchyard serves"))["admin"]);
  }

  /** Process ids of the children that were started, by name; the newest of each. */
  children(): ReadonlyMap<string, number> {
    const started = this.log.filter((line) => line["msg"] === "started");
    return new Map(started.map((line) => [String(line["child"]), Number(line["pid"])]));
  }

  async kill(signal: NodeJS.Signals): Promise<Ended> {
    this.child.kill(signal);
    return await this.ended;
  }
}

/** Whether a process runs; one that has ended and was not collected yet does not. */
export function runs(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
