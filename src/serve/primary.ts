import cluster from "node:cluster";
import { type AdminServer, startAdmin } from "../admin/admin-server.ts";
import type { Clock } from "../base/clock.ts";
import { isSwitchyardError, messageOf } from "../base/errors.ts";
import type { Config } from "../config/config.ts";
import { removeEndedProxies } from "../cutover/forget-proxy.ts";
import { createMetrics, type MetricsSnapshot, renderMetrics, retire } from "../metrics/registry.ts";
import { upgradeDocuments } from "../rules/document-kinds.ts";
import { EmbeddedStore } from "../store/embedded-store.ts";
import type { Store } from "../store/store.ts";
import type { ChildRole } from "./child-messages.ts";
import { FrontDoor } from "./front-door.ts";
import { openEtcd } from "./open-etcd.ts";
import { createLogger, type ProcessLogger } from "./pino-logger.ts";
import { checkStore, type ProcessKind, plannedChildren } from "./process-kind.ts";
import { reloadOnHangup } from "./reload.ts";
import { type NotifyEnvironment, ServiceManager } from "./service-manager.ts";
import { SupervisedChild } from "./supervised-child.ts";

export interface PrimaryOptions {
  readonly kind: ProcessKind;
  readonly config: Config;
  readonly clock: Clock;
  readonly version: string;
  /** Reads and checks the configuration again, for SIGHUP. */
  readonly reread: () => Promise<Config>;
  readonly environment: NotifyEnvironment;
  /** The program that children run. */
  readonly entry: string;
}

/** Asked of each child beyond what it may take for its own work. */
const STOP_GRACE_MS = 5000;
/** How often the children's metrics are fetched, so that little is missing when one dies. */
const METRICS_EVERY_MS = 5000;

/**
 * Runs `serve`, `proxy` or `controller`: hosts the admin API, and the store where it is embedded, and keeps the children
 * running, until SIGTERM or SIGINT. Gives the exit code.
 *
 * @throws {SwitchyardError} whatever keeps it from starting: nothing is left running then.
 */
export async function runPrimary(options: PrimaryOptions): Promise<number> {
  checkStore(options.kind, options.config);
  const log = createLogger(options.config.log, { process: "primary" });
  const primary = new Primary(options, log);
  process.title = "switchyard primary";
  primary.heedSignals();
  const apply = (config: Config): void => primary.reconfigure(config);
  reloadOnHangup({ read: options.reread, running: options.config, apply, log });
  try {
    await primary.start();
  } catch (error) {
    await primary.stop();
    throw error;
  }
  return await primary.untilStopped(new ServiceManager(options.environment, log));
}

class Primary {
  readonly #options: PrimaryOptions;
  readonly #log: ProcessLogger;
  #config: Config;
  readonly #metrics = createMetrics("primary");
  readonly #stopping = new AbortController();
  readonly #children: SupervisedChild[] = [];
  #retired: Promise<MetricsSnapshot> = Promise.resolve([]);
  #store: Store | undefined;
  #admin: AdminServer | undefined;
  readonly #door: FrontDoor;
  #started = false;
  #exitCode = 0;

  constructor(options: PrimaryOptions, log: ProcessLogger) {
    this.#options = options;
    this.#log = log;
    this.#config = options.config;
    this.#door = new FrontDoor(options.config.listen, log);
  }

  async start(): Promise<void> {
    const { kind, config, clock, version, entry } = this.#options;
    const log = this.#log;
    this.#metrics.gauge("build_info", { version, node: process.version }).set(1);
    const { store, hosted } = await this.#openStore();
    this.#store = store;
    this.#admin = await startAdmin({
      config: config.admin,
      store,
      clock,
      log: log.child({ part: "admin" }),
      version,
      metrics: () => this.#scrape(),
      started: () => this.#isReady(),
      needs: kind === "controller" ? "store" : hosted === undefined ? "processes" : "fleet",
    });
    cluster.setupPrimary({ exec: entry, args: [], serialization: "json" });
    for (const { role, name } of plannedChildren(kind, config)) this.#addChild(role, name, store, hosted);
    const [address] = await Promise.all(this.#children.map((child) => child.start()));
    this.#started = true;
    const listen = address === undefined ? {} : { listen: address };
    log.info({ version, kind, ...listen, admin: this.#admin.url, pid: process.pid }, "switchyard serves");
  }

  /** Not before everything has started once, not without a living child for the work, and not while it stops. */
  #isReady(): boolean {
    const proxies = this.#children.filter((child) => child.role === "proxy");
    const needed = proxies.length > 0 ? proxies : this.#children;
    return this.#started && !this.#stopping.signal.aborted && needed.some((child) => child.isUp);
  }

  /** The embedded store is this process's own; an etcd is only asked here for the admin API and for ended children. */
  async #openStore(): Promise<{ readonly store: Store; readonly hosted?: EmbeddedStore }> {
    const { config, clock } = this.#options;
    if (config.store.kind === "etcd") return { store: openEtcd(config.store, { clock, log: this.#log }) };
    const hosted = await EmbeddedStore.open({
      directory: config.dataDirectory,
      clock,
      log: this.#log,
      onFailure: (error) => this.#giveUp(error.message),
    });
    this.#store = hosted;
    await refuseNewer(hosted);
    // The proxies of an earlier process have ended with it, however it ended; they must not stand in a switch's way.
    await removeEndedProxies(hosted, () => true);
    return { store: hosted, hosted };
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

  /** Puts in force what may change while everything runs; all else in `config` is as it was. */
  reconfigure(config: Config): void {
    this.#config = config;
    this.#log.setLevel(config.log.level);
    this.#admin?.reconfigure(config.admin);
    for (const child of this.#children) child.reconfigure(config);
  }

  /** Waits for a signal, then stops everything. */
  async untilStopped(manager: ServiceManager): Promise<number> {
    await manager.ready("serving");
    await this.#keepMetrics();
    await Promise.all([manager.stopping(), this.stop()]);
    this.#log.info({}, "stopped");
    return this.#exitCode;
  }

  /**
   * The controller first, so that no switch loses its proxies; then the proxies, which drain, once nobody new is let in; then
   * the rest.
   */
  async stop(): Promise<void> {
    const limitMs = this.#config.limits.shutdownTimeoutMs + STOP_GRACE_MS;
    for (const role of ["controller", "proxy"] as const) {
      if (role === "proxy") this.#door.close();
      const group = this.#children.filter((child) => child.role === role);
      await Promise.all(group.map((child) => child.stop(limitMs)));
    }
    await this.#admin?.close();
    await this.#store?.close();
  }

  #addChild(role: ChildRole, name: string, store: Store, hosted: EmbeddedStore | undefined): void {
    const { clock, version } = this.#options;
    const config = this.#config;
    const child = new SupervisedChild({
      start: { role, name, config, version },
      ...{ store, hosted, clock, log: this.#log },
      door: role === "proxy" ? this.#door : undefined,
      died: (process, last) => {
        this.#metrics.counter("process_restarts_total", { process }).add();
        this.#retired = this.#retired.then((before) => retire([before, last]));
      },
    });
    this.#metrics.counter("process_restarts_total", { process: name });
    this.#children.push(child);
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

/** A store that a newer version has written to is not touched. What is damaged is left to whoever needs it. */
async function refuseNewer(store: Store): Promise<void> {
  try {
    await upgradeDocuments(store);
  } catch (error) {
    if (isSwitchyardError(error, "STORE_FORMAT_NEWER", "CUTOVER_FORMAT_NEWER")) throw error;
  }
}
