import { join } from "node:path";
import type { EtcdServer } from "../../servers/etcd-server.ts";
import { startEtcd, stopEtcd } from "./etcd.ts";
import { ServeProcess } from "./serve-process.ts";
import type { TestSystem } from "./system.ts";

let fleets = 0;

/** What a fleet consists of, with the names that links and folders have. */
const PROCESSES = [
  ["controller", "c1"],
  ["controller", "c2"],
  ["proxy", "p1"],
  ["proxy", "p2"],
] as const;

/** How one process of a fleet comes to the servers, as `backends:` says it, and to the etcd. */
export interface Reach {
  readonly config: string;
  readonly etcdPort: number;
}

/**
 * A real etcd, two proxies and two controllers in front of the servers of a system. Each is a process with children and
 * a group of its own, as if it had a machine for itself.
 */
export class Fleet {
  readonly etcd: EtcdServer;
  /** p1 and p2, in that order. */
  readonly proxies: ServeProcess[] = [];
  /** c1 and c2, in that order. */
  readonly controllers: ServeProcess[] = [];
  readonly #system: TestSystem;
  readonly #folder: string;

  private constructor(system: TestSystem, etcd: EtcdServer) {
    this.#system = system;
    this.etcd = etcd;
    this.#folder = join(system.folder, `fleet-${++fleets}`);
  }

  static async start(
    system: TestSystem,
    options: {
      readonly more?: string;
      readonly controllerEnv?: Readonly<Record<string, string>>;
      /** What lies between the second proxy and the etcd: given the etcd's port, the one to use instead. */
      readonly link?: (etcdPort: number) => Promise<number>;
      /** What a process is told of the servers and the etcd instead, by its name: c1, c2, p1 or p2. */
      readonly reach?: (name: string, etcdPort: number) => Promise<Reach>;
    } = {},
  ): Promise<Fleet> {
    const fleet = new Fleet(system, await startEtcd());
    const direct = fleet.etcd.endpoint;
    const port = await options.link?.(Number(new URL(direct).port));
    const linked = port === undefined ? direct : `http://127.0.0.1:${port}`;
    try {
      const begun = async ([kind, name]: (typeof PROCESSES)[number]): Promise<ServeProcess> => {
        const env = kind === "controller" ? options.controllerEnv : undefined;
        const reach = await options.reach?.(name, Number(new URL(direct).port));
        const etcd = reach === undefined ? (name === "p2" ? linked : direct) : `http://127.0.0.1:${reach.etcdPort}`;
        const config = `${reach?.config ?? system.config}\nstore: { etcd: { endpoints: ["${etcd}"] } }\n${options.more ?? ""}`;
        return await fleet.#process(kind, name, config, env);
      };
      const all = await Promise.allSettled(PROCESSES.map(begun));
      // By their names, whichever was ready first: links go by names, and tests by places.
      for (const [index, [kind]] of PROCESSES.entries()) {
        const one = all[index];
        const list = kind === "controller" ? fleet.controllers : fleet.proxies;
        if (one?.status === "fulfilled") list.push(one.value);
      }
      for (const one of all) if (one.status === "rejected") throw one.reason;
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  /** The connection strings of the application, one through each proxy. */
  get appUrls(): readonly string[] {
    return this.proxies.map((proxy) => this.#system.appUrl(proxy));
  }

  /** The controller that leads, and the one that stands by. */
  async leader(): Promise<{ readonly leads: ServeProcess; readonly standsBy: ServeProcess }> {
    for (let tries = 0; tries < 300; tries++) {
      const [first, second] = this.controllers;
      if (first === undefined || second === undefined) break;
      // Each term is logged once; the later of two is the present one.
      const since = (one: ServeProcess): number => Date.parse(lastTerm(one.log) ?? "") || 0;
      if (since(first) !== since(second)) {
        return since(first) > since(second) ? { leads: first, standsBy: second } : { leads: second, standsBy: first };
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error("no controller leads");
  }

  /** The controller that runs a migration, and the other one, as `by` shows it. */
  async runs(
    by: ServeProcess,
    migration: string,
  ): Promise<{ readonly runs: ServeProcess; readonly other: ServeProcess }> {
    for (let tries = 0; tries < 300; tries++) {
      const { controller } = (await by.get(`/v1/migrations/${migration}`)) as { readonly controller?: string };
      const [first, second] = this.controllers;
      const isOf = (one: ServeProcess | undefined): boolean =>
        one !== undefined && controller?.endsWith(`-${one.childPid("controller")}-controller`) === true;
      if (first !== undefined && second !== undefined) {
        if (isOf(first)) return { runs: first, other: second };
        if (isOf(second)) return { runs: second, other: first };
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`no controller runs ${migration}`);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.proxies, ...this.controllers].map((one) => one.stop()));
    await stopEtcd([this.etcd]);
  }

  #process(
    kind: "proxy" | "controller",
    name: string,
    config: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<ServeProcess> {
    return ServeProcess.start({ folder: join(this.#folder, name), config, kind, env, ownGroup: true });
  }
}

function lastTerm(log: string): string | undefined {
  const lines = log.split("\n").filter((line) => line.includes('"this controller leads"'));
  const last = lines.at(-1);
  return last === undefined ? undefined : String((JSON.parse(last) as { time?: unknown }).time);
}
