import cluster, { type Worker } from "node:cluster";
import { backoffMs } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { messageOf, type SwitchyardError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Config } from "../config/config.ts";
import type { MetricsSnapshot } from "../metrics/registry.ts";
import type { EmbeddedStore } from "../store/embedded-store.ts";
import { receivedError } from "../store/ipc-messages.ts";
import { type ServedChild, serveStore } from "../store/ipc-store-server.ts";
import { type MessageChannel, type MessageProcess, processChannel } from "../store/message-channel.ts";
import type { Store } from "../store/store.ts";
import {
  type ChildRole,
  type ChildStart,
  CONTROL_TOPIC,
  STORE_TOPIC,
  type ToChild,
  type ToPrimary,
} from "./child-messages.ts";
import { childIds, removeTraces } from "./ended-process.ts";
import type { ClientTaker, FrontDoor } from "./front-door.ts";
import { type HandingProcess, handOver, heedTaken } from "./handed-clients.ts";

export interface SupervisedChildOptions {
  readonly start: ChildStart;
  readonly store: Store;
  /** What the child's own requests to the store are answered from; absent where it reaches the store by itself. */
  readonly hosted: EmbeddedStore | undefined;
  /** Where a proxy's clients come from. */
  readonly door: FrontDoor | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** A process of this child has ended unasked, with the last metrics that it had told. */
  readonly died: (name: string, last: MetricsSnapshot) => void;
}

const RESTART_FIRST_MS = 100;
/** A child that has run for this long starts again as if for the first time. */
const STEADY_MS = 30_000;
const METRICS_TIMEOUT_MS = 1000;

/**
 * What Node is told for a child, behind which come the flags that Switchyard itself was started with. V8 lets
 * the room for what is new grow to 128 MiB while thousands of clients log in, and never gives it back: of a proxy that is
 * more than all its idle sessions take. What a statement needs is garbage at once, so a small room is as good. A
 * stream of a large transaction takes 100 MiB less by it.
 */
const NODE_FLAGS = ["--max-semi-space-size=8"];

/** A child process that is started again whenever it ends unasked. */
export class SupervisedChild {
  readonly #options: SupervisedChildOptions;
  #start: ChildStart;
  readonly #log: Logger;
  /** Of the first process; later ones are tried for ever. */
  readonly #firstStart = deferred<string | undefined>();
  readonly #stop = new AbortController();
  readonly #asked = new Map<number, Deferred<void>>();
  #worker: Worker | undefined;
  #control: MessageChannel | undefined;
  #taker: ClientTaker | undefined;
  #ended: Promise<void> = Promise.resolve();
  #last: MetricsSnapshot = [];
  #nextId = 1;
  #failures = 0;
  #up = false;

  constructor(options: SupervisedChildOptions) {
    this.#options = options;
    this.#start = options.start;
    this.#log = options.log.child({ child: options.start.name });
  }

  get name(): string {
    return this.#options.start.name;
  }

  get role(): ChildRole {
    return this.#options.start.role;
  }

  /** Whether its present process does what it is for. */
  get isUp(): boolean {
    return this.#up;
  }

  get pid(): number | undefined {
    return this.#worker?.process.pid;
  }

  /**
   * Forks the first process. Resolves when it does what it is for, with the address where it listens.
   *
   * @throws {SwitchyardError} what the child said when it could not begin; then it is not started again.
   */
  async start(): Promise<string | undefined> {
    this.#fork();
    return await this.#firstStart.promise;
  }

  /** The metrics of the present process; those that it told last where it does not answer in time. */
  async metrics(): Promise<MetricsSnapshot> {
    const id = this.#nextId++;
    const answer = deferred<void>();
    this.#asked.set(id, answer);
    if (this.#tell({ kind: "metrics", id })) {
      const late = new AbortController();
      const timeout = this.#options.clock.sleep(METRICS_TIMEOUT_MS, late.signal).catch(() => undefined);
      await Promise.race([answer.promise, timeout]);
      late.abort();
    }
    this.#asked.delete(id);
    return this.#last;
  }

  /** Hands on what may change while a child runs, to its present process and to those that follow. */
  reconfigure(config: Config): void {
    this.#start = { ...this.#start, config };
    this.#tell({ kind: "config", config });
  }

