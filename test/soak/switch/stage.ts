import { setTimeout as sleep } from "node:timers/promises";
import { Fleet } from "../../support/fleet.ts";
import type { ServeProcess } from "../../support/serve-process.ts";
import { TestSystem } from "../../support/system.ts";
import { BYPASS_GRANTS, Bypass } from "./bypass.ts";
import { Oracles } from "./oracles.ts";
import { type MoveOptions, type MoveOutcome, Orders } from "./orders.ts";
import { StageLinks } from "./stage-links.ts";
import { SwitchClients } from "./switch-clients.ts";
import { counterRows, SOAK_SCHEMA, SOAK_TABLES } from "./tables.ts";

export const MIGRATION = "m";
/** A crash of a server loses nothing that it has acknowledged. */
const SERVER_ARGS = ["--innodb-flush-log-at-trx-commit=1"];
const MOVE_MS_MAX = 60_000;
const LOOK_MS = 25;

export interface StageOptions {
  /** How many clients go through the proxies. */
  readonly clients: number;
  readonly leaseTtlMs: number;
  /** The think time of the clients between two writes, in the middle. */
  readonly thinkMs: number;
  readonly seed: number;
  /** Whether a link that can be cut lies between each process and what it reaches. */
  readonly links: boolean;
  /** Further `limits:` of the configuration. */
  readonly limits?: string;
}

/** Where the tables live, by the name in `backends:`. */
export type HomeName = "old" | "new";

/**
 * A real pair of servers, a real etcd, two proxies, two controllers, and clients of every kind that write all the while; a
 * migration of their tables that is ready to be switched forward and back. Each part can be killed, stopped and cut off,
 * and be started again on the same data and port.
 */
export class Stage {
  readonly system: TestSystem;
  readonly fleet: Fleet;
  readonly links: StageLinks;
  readonly orders: Orders;
  readonly clients: SwitchClients;
  readonly oracles: Oracles;
  /** Those who write past the proxies, one to each home. */
  readonly bypasses: Readonly<Record<HomeName, Bypass>>;
  #strayAt = "";

  private constructor(parts: Pick<Stage, "system" | "fleet" | "links">, options: StageOptions) {
    this.system = parts.system;
    this.fleet = parts.fleet;
    this.links = parts.links;
    const all = [...this.fleet.proxies, ...this.fleet.controllers];
    this.orders = new Orders(all.map(({ adminPort }) => adminPort));
    this.clients = new SwitchClients({ ...options, urls: this.fleet.appUrls });
    const { old, new: other } = this.system;
    const { ledger } = this.clients;
    this.oracles = new Oracles({ old, new: other }, ledger);
    this.bypasses = { old: new Bypass(ledger, 0, old.port), new: new Bypass(ledger, 1, other.port) };
  }

  static async start(options: StageOptions): Promise<Stage> {
    const system = await TestSystem.start({ args: SERVER_ARGS });
    const links = new StageLinks();
    try {
      for (const server of [system.old, system.new]) await server.root(BYPASS_GRANTS);
      await system.old.root([...SOAK_SCHEMA, counterRows(options.clients)].join(";"));
      const margin = Math.round(options.leaseTtlMs / 4);
      const fleet = await Fleet.start(system, {
        more: `limits: { leaseTtlMs: ${options.leaseTtlMs}, leaseMarginMs: ${margin}, childRestartMaxMs: 100, ${options.limits ?? ""} }`,
        ...(options.links ? { reach: (name, etcdPort) => links.reach(name, system, etcdPort) } : {}),
      });
      const stage = new Stage({ system, fleet, links }, options);
      try {
        await stage.#begin();
        return stage;
      } catch (error) {
        await Promise.all([stage.clients.stop(), stage.bypasses.old.stop()]);
        await fleet.stop();
        throw error;
      }
    } catch (error) {
      await links.close();
      await system.stop();
      throw error;
    }
  }

  get proxies(): readonly ServeProcess[] {
    return this.fleet.proxies;
  }

  get controllers(): readonly ServeProcess[] {
    return this.fleet.controllers;
  }

  /** Gives the order through whichever process answers, and waits for its end. */
  move(kind: "switch" | "rollback", withinMs = MOVE_MS_MAX, options: MoveOptions = {}): Promise<MoveOutcome> {
    return this.orders.move(kind, MIGRATION, { ...options, withinMs });
  }

  /** Compares anew, which the gate asks for where a stream has found rows that were not as it expected. */
  async compare(withinMs = MOVE_MS_MAX): Promise<void> {
    await this.orders.done(`/v1/migrations/${MIGRATION}/diff`, {}, withinMs);
  }

