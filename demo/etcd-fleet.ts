import { join } from "node:path";
import { EtcdServer, freeEtcdPorts } from "../servers/etcd-server.ts";
import type { Programs } from "../servers/programs.ts";
import type { Deployment } from "./deployment.ts";
import { type SwitchyardOptions, SwitchyardProcess } from "./switchyard-process.ts";

const PROXIES = ["proxy-1", "proxy-2"];
const CONTROLLERS = ["controller-1", "controller-2"];

/** A real etcd, two proxies and two controllers, each a process of its own as it would be on a machine of its own. */
export class EtcdFleet implements Deployment {
  readonly name = "etcd, two proxies, two controllers";
  readonly #etcd: EtcdServer;
  readonly #proxies: readonly SwitchyardProcess[];
  readonly #controllers: readonly SwitchyardProcess[];

  private constructor(etcd: EtcdServer, options: Pick<SwitchyardOptions, "folder" | "backends" | "account">) {
    this.#etcd = etcd;
    const process = (kind: "proxy" | "controller", name: string): SwitchyardProcess =>
      new SwitchyardProcess({
        ...options,
        kind,
        folder: join(options.folder, name),
        store: `{ etcd: { endpoints: ["${etcd.endpoint}"] } }`,
      });
    this.#proxies = PROXIES.map((name) => process("proxy", name));
    this.#controllers = CONTROLLERS.map((name) => process("controller", name));
  }

  static async prepare(
    programs: Programs,
    options: Pick<SwitchyardOptions, "folder" | "backends" | "account">,
  ): Promise<EtcdFleet> {
    const folder = join(options.folder, "etcd");
    return new EtcdFleet(new EtcdServer(programs, { name: "etcd", folder }, await freeEtcdPorts()), options);
  }

  get ports(): readonly number[] {
    return this.#proxies.map(({ port }) => port);
  }

  get server(): string {
    return this.#asked.server;
  }

  get ended(): string | undefined {
    return this.#all.map((one) => one.ended).find((ended) => ended !== undefined);
  }

  async configure(): Promise<void> {
    for (const one of this.#all) await one.configure();
  }

  async start(): Promise<void> {
    await this.#etcd.start();
    await Promise.all(this.#all.map((one) => one.start()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((one) => one.stop()));
    await this.#etcd.kill9();
  }

  json(args: readonly string[]): Promise<Record<string, unknown>> {
    return this.#asked.json(args);
  }

  text(args: readonly string[]): Promise<string> {
    return this.#asked.text(args);
  }

  get<T>(path: string): Promise<T | undefined> {
    return this.#asked.get<T>(path);
  }

  logTail(): string {
    return this.#all.map((one) => `${one.name}:\n${one.logTail()}`).join("\n");
  }

  get #all(): readonly SwitchyardProcess[] {
    return [...this.#proxies, ...this.#controllers];
  }

  /** Orders are given to a proxy: they reach whichever controller leads through the store. */
  get #asked(): SwitchyardProcess {
    const [first] = this.#proxies;
    if (first === undefined) throw new Error("a fleet has proxies");
    return first;
  }
}
