import { spawn } from "node:child_process";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";

/** What systemd tells a service of `Type=notify` by its environment. */
export interface NotifyEnvironment {
  readonly NOTIFY_SOCKET?: string | undefined;
  readonly WATCHDOG_USEC?: string | undefined;
  readonly PATH?: string | undefined;
}

/**
 * Tells the service manager how this process is. Node has no datagram sockets of the local kind, so systemd's own
 * `systemd-notify` speaks for it; the unit must say `NotifyAccess=all`. Without NOTIFY_SOCKET nothing is done.
 */
export class ServiceManager {
  readonly #environment: NotifyEnvironment;
  readonly #log: Logger;
  #warned = false;

  constructor(environment: NotifyEnvironment, log: Logger) {
    this.#environment = environment;
    this.#log = log;
  }

  /** The service does what it is for. From now on the watchdog is told, where there is one. */
  async ready(status: string): Promise<void> {
    await this.#tell("READY=1", `STATUS=${status}`);
    const watchdogMs = Number(this.#environment.WATCHDOG_USEC ?? 0) / 1000;
    if (this.#environment.NOTIFY_SOCKET === undefined || !(watchdogMs > 0)) return;
    // Told from the event loop, also while it stops: a process that hangs is not spoken for.
    setInterval(() => void this.#tell("WATCHDOG=1"), watchdogMs / 3).unref();
  }

  /** The service ends in order, which may take as long as clients' transactions do. */
  async stopping(): Promise<void> {
    await this.#tell("STOPPING=1", "STATUS=waiting for open transactions to end");
  }

  async #tell(...state: readonly string[]): Promise<void> {
    const { NOTIFY_SOCKET, PATH } = this.#environment;
    if (NOTIFY_SOCKET === undefined || NOTIFY_SOCKET === "") return;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const env = { NOTIFY_SOCKET, ...(PATH === undefined ? {} : { PATH }) };
    const child = spawn("systemd-notify", [...state], { env, stdio: "ignore", timeout: 5000 });
    child.on("error", (error) => resolve(messageOf(error)));
    child.on("close", (code) => resolve(code === 0 ? undefined : `it ended with ${String(code)}`));
    const problem = await promise;
    if (problem === undefined || this.#warned) return;
    this.#warned = true;
    this.#log.warn({ error: problem }, "systemd-notify failed, so systemd does not know how this service is");
  }
}
