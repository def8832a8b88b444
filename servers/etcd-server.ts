import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./free-port.ts";
import { isAlive } from "./lock-file.ts";
import type { Programs } from "./programs.ts";
import { SetupError } from "./setup-error.ts";

const START_SECONDS_MAX = 30;
const STOP_SECONDS_MAX = 20;
const ANSWER_MS_MAX = 1000;

/** Paths of the PEM files of a server with TLS. */
export interface EtcdTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Whether clients must show a certificate of the same authority. */
  readonly clientCertificates?: boolean;
}

export interface EtcdServerOptions {
  readonly name: string;
  /** The server's own folder: data, log and pid file lie in it. Made when missing. */
  readonly folder: string;
  readonly tls?: EtcdTls;
  /** Further arguments of etcd. */
  readonly args?: readonly string[];
}

/** The ports of one etcd, on 127.0.0.1. They stay the same over restarts. */
export interface EtcdPorts {
  readonly client: number;
  readonly peer: number;
  /** `/health` and `/metrics`, always without TLS. */
  readonly observe: number;
}

export async function freeEtcdPorts(): Promise<EtcdPorts> {
  return { client: await freePort(), peer: await freePort(), observe: await freePort() };
}

/** One real etcd of ours, alone or as a member of a cluster, reached on 127.0.0.1. */
export class EtcdServer {
  readonly name: string;
  readonly folder: string;
  readonly ports: EtcdPorts;
  readonly #programs: Programs;
  readonly #options: EtcdServerOptions;
  #pid = 0;

  constructor(programs: Programs, options: EtcdServerOptions, ports: EtcdPorts) {
    this.name = options.name;
    this.folder = options.folder;
    this.ports = ports;
    this.#programs = programs;
    this.#options = options;
  }

  /** As it stands under `endpoints:` of a configuration. */
  get endpoint(): string {
    return `${this.#options.tls === undefined ? "http" : "https"}://127.0.0.1:${this.ports.client}`;
  }

  get peerUrl(): string {
    return `http://127.0.0.1:${this.ports.peer}`;
  }

  get pid(): number {
    return this.#pid;
  }

  /**
   * Starts etcd and waits until it has a leader. Members of a cluster must be started together, each with all of them.
   *
   * @throws {SetupError} with the end of its log when it does not come up.
   */
  async start(cluster: readonly EtcdServer[] = [this]): Promise<void> {
    const { etcd } = this.#programs;
    if (etcd === undefined) throw new SetupError("there is no etcd; set SWITCHYARD_ETCD to one");
    mkdirSync(this.folder, { recursive: true });
    const log = openSync(join(this.folder, "etcd.log"), "a");
    const child = spawn(etcd.command, [...etcd.args, ...this.#args(cluster)], {
      cwd: this.folder,
      stdio: ["ignore", log, log],
      detached: true,
    });
    closeSync(log);
    child.unref();
    let ended = false;
    child.on("error", () => {
      ended = true;
    });
    child.on("exit", () => {
      ended = true;
    });
    this.#pid = child.pid ?? 0;
    writeFileSync(join(this.folder, "etcd.pid"), String(this.#pid));
    const deadline = Date.now() + START_SECONDS_MAX * 1000;
    while (!ended && Date.now() < deadline) {
      if (await this.isHealthy()) return;
      await sleep(25);
    }
    await this.kill9();
    throw new SetupError(`etcd "${this.name}" did not start:\n${this.log().split("\n").slice(-15).join("\n")}`);
  }

  /** Whether it answers and knows a leader. */
  async isHealthy(): Promise<boolean> {
    return (await this.#observe("/health"))?.includes('"health":"true"') === true;
  }

  async isLeader(): Promise<boolean> {
    return /^etcd_server_is_leader 1$/m.test((await this.#observe("/metrics")) ?? "");
  }

  /** Stops the process where it stands (SIGSTOP): connections stay open and nothing answers. */
  pause(): void {
    process.kill(this.#pid, "SIGSTOP");
  }

  /** Lets a paused process go on. */
  resume(): void {
    process.kill(this.#pid, "SIGCONT");
  }

  /** Ends the server in good order (SIGTERM) and waits until it is gone. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Ends the server as a crash does (SIGKILL) and waits until it is gone. */
  async kill9(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** The server's log so far. */
  log(): string {
    try {
      return readFileSync(join(this.folder, "etcd.log"), "utf8").trimEnd();
    } catch {
      return "";
    }
  }

  #args(cluster: readonly EtcdServer[]): string[] {
    const { client, observe } = this.ports;
    const { tls } = this.#options;
    const members = cluster.map((member) => `${member.name}=${member.peerUrl}`).join(",");
    return [
      `--name=${this.name}`,
      `--data-dir=${join(this.folder, "data")}`,
      `--listen-client-urls=${this.endpoint}`,
      `--advertise-client-urls=${this.endpoint}`,
      `--listen-peer-urls=${this.peerUrl}`,
      `--initial-advertise-peer-urls=${this.peerUrl}`,
      `--listen-metrics-urls=http://127.0.0.1:${observe}`,
      `--initial-cluster=${members}`,
      `--initial-cluster-token=switchyard-${cluster[0]?.ports.client ?? client}`,
      "--log-level=warn",
      ...(tls === undefined ? [] : [`--cert-file=${tls.cert}`, `--key-file=${tls.key}`]),
      ...(tls?.clientCertificates === true ? ["--client-cert-auth", `--trusted-ca-file=${tls.ca}`] : []),
      ...(this.#options.args ?? []),
    ];
  }

  async #observe(path: string): Promise<string | undefined> {
    const url = `http://127.0.0.1:${this.ports.observe}${path}`;
    return await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) }).then(
      (answer) => answer.text(),
      () => undefined,
    );
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const pid = this.#pid;
    if (pid === 0) return;
    this.#pid = 0;
    try {
      process.kill(pid, signal);
      // A paused process hears SIGTERM only once it goes on.
      if (signal === "SIGTERM") process.kill(pid, "SIGCONT");
    } catch {
      return;
    }
    const deadline = Date.now() + STOP_SECONDS_MAX * 1000;
    while (isAlive(pid)) {
      if (Date.now() > deadline) throw new SetupError(`etcd "${this.name}" (pid ${pid}) did not end`);
      await sleep(10);
    }
  }
}

/** Several etcd processes that are one cluster. */
export class EtcdCluster {
  readonly members: readonly EtcdServer[];

  constructor(members: readonly EtcdServer[]) {
    this.members = members;
  }

  get endpoints(): string[] {
    return this.members.map((member) => member.endpoint);
  }

  async start(): Promise<void> {
    await Promise.all(this.members.map((member) => member.start(this.members)));
  }

  /** Starts a member again on its data, after it has ended. */
  async restart(member: EtcdServer): Promise<void> {
    await member.start(this.members);
  }

  /** The member that leads now. @throws {SetupError} when none does for a while. */
  async leader(): Promise<EtcdServer> {
    for (let tries = 0; tries < 200; tries++) {
      for (const member of this.members) if (member.pid !== 0 && (await member.isLeader())) return member;
      await sleep(50);
    }
    throw new SetupError("no member of the etcd cluster leads");
  }

  async kill9(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill9()));
  }
}
