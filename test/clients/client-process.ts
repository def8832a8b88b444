import { type ChildProcess, spawn } from "node:child_process";
import type { Client } from "./catalogue.ts";

const SCRIPT_MAX_MS = 90_000;

/** Where a client program connects, and as what. */
export interface Target {
  readonly port: number;
  readonly tls: "required" | "disabled";
  /** Where the library can. */
  readonly compress?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Account {
  readonly user: string;
  readonly password: string;
}

/** What a run of the common script has printed, by step, and how it went wrong where it did. */
export interface ScriptRun {
  readonly version: string;
  readonly steps: ReadonlyMap<string, string>;
  readonly error: string;
}

/** A client program that runs, with the lines it has printed so far. */
class ClientProcess {
  readonly lines: string[] = [];
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  #rest = "";
  #errors = "";

  constructor(child: ChildProcess, grumbles: RegExp | undefined) {
    this.#child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (this.#rest + text).split("\n");
      this.#rest = lines.pop() ?? "";
      this.lines.push(...lines);
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-4000);
    });
    this.ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("close", (code, signal) => {
        const end = code === 0 ? "" : `ended with ${signal ?? code}`;
        const errors = grumbles === undefined ? this.#errors : this.#errors.replaceAll(grumbles, "");
        resolve([end, errors.trim()].filter((part) => part !== "").join(": "));
      });
    });
  }

  static async start(
    client: Client,
    account: Account,
    to: Target,
    asked: Readonly<Record<string, string>>,
  ): Promise<ClientProcess> {
    const { command, args, env } = await client.command();
    const { PATH = "", HOME = "" } = process.env;
    const place = { HOST: "127.0.0.1", PORT: String(to.port), TLS: to.tls };
    const compress = { COMPRESS: to.compress === true && client.compresses ? "yes" : "no" };
    const who = { USER: account.user, PASSWORD: account.password };
    const all = {
      PATH,
      HOME,
      LC_ALL: "C.UTF-8",
      TZ: "UTC",
      ...env,
      ...place,
      ...compress,
      ...who,
      ...asked,
      ...to.env,
    };
    return new ClientProcess(spawn(command, args, { env: all, stdio: ["ignore", "pipe", "pipe"] }), client.grumbles);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Runs the common script of a client to its end. */
export async function runScript(client: Client, number: number, account: Account, to: Target): Promise<ScriptRun> {
  const asked = { MODE: "script", CLIENT: String(number), STOP: "" };
  const run = await ClientProcess.start(client, account, to, asked).catch((error: Error) => error);
  if (run instanceof Error) return { version: "", steps: new Map(), error: run.message };
  const timer = setTimeout(() => run.kill(), SCRIPT_MAX_MS);
  const error = await run.ended;
  clearTimeout(timer);
  const split = run.lines.map((line) => {
    const [step = "", ...found] = line.split("\t");
    return [step, found.join("\t")] as const;
  });
  const steps = new Map(split);
  const version = steps.get("client") ?? "";
  steps.delete("client");
  return { version, steps, error };
}

/** A client that writes and reads until its file appears, and what it was told. */
export class Writer {
  readonly client: Client;
  readonly number: number;
  /** `undefined` where it could not be started. */
  readonly #process: ClientProcess | undefined;
  readonly #ended: Promise<string>;
  #over = false;

  private constructor(client: Client, number: number, run: ClientProcess | Error) {
    this.client = client;
    this.number = number;
    this.#process = run instanceof Error ? undefined : run;
    this.#ended = run instanceof Error ? Promise.resolve(run.message) : run.ended;
    void this.#ended.then(() => {
      this.#over = true;
    });
  }

  static async start(client: Client, number: number, account: Account, to: Target, stopFile: string): Promise<Writer> {
    const asked = { MODE: "writes", CLIENT: String(number), STOP: stopFile };
    const run = await ClientProcess.start(client, account, to, asked).catch((error: Error) => error);
    return new Writer(client, number, run);
  }

  /** The writes that it was told of, by their numbers. */
  get acknowledged(): readonly number[] {
    return (this.#process?.lines ?? []).flatMap((line) => (line.startsWith("ack\t") ? [Number(line.slice(4))] : []));
  }

  /** Waits until it has so many more writes acknowledged, or has ended. */
  async goOnFor(writes: number): Promise<void> {
    const until = this.acknowledged.length + writes;
    while (!this.#over && this.acknowledged.length < until) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** How it went wrong, or nothing; its file must be there. */
  async end(): Promise<string> {
    const timer = setTimeout(() => this.kill(), SCRIPT_MAX_MS);
    const error = await this.#ended;
    clearTimeout(timer);
    return error;
  }

  kill(): void {
    this.#process?.kill();
  }
}