  /**
   * Waits until every process serves, the migration rests with nothing of an attempt left, and the stream of the present
   * direction runs; gives the home of the tables. `straysMayStop`: a stream that a row of somebody past the proxies has
   * stopped, which is shown, is at rest as well; only an operator can decide between two rows.
   *
   * @throws {Error} that says what is not so after `withinMs`.
   */
  async settle(withinMs: number, options: { readonly straysMayStop?: boolean } = {}): Promise<HomeName> {
    const deadlineMs = performance.now() + withinMs;
    for (;;) {
      const amiss = await this.#amiss(options.straysMayStop === true);
      if (amiss === "old" || amiss === "new") return amiss;
      if (performance.now() > deadlineMs) throw new Error(`not settled within ${withinMs} ms: ${amiss}`);
      await sleep(LOOK_MS);
    }
  }

  /**
   * Lets the clients rest, brings both homes level, and asks every oracle; what was found since the last time, in words.
   * The clients go on afterwards. `straysKnown`: somebody did get past a fence, and it is as it must be that this is told.
   */
  async verify(
    options: { readonly levelWithinMs?: number; readonly straysKnown?: boolean } = {},
  ): Promise<readonly string[]> {
    await this.settle(MOVE_MS_MAX);
    const all = [this.clients, ...Object.values(this.bypasses)];
    await Promise.all(all.map((one) => one.pause()));
    try {
      const told = this.clients.errors.splice(0).map((error) => `a client was told an error: ${JSON.stringify(error)}`);
      const strays = await this.#strays();
      return [
        ...told,
        ...(options.straysKnown === true ? [] : strays),
        ...(await this.oracles.look(options.levelWithinMs)),
      ];
    } finally {
      for (const one of all) one.resume();
    }
  }

  async stop(): Promise<void> {
    // Before anybody is waited for: a server that stands still answers nobody.
    for (const { pid } of [this.system.old, this.system.new, this.fleet.etcd]) {
      if (pid !== 0) process.kill(pid, "SIGCONT");
    }
    const ended = Promise.all([this.clients, ...Object.values(this.bypasses)].map((one) => one.stop()));
    await this.fleet.stop();
    await ended;
    await this.links.close();
    await this.system.stop();
  }

  async #begin(): Promise<void> {
    const [first] = this.proxies;
    if (first === undefined) throw new Error("a fleet has proxies");
    const tables = SOAK_TABLES.join(",");
    for (const args of [
      ["migration", "create", MIGRATION, "--from", "old", "--to", "new", "--tables", tables, "--wait"],
      ["diff", "start", MIGRATION],
    ]) {
      const { exit, stdout, stderr } = await first.run(...args);
      if (exit !== 0) throw new Error(`${args.join(" ")} ended with ${exit}:\n${stdout}${stderr}`);
    }
    await this.oracles.begin();
    await this.clients.start();
    this.bypasses.old.start();
  }

  /** Nobody writes where a fence does not refuse it, so whoever is said to has been misjudged. */
  async #strays(): Promise<readonly string[]> {
    const page = (await this.orders.get(`/v1/migrations/${MIGRATION}/history`)) ?? {};
    const history = page["history"] as readonly { readonly at: string; readonly what: string }[];
    const found = history.filter(({ at, what }) => at > this.#strayAt && what.includes("that are not ours"));
    this.#strayAt = found.at(-1)?.at ?? this.#strayAt;
    return found.map(({ at, what }) => `the history says at ${at}: ${what}`);
  }

  /** What keeps the stage from being at rest, or the home of the tables where nothing does. */
  async #amiss(straysMayStop: boolean): Promise<string> {
    const ready = await Promise.all([...this.proxies, ...this.controllers].map(isReady));
    if (ready.includes(false)) return `ready are ${ready.join(", ")} (p1, p2, c1, c2)`;
    const page = await this.orders.get(`/v1/migrations/${MIGRATION}`);
    const { migration, status } = (page ?? {}) as {
      readonly migration?: {
        readonly phase: string;
        readonly attempt?: unknown;
        readonly streams?: Readonly<Record<string, { readonly error?: string } | undefined>>;
      };
      readonly status?: {
        readonly stream?: { readonly state: string; readonly direction: string };
        readonly strays?: { readonly total: number };
      };
    };
    if (migration === undefined) return "nobody tells of the migration";
    if (migration.attempt !== undefined) return `there is an attempt: ${JSON.stringify(migration.attempt)}`;
    const home = migration.phase === "running" ? "old" : migration.phase === "switched" ? "new" : undefined;
    if (home === undefined) return `it is ${migration.phase}`;
    const stream = status?.stream;
    const direction = home === "old" ? "forward" : "reverse";
    const stopped = migration.streams?.[direction]?.error?.includes("REPLICATION_ROW_REFUSED") === true;
    if (straysMayStop && stopped && (status?.strays?.total ?? 0) > 0) return home;
    if (stream?.state !== "running" || stream.direction !== direction) {
      return `${migration.phase}, and its stream is ${JSON.stringify(stream)}`;
    }
    return home;
  }
}

/** The last lines of a process's log. */
export function logTail(process: ServeProcess, lines: number): string {
  return process.log.trimEnd().split("\n").slice(-lines).join("\n");
}

async function isReady(one: ServeProcess): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${one.adminPort}/readyz`, {
    signal: AbortSignal.timeout(2000),
  }).catch(() => undefined);
  return answer?.ok === true;
}
