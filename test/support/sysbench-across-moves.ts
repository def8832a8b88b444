import { type ChildProcess, spawn } from "node:child_process";
import { prepareSysbench, type SysbenchLoad, type SysbenchTarget, sysbenchArgs } from "../../bench/frame/sysbench.ts";
import { providePeers } from "../../servers/peer-programs.ts";

export const SYSBENCH_DATA = { tables: 4, rowsPerTable: 5_000 } as const;

/** Ends by itself when a test forgets it. */
const SECONDS_MAX = 600;

/** One second of a load, as sysbench reports it. */
export interface LoadSecond {
  readonly transactionsPerSecond: number;
  readonly errorsPerSecond: number;
  readonly reconnectsPerSecond: number;
}

/** `oltp_read_write` of eight threads that goes on until it is told to stop, or until an error ends it. */
export class EndlessSysbench {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #running = true;
  #output = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    const gather = (text: string): void => {
      this.#output += text;
    };
    child.stdout?.setEncoding("utf8").on("data", gather);
    child.stderr?.setEncoding("utf8").on("data", gather);
    this.#ended = new Promise((resolve) => {
      child.once("close", () => {
        this.#running = false;
        resolve();
      });
    });
  }

  /** Makes the tables at `home`. */
  static async prepare(home: SysbenchTarget): Promise<void> {
    await prepareSysbench(home, SYSBENCH_DATA);
  }

  static async start(target: SysbenchTarget, protocol: SysbenchLoad["protocol"]): Promise<EndlessSysbench> {
    const { command, args, env } = (await providePeers(() => undefined)).program("sysbench");
    const load: SysbenchLoad = {
      script: "oltp_read_write",
      threads: 8,
      seconds: SECONDS_MAX,
      protocol,
      // Rows are taken evenly, so that clients seldom meet in a deadlock of their own making.
      more: ["--report-interval=1", "--rand-type=uniform"],
    };
    const all = [...args, ...sysbenchArgs(target, SYSBENCH_DATA, load), "run"];
    const child = spawn(command, all, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    return new EndlessSysbench(child);
  }

  /** False once it has ended by itself: an error that it was not told to ignore has ended it. */
  get running(): boolean {
    return this.#running;
  }

  get output(): string {
    return this.#output;
  }

  get seconds(): readonly LoadSecond[] {
    const line = /^\[ \d+s \] thds: 8 tps: ([\d.]+) .* err\/s: ([\d.]+) reconn\/s: ([\d.]+)$/gm;
    return [...this.#output.matchAll(line)].map((match) => ({
      transactionsPerSecond: Number(match[1]),
      errorsPerSecond: Number(match[2]),
      reconnectsPerSecond: Number(match[3]),
    }));
  }

  /** Waits until so many more seconds with transactions in them have been reported, or until it has ended. */
  async goOnFor(seconds: number): Promise<void> {
    const worked = (): number => this.seconds.filter(({ transactionsPerSecond }) => transactionsPerSecond > 0).length;
    const until = worked() + seconds;
    while (this.#running && worked() < until) await new Promise((resolve) => setTimeout(resolve, 50));
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}
