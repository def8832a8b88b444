import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../servers/free-port.ts";
import type { MysqlServer } from "../servers/mysql-server.ts";
import type { Deployment } from "./deployment.ts";

/** The program as it is installed: compiled, started by its own name. */
const PROGRAM = resolve(import.meta.dirname, "../dist/main.js");
const READY_SECONDS_MAX = 30;
const STOP_SECONDS_MAX = 20;
const LOG_LINES_SHOWN = 30;

/** The account that Switchyard uses on a server. */
export interface Account {
  readonly user: string;
  readonly password: string;
}

/** A command that ended with anything but 0; its message is the command's own. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
  readonly exitCode: number;

  constructor(args: readonly string[], exitCode: number, output: string) {
    super(`switchyard ${args.join(" ")} ended with ${exitCode}:\n${output.trim()}`);
    this.exitCode = exitCode;
  }
}

export interface SwitchyardOptions {
  /** Its own folder: configuration, data, log and pid file. */
  readonly folder: string;
  readonly backends: Readonly<Record<string, MysqlServer>>;
  readonly account: Account;
  /** The program's main file; where left out, the compiled one. */
  readonly program?: string;
  /** What kind of process it is; where left out, all of Switchyard in one. */
  readonly kind?: "serve" | "proxy" | "controller";
  /** What stands under `store:`; where left out, the embedded one. */
  readonly store?: string;
  readonly logLevel?: "info" | "debug";
  /** How it speaks with the backends; where left out, as it does by itself: over TLS where they offer it. */
  readonly backendTls?: "disabled";
  /** Further lines of the configuration. */
  readonly configuration?: readonly string[];
}

/** `switchyard serve`, or one process of a fleet, and the command line that talks to it. */
export class SwitchyardProcess implements Deployment {
  readonly configFile: string;
  readonly logFile: string;
  readonly #folder: string;
  readonly #options: SwitchyardOptions;
  readonly #program: string;
  #port = 0;
  #adminPort = 0;
  #child: ChildProcess | undefined;
  #ended: string | undefined;

  constructor(options: SwitchyardOptions) {
    this.#options = options;
    this.#program = options.program ?? PROGRAM;
    this.#folder = options.folder;
    this.configFile = join(options.folder, "switchyard.yaml");
    this.logFile = join(options.folder, "switchyard.log");
  }

  get name(): string {
    return this.#kind === "serve" ? "switchyard serve" : basename(this.#folder);
  }

  /** Where applications connect. */
  get port(): number {
    return this.#port;
  }

  get ports(): readonly number[] {
    return [this.#port];
  }

  get server(): string {
    return `http://127.0.0.1:${this.#adminPort}`;
  }

  get ended(): string | undefined {
    return this.#ended;
  }

  async configure(): Promise<void> {
    mkdirSync(this.#folder, { recursive: true });
    this.#port = await freePort();
    this.#adminPort = await freePort();
    writeFileSync(this.configFile, this.#configuration(), { mode: 0o600 });
  }

  async start(): Promise<void> {
    const log = openSync(this.logFile, "a");
    const args = [this.#program, this.#kind, "--config", this.configFile];
    const child = spawn(process.execPath, args, { cwd: this.#folder, stdio: ["ignore", log, log], detached: true });
    closeSync(log);
    child.unref();
    child.on("error", (error) => {
      this.#ended = error.message;
    });
    child.on("exit", (code, signal) => {
      this.#ended = `${this.name} ended with ${signal ?? code}`;
    });
    this.#child = child;
    writeFileSync(join(this.#folder, "switchyard.pid"), String(child.pid));
    const deadline = Date.now() + READY_SECONDS_MAX * 1000;
    while (!(await this.#isReady())) {
      if (this.#ended !== undefined || Date.now() > deadline) {
        throw new Error(`${this.#ended ?? `${this.name} does not become ready`}:\n${this.logTail()}`);
      }
      await sleep(50);
    }
  }

  async stop(): Promise<void> {
    if (this.#child === undefined || this.#ended !== undefined) return;
    this.#child.kill("SIGTERM");
    const deadline = Date.now() + STOP_SECONDS_MAX * 1000;
    while (this.#ended === undefined) {
      if (Date.now() > deadline) this.#child.kill("SIGKILL");
      await sleep(20);
    }
  }

  async json(args: readonly string[]): Promise<Record<string, unknown>> {
    const output = await this.text([...args, "--json"]);
    return JSON.parse(output) as Record<string, unknown>;
  }

  async text(args: readonly string[]): Promise<string> {
    // A command that starts quickly takes less of the processor from the clients that are being measured.
    const compiled = join(this.#folder, "compiled");
    const names = { SWITCHYARD_SERVER: this.server, SWITCHYARD_CONFIG: this.configFile, NODE_COMPILE_CACHE: compiled };
    const env = { ...process.env, ...names };
    const child = spawn(process.execPath, [this.#program, ...args], { stdio: ["ignore", "pipe", "pipe"], env });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    const code = await new Promise<number>((done) => child.on("close", (exit) => done(exit ?? 1)));
    if (code !== 0) throw new CommandFailed(args, code, `${output}${errors}`);
    return output;
  }

  async get<T>(path: string): Promise<T | undefined> {
    try {
      const response = await fetch(`${this.server}${path}`, { signal: AbortSignal.timeout(2_000) });
      return response.ok ? ((await response.json()) as T) : undefined;
    } catch {
      return undefined;
    }
  }

  logTail(): string {
    try {
      return readFileSync(this.logFile, "utf8").trimEnd().split("\n").slice(-LOG_LINES_SHOWN).join("\n");
    } catch {
      return "";
    }
  }

  get #kind(): "serve" | "proxy" | "controller" {
    return this.#options.kind ?? "serve";
  }

  async #isReady(): Promise<boolean> {
    try {
      const response = await fetch(`${this.server}/readyz`, { signal: AbortSignal.timeout(1_000) });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }

  #configuration(): string {
    const { account, backends, backendTls } = this.#options;
    const tls = backendTls === undefined ? "" : `, tls: { mode: ${backendTls} }`;
    const servers = Object.entries(backends).map(
      ([name, { host, port }]) =>
        `  ${name}: { host: ${host}, port: ${port}, user: ${account.user}, password: "${account.password}"${tls} }`,
    );
    return [
      `listen: 127.0.0.1:${this.#port}`,
      `admin: { listen: "127.0.0.1:${this.#adminPort}" }`,
      `store: ${this.#options.store ?? "embedded"}`,
      `dataDirectory: ${join(this.#folder, "data")}`,
      "backends:",
      ...servers,
      "default: old",
      `log: { format: json, level: ${this.#options.logLevel ?? "info"} }`,
      ...(this.#options.configuration ?? []),
      "",
    ].join("\n");
  }
}
