import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { StreamAnswer, StreamOrder } from "./stream-program.ts";

const PROGRAM = join(import.meta.dirname, "stream-program.ts");

/** Switchyard's engines in a process of their own, so that its memory is theirs alone. */
export class StreamProcess {
  readonly #child: ChildProcess;
  readonly #waiting: { resolve(answer: StreamAnswer): void; reject(error: Error): void }[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (answer: StreamAnswer) => {
      const waiting = this.#waiting.shift();
      if (answer.error === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Error(`${answer.order}: ${answer.error}`));
    });
    child.on("exit", (code, signal) => {
      for (const waiting of this.#waiting.splice(0)) {
        waiting.reject(new Error(`the process of the stream ended with ${signal ?? code}`));
      }
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** `nodeArgs` are for Node itself, for example to profile. */
  static async start(nodeArgs: readonly string[] = []): Promise<StreamProcess> {
    const child = fork(PROGRAM, { execArgv: [...nodeArgs], stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    child.once("spawn", () => resolve());
    child.once("error", reject);
    await promise;
    const started = new StreamProcess(child);
    // Answered once the program has been loaded: its start is not part of what is timed.
    await started.ask({ order: "ready" });
    return started;
  }

  ask(order: StreamOrder): Promise<StreamAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.send(order, (error) => {
        if (error !== null) reject(error);
      });
    });
  }

  /** Ends the stream in good order, and the process with it. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    await this.ask({ order: "close" }).catch(() => this.#child.kill("SIGKILL"));
    await ended;
  }
}
