import { systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Config } from "../config/config.ts";
import { createMetrics, type MetricsRegistry } from "../metrics/registry.ts";
import type { EtcdStore } from "../store/etcd-store.ts";
import { transportError } from "../store/ipc-messages.ts";
import { IpcStore } from "../store/ipc-store-client.ts";
import { type MessageChannel, type MessageProcess, processChannel } from "../store/message-channel.ts";
import type { Store } from "../store/store.ts";
import { type ChildStart, CONTROL_TOPIC, STORE_TOPIC, type ToChild, type ToPrimary } from "./child-messages.ts";
import { type RunningRole, startRole } from "./child-roles.ts";
import { openEtcd, reportEtcd } from "./open-etcd.ts";
import { createLogger, type ProcessLogger } from "./pino-logger.ts";

/**
 * The life of a child process: says that it is ready, is told what to be, is it until it is told to stop.
 *
 * It ends at once when the primary is gone: without the store it may neither serve nor apply anything, and whoever
 * starts the primary again must not meet it.
 */
export function runChild(): void {
  const peer = process as MessageProcess;
  const control = processChannel(peer, CONTROL_TOPIC);
  const child = new Child(control);
  peer.once("disconnect", () => process.exit(1));
  // Ctrl-C in a terminal reaches the children too; the primary tells them when to stop.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => undefined);
  process.on("SIGHUP", () => undefined);
  control.onMessage((message) => child.receive(message as ToChild));
  child.send({ kind: "ready" });
}

class Child {
  readonly #control: MessageChannel;
  #log: ProcessLogger | undefined;
  #metrics: MetricsRegistry | undefined;
  #role: Promise<RunningRole> | undefined;
  #etcd: EtcdStore | undefined;

  constructor(control: MessageChannel) {
    this.#control = control;
  }

  send(message: ToPrimary): void {
    this.#control.send(message);
  }

  receive(message: ToChild): void {
    switch (message.kind) {
      case "start":
        void this.#start(message.start);
        return;
      case "stop":
        void this.#stop();
        return;
      case "config":
        void this.#reconfigure(message.config);
        return;
      case "metrics":
        void this.#report(message.id);
        return;
    }
  }

  async #start(start: ChildStart): Promise<void> {
    process.title = `switchyard ${start.name}`;
    const log = createLogger(start.config.log, { process: start.name });
    this.#log = log;
    for (const event of ["uncaughtException", "unhandledRejection"] as const) {
      process.on(event, (error: unknown) => this.#die("a defect ended this process", error));
    }
    this.#metrics = createMetrics(start.name);
    const store = this.#openStore(start, log);
    this.#role = startRole(start, { store, log, clock: systemClock, metrics: this.#metrics });
    try {
      const role = await this.#role;
      this.send({ kind: "started" });
      role.ended.then(
        () => process.exit(0),
        (error: unknown) => this.#die("this process cannot go on", error),
      );
    } catch (error) {
      this.send({ kind: "failed", error: transportError(error) });
      log.debug({ error: messageOf(error) }, "could not start");
    }
  }

  /** An etcd is reached by each child for itself; what the primary hosts is reached over the channel to it. */
  #openStore({ config }: ChildStart, log: Logger): Store {
    if (config.store.kind === "etcd") {
      this.#etcd = openEtcd(config.store, { clock: systemClock, log });
      return this.#etcd;
    }
    return new IpcStore(processChannel(process as MessageProcess, STORE_TOPIC), { clock: systemClock, log });
  }

  async #stop(): Promise<void> {
    try {
      await (await this.#role)?.close();
    } catch (error) {
      this.#log?.warn({ error: messageOf(error) }, "stopped with an error");
    }
    process.exit(0);
  }

  async #reconfigure(config: Config): Promise<void> {
    this.#log?.setLevel(config.log.level);
    (await this.#role)?.reconfigure(config);
  }

  async #report(id: number): Promise<void> {
    if (this.#etcd !== undefined && this.#metrics !== undefined) reportEtcd(this.#etcd, this.#metrics);
    this.send({ kind: "metrics", id, snapshot: (await this.#metrics?.snapshot()) ?? [] });
  }

  #die(what: string, error: unknown): void {
    this.#log?.error({ error: messageOf(error), stack: (error as Error | undefined)?.stack }, what);
    process.exit(1);
  }
}
