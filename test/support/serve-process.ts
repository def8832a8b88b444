import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../servers/free-port.ts";
import type { Failpoint } from "../../src/base/failpoints.ts";
import { reachedFile } from "../../src/config/failpoint-environment.ts";
import { runCommand } from "./command-runner.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");

export interface ServeOptions {
  /** Where configuration and data live; made where missing. */
  readonly folder: string;
  /** Text of the `backends:` and further keys; listen addresses and data directory are added. */
  readonly config: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What it is started as; `serve` where left out. */
  readonly kind?: "serve" | "proxy" | "controller";
  /** Whether it leads a process group of its own, which {@link ServeProcess.killMachine} needs. */
  readonly ownGroup?: boolean;
}

/** What a command printed, and how it ended. */
export interface CommandResult {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of stdout as JSON, where it is that. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** A real `switchyard serve`, or a part of a fleet, with all its child processes, and the commands that talk to it. */
export class ServeProcess {
  readonly proxyPort: number;
  readonly adminPort: number;
  readonly configPath: string;
  readonly #kind: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #failpointFile: string;
  readonly #ownGroup: boolean;
  #child: ChildProcess;
  #log = "";

  private constructor(options: ServeOptions, ports: { readonly proxy: number; readonly admin: number }) {
    mkdirSync(options.folder, { recursive: true });
    this.proxyPort = ports.proxy;
    this.adminPort = ports.admin;
    this.#kind = options.kind ?? "serve";
    this.#ownGroup = options.ownGroup ?? false;
    this.configPath = join(options.folder, "switchyard.yaml");
    this.#failpointFile = join(options.folder, "failpoint");
    writeFileSync(
      this.configPath,
      `listen: 127.0.0.1:${ports.proxy}\nadmin: { listen: 127.0.0.1:${ports.admin} }\n` +
        `dataDirectory: ${join(options.folder, "data")}\n${options.config}\n`,
    );
    this.#env = { ...process.env, SWITCHYARD_FAILPOINT_FILE: this.#failpointFile, ...options.env };
    this.#child = this.#spawn();
  }

  /** Starts it and waits until it serves. */
  static async start(options: ServeOptions): Promise<ServeProcess> {
    const serve = new ServeProcess(options, { proxy: await freePort(), admin: await freePort() });
    try {
      await serve.ready();
      return serve;
    } catch (error) {
      await serve.kill9();
      throw error;
    }
  }

  /** Of the primary; its group has the same number where it leads one of its own. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** All that it has written on stderr. */
  get log(): string {
    return this.#log;
  }

  /**
   * Lets these failpoints kill their process, one after the other: each the next time that it is reached after the one
   * before it has killed.
   */
  armFailpoints(...points: readonly Failpoint[]): void {
    writeFileSync(this.#failpointFile, points.join("\n"));
  }

  /** Lets the process that comes to this failpoint next wait there until {@link letGo}, for half a minute at most. */
  armWait(point: Failpoint): void {
    this.letGo();
    writeFileSync(this.#failpointFile, `wait ${point}`);
  }

  /** Whether a process waits at a failpoint. */
  get waitsAtFailpoint(): boolean {
    return existsSync(reachedFile(this.#failpointFile));
  }

  /** Lets go whoever waits at a failpoint, and lets nobody wait any more. */
  letGo(): void {
    rmSync(this.#failpointFile, { force: true });
    rmSync(reachedFile(this.#failpointFile), { force: true });
  }

  /** The armed failpoints that have killed nothing yet. */
  get failpointsLeft(): readonly string[] {
    try {
      return readFileSync(this.#failpointFile, "utf8").split("\n");
    } catch {
      return [];
    }
  }

  /** The process id of a child, by its name; the newest where it was started again. */
  childPid(name: string): number {
    const started = this.#log.split("\n").filter((line) => line.includes('"msg":"started"'));
    const lines = started.map((line) => JSON.parse(line) as { readonly child?: string; readonly pid?: number });
    const pid = lines.findLast(({ child }) => child === name)?.pid;
    if (pid === undefined) throw new Error(`no ${name} was started:\n${this.#log.slice(-2000)}`);
    return pid;
  }

  /** An answer of the admin API. */
  async get(path: string): Promise<Readonly<Record<string, unknown>>> {
    const answer = await fetch(`http://127.0.0.1:${this.adminPort}${path}`);
    return (await answer.json()) as Record<string, unknown>;
  }

  async ready(): Promise<void> {
    for (let tries = 0; tries < 1200; tries += 1) {
      const answer = await fetch(`http://127.0.0.1:${this.adminPort}/readyz`).catch(() => undefined);
      if (answer?.ok === true) return;
      if (this.#child.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`serve did not become ready:\n${this.#log}`);
  }

  /** Runs `switchyard` with these arguments and `--json`. */
  async run(...args: readonly string[]): Promise<CommandResult> {
    const env = { ...this.#env, SWITCHYARD_SERVER: `http://127.0.0.1:${this.adminPort}` };
    const { exit, stdout, stderr } = await runCommand([...args, "--json"], env);
    return { exit, stdout, stderr, json: lastJson(stdout) };
  }

  /** Ends it as an operator would, and waits until it has ended. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(timer);
  }

  /** Kills the primary process; its children end with it. */
  async kill9(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
  }

  /** Kills the primary and its children at once, as when their machine is gone: none sees another end. */
  async killMachine(): Promise<void> {
    const { pid } = this.#child;
    if (!this.#ownGroup || pid === undefined) throw new Error("it does not lead a process group");
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    process.kill(-pid, "SIGKILL");
    await ended;
  }

  /** Starts it again on the same data, after it has ended. */
  async restart(): Promise<void> {
    this.#child = this.#spawn();
    await this.ready();
  }

  #spawn(): ChildProcess {
    const child = spawn(process.execPath, [MAIN, this.#kind, "--config", this.configPath], {
      env: this.#env,
      stdio: ["ignore", "ignore", "pipe"],
      detached: this.#ownGroup,
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      this.#log += chunk.toString();
    });
    return child;
  }
}

function lastJson(stdout: string): Readonly<Record<string, unknown>> {
  const text = stdout.trim();
  for (const candidate of [text, text.split("\n").at(-1) ?? ""]) {
    try {
      return JSON.parse(candidate) as Record<string, unknown>;
    } catch {
      // Not one document: the last line is tried next.
    }
  }
  return {};
}
