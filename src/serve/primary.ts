import cluster from "node:cluster";
import { type AdminServer, startAdmin } from "../admin/admin-server.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Config } from "../config/config.ts";
import { removeEndedProxies } from "../cutover/forget-proxy.ts";
import { createMetrics, type MetricsSnapshot, renderMetrics, retire } from "../metrics/registry.ts";
import { EmbeddedStore } from "../store/embedded-store.ts";
import type { ChildRole } from "./child-messages.ts";
import { createLogger } from "./pino-logger.ts";
import { SupervisedChild } from "./supervised-child.ts";

export interface PrimaryOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly version: string;
  /** The program that children run. */
  readonly entry: string;
}

/** Asked of each child beyond what it may take for its own work. */
const STOP_GRACE_MS = 5000;
/** How often the children's metrics are fetched, so that little is missing when one dies. */
const METRICS_EVERY_MS = 5000;

/**
 * Runs `serve`: hosts the store and the admin API, and keeps the children running, until SIGTERM or SIGINT. Gives
 * the exit code.
 *
 * @throws {SwitchyardError} whatever keeps it from starting: nothing is left running then.
 */
export async function runPrimary(options: PrimaryOptions): Promise<number> {
  const log = createLogger(options.config.log, { process: "primary" });
  const primary = new Primary(options, log);
  process.title = "switchyard primary";
  primary.heedSignals();
  try {
    await primary.start();
  } catch (error) {
    await primary.stop();
    throw error;
  }
  return await primary.untilStopped();
}

class Primary {
  readonly #options: PrimaryOptions;
  readonly #log: Logger;
  readonly #metrics = createMetrics("primary");
  readonly #stopping = new AbortController();
  readonly #children: SupervisedChild[] = [];
  #retired: Promise<MetricsSnapshot> = Promise.resolve([]);
  #store: EmbeddedStore | undefined;
  #admin: AdminServer | undefined;
  #started = false;
  #exitCode = 0;

  constructor(options: PrimaryOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
  }

  async start(): Promise<void> {
    const { config, clock, version, entry } = this.#options;
    const log = this.#log;
    this.#metrics.gauge("build_info", { version, node: process.version }).set(1);
    const store = await EmbeddedStore.open({
      directory: config.dataDirectory,
      clock,
      log,
      onFailure: (error) => this.#giveUp(error.message),
    });
    this.#store = store;
    // The proxies of an earlier process have ended with it, however it ended; they must not stand in a switch's way.
    await removeEndedProxies(store, () => true);
    this.#admin = await startAdmin({
      config: config.admin,
      store,
      clock,
      log: log.child({ part: "admin" }),
      version,
      metrics: () => this.#scrape(),
      started: () => this.#started,
    });
    cluster.setupPrimary({ exec: entry, args: [], serialization: "json" });
    const controller = this.#addChild("controller", "controller", store);
    const proxies = Array.from({ length: config.workers }, (_, index) =>
      this.#addChild("proxy", `proxy-${index + 1}`, store),
    );
    const [address] = await Promise.all([...proxies, controller].map((child) => child.start()));
    this.#started = true;
    log.info({ version, listen: address, admin: this.#admin.url, pid: process.pid }, "switchyard serves");
  }

  /** From now on a signal stops everything in order, and a second one at once; also while it is still starting. */
  heedSignals(): void {
    const onSignal = (signal: NodeJS.Signals): void => {
      if (this.#stopping.signal.aborted) process.exit(1);
      this.#log.info({ signal }, "stopping: open transactions may end; a second signal ends everything at once");
      this.#stopping.abort();
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
    for (const event of ["uncaughtException", "unhandledRejection"] as const) {
      process.on(event, (error: unknown) => this.#giveUp(`a defect: ${messageOf(error)}\n${(error as Error).stack}`));
    }
  }

  /** Waits for a signal, then stops everything. */
  async untilStopped(): Promise<number> {
    await this.#keepMetrics();
    await this.stop();
    this.#log.info({}, "stopped");
    return this.#exitCode;
  }

  /** The controller first, so that no switch loses its proxies; then the proxies, which drain; then the rest. */
  async stop(): Promise<void> {
    const limitMs = this.#options.config.limits.shutdownTimeoutMs + STOP_GRACE_MS;
    const [controllers, proxies] = [true, false].map((isController) =>
      this.#children.filter((child) => (child.name === "controller") === isController),
    );
    for (const group of [controllers, proxies]) {
      await Promise.all((group ?? []).map((child) => child.stop(limitMs)));
    }
    await this.#admin?.close();
    await this.#store?.close();
  }

  #addChild(role: ChildRole, name: string, store: EmbeddedStore): SupervisedChild {
    const { config, clock, version } = this.#options;
    const child = new SupervisedChild({
      start: { role, name, config, version },
      store,
      clock,
      log: this.#log,
      died: (process, last) => {
        this.#metrics.counter("process_restarts_total", { process }).add();
        this.#retired = this.#retired.then((before) => retire([before, last]));
      },
    });
    this.#metrics.counter("process_restarts_total", { process: name });
    this.#children.push(child);
    return child;
  }

  async #snapshots(): Promise<MetricsSnapshot[]> {
    const living = await Promise.all(this.#children.map((child) => child.metrics()));
    return [await this.#metrics.snapshot(), await this.#retired, ...living];
  }

  async #scrape(): Promise<{ readonly contentType: string; readonly text: string }> {
    return await renderMetrics(await this.#snapshots());
  }

  async #keepMetrics(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#snapshots();
      await this.#options.clock.sleep(METRICS_EVERY_MS, signal).catch(() => undefined);
    }
  }

  /** Ends everything at once; what is acknowledged is on disk, and the next start goes on from there. */
  #giveUp(why: string): void {
    this.#log.error({ error: why }, "the primary cannot go on and ends");
    this.#exitCode = 1;
    process.exit(1);
  }
}