  /** Asks the process to end and waits for it; kills it when it has not ended in `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stop.abort();
    this.#tell({ kind: "stop" });
    const late = new AbortController();
    const killLater = this.#options.clock.sleep(timeoutMs, late.signal).then(
      () => {
        this.#log.warn({ timeoutMs }, "a child did not stop in time and is killed");
        this.#worker?.process.kill("SIGKILL");
      },
      () => undefined,
    );
    await this.#ended;
    late.abort();
    await killLater;
  }

  #fork(): void {
    const startedAt = this.#options.clock.monotonicMs();
    cluster.setupPrimary({ execArgv: [...NODE_FLAGS, ...process.execArgv] });
    const worker = cluster.fork();
    const peer = worker.process as MessageProcess;
    const control = processChannel(peer, CONTROL_TOPIC);
    const { hosted } = this.#options;
    const served = hosted && serveStore(hosted, processChannel(peer, STORE_TOPIC), this.#log);
    const { pid } = worker.process;
    this.#worker = worker;
    this.#control = control;
    control.onMessage((message) => this.#receive(message as ToPrimary));
    const taker: ClientTaker = { hand: (socket) => handOver(worker.process as HandingProcess, socket) };
    this.#taker = taker;
    heedTaken(worker.process as HandingProcess, () => this.#options.door?.taken(taker));
    worker.process.on("error", (error) => this.#log.warn({ error: messageOf(error) }, "a child's channel failed"));
    const ended = deferred<void>();
    this.#ended = ended.promise;
    worker.process.once("exit", (code, signal) => {
      this.#options.door?.leave(taker);
      void this.#exited({ code, signal, startedAt, served, pid }).then(() => ended.resolve());
    });
  }

  async #exited(end: {
    code: number | null;
    signal: NodeJS.Signals | null;
    startedAt: number;
    served: ServedChild | undefined;
    pid: number | undefined;
  }): Promise<void> {
    const { clock } = this.#options;
    this.#control = undefined;
    this.#up = false;
    await end.served?.ended().catch(() => undefined);
    if (end.pid !== undefined) {
      await removeTraces(this.#options.store, childIds(this.name, end.pid)).catch((error: unknown) => {
        this.#log.warn({ error: messageOf(error) }, "what a process that has ended left in the store stays there");
      });
    }
    const last = this.#last;
    this.#last = [];
    if (this.#stop.signal.aborted) return;
    this.#options.died(this.name, last);
    if (clock.monotonicMs() - end.startedAt >= STEADY_MS) this.#failures = 0;
    const { childRestartMaxMs } = this.#options.start.config.limits;
    const limits = { firstMs: RESTART_FIRST_MS, maxMs: childRestartMaxMs };
    const waitMs = backoffMs(this.#failures++, limits, Math.random());
    const { code, signal } = end;
    this.#log.error({ code, signal, waitMs: Math.round(waitMs) }, "a child process has ended and is started again");
    void this.#restart(waitMs);
  }

  async #restart(waitMs: number): Promise<void> {
    await this.#options.clock.sleep(waitMs, this.#stop.signal).catch(() => undefined);
    if (!this.#stop.signal.aborted) this.#fork();
  }

  #receive(message: ToPrimary): void {
    switch (message.kind) {
      case "ready":
        this.#tell({ kind: "start", start: this.#start });
        return;
      case "started":
        void this.#started(this.#taker);
        return;
      case "failed":
        this.#failedToStart(receivedError(message.error));
        return;
      case "metrics":
        this.#last = message.snapshot;
        this.#asked.get(message.id)?.resolve();
        return;
    }
  }

  /** A proxy does what it is for once it is handed clients. */
  async #started(taker: ClientTaker | undefined): Promise<void> {
    const { door } = this.#options;
    let address: string | undefined;
    try {
      if (taker !== undefined) address = await door?.admit(taker);
    } catch (error) {
      this.#failedToStart(error as SwitchyardError);
      return;
    }
    if (this.#taker !== taker || this.#control === undefined) return;
    this.#log.info({ pid: this.pid, ...(address === undefined ? {} : { address }) }, "started");
    this.#up = true;
    this.#firstStart.resolve(address);
  }

  #failedToStart(error: SwitchyardError): void {
    if (this.#firstStart.settled) this.#log.error({ error: error.message }, "a child process could not start");
    else {
      this.#stop.abort();
      this.#firstStart.reject(error);
    }
    this.#worker?.process.kill("SIGKILL");
  }

  #tell(message: ToChild): boolean {
    return this.#control?.send(message) ?? false;
  }
}
