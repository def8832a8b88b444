import { SwitchyardError } from "../../../src/base/errors.ts";
import type { Failpoint } from "../../../src/base/failpoints.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { readMigration } from "../../../src/cutover/journal.ts";
import type { Direction } from "../../../src/cutover/migration-document.ts";
import type { SwitchPorts } from "../../../src/cutover/ports.ts";
import { settle } from "../../../src/cutover/settle.ts";
import { runSwitch } from "../../../src/cutover/switch.ts";
import type { FenceKind, SwitchLimits } from "../../../src/cutover/switch-options.ts";
import type { SwitchOutcome } from "../../../src/cutover/switch-outcome.ts";
import { serializeStreamClaim } from "../../../src/rules/controller-documents.ts";
import { STREAMS_PREFIX } from "../../../src/rules/store-keys.ts";
import type { Lease } from "../../../src/store/store.ts";
import type { Checker } from "./checker.ts";
import { MIGRATION, SimHome } from "./sim-home.ts";
import type { SimServer } from "./sim-server.ts";
import type { SimStore } from "./sim-store.ts";
import { SimStream } from "./sim-stream.ts";
import type { SimProcess, World } from "./world.ts";

const KILLS = { openTransactions: "kill" } as const;
const NOT_FENCED = { fence: "none", force: "nobody goes past the proxies" } as const;
export const CLAIM = STREAMS_PREFIX + MIGRATION;

export interface SimControllerOptions {
  readonly world: World;
  readonly process: SimProcess;
  readonly store: SimStore;
  readonly servers: { readonly old: SimServer; readonly new: SimServer };
  readonly checker: Checker;
  readonly limits: SwitchLimits;
  /** Whether what is still open after `drainTimeoutMs` is ended. */
  readonly kills: boolean;
  readonly fence: FenceKind | undefined;
  readonly leaseTtlMs: number;
  /** After so many orders it hands the migration over, between two of them, with its lease unhurt. */
  readonly ordersPerClaim: number;
  /** Called at each failpoint; may kill, stop or cut off this controller. */
  readonly disturb: (point: Failpoint, controller: SimController) => void;
  /** Test-only: a rule of the switch that is switched off. */
  readonly weaken?: (ports: SwitchPorts) => SwitchPorts;
}

/** A controller: seeks to run the migration, settles what it finds, then switches and rolls back in turn. */
export class SimController {
  readonly process: SimProcess;
  readonly options: SimControllerOptions;
  readonly outcomes: SwitchOutcome["outcome"][] = [];
  /** How long clients were held by the switches that it has ordered and seen through, as it says. */
  readonly pausesMs: number[] = [];
  /** Whether it gives itself new switches to do. */
  busy = true;
  working = false;
  #tokens = 0;

  constructor(options: SimControllerOptions) {
    this.options = options;
    this.process = options.process;
    void this.#run();
  }

  async #run(): Promise<void> {
    const { world } = this.options;
    while (!this.process.dead) {
      await this.process.gate();
      await this.#term().catch(() => undefined);
      await world.delay(world.random.between(10, 60));
    }
  }

  async #term(): Promise<void> {
    const { store, leaseTtlMs, world, process } = this.options;
    const lease = await store.lease(leaseTtlMs);
    const value = serializeStreamClaim({ id: process.name, nonce: "" });
    const put = { put: CLAIM, value, lease };
    const result = await store.transact([{ key: CLAIM, revision: 0 }], [put]).catch(() => undefined);
    if (result?.succeeded !== true) return await lease.revoke();
    world.note(`${process.name} runs the migration`);
    const ended = this.#watchdog(lease);
    const streams = {
      forward: new SimStream("forward", this.options.servers.old, this.options.servers.new, process),
      reverse: new SimStream("reverse", this.options.servers.new, this.options.servers.old, process),
    };
    const ports = this.#ports(result.revision, streams, ended);
    try {
      await this.#lead(ports, streams, ended);
    } finally {
      world.note(`${process.name} does not run it any more`);
      streams.forward.drop();
      streams.reverse.drop();
      await lease.revoke();
    }
  }

  async #lead(ports: SwitchPorts, streams: Record<Direction, SimStream>, ended: AbortSignal): Promise<void> {
    const { world, limits, kills, fence } = this.options;
    const fenced = fence === "none" ? NOT_FENCED : fence === undefined ? {} : { fence };
    const how = { ...(kills ? KILLS : {}), ...fenced };
    for (let orders = 0; !ended.aborted && orders < this.options.ordersPerClaim; ) {
      await this.process.gate();
      const settled = await this.#work(settle(ports, { migration: MIGRATION, who: this.process.name, limits }));
      if (settled !== undefined) this.#record("settle", settled);
      if (settled?.outcome === "unsettled" || settled?.outcome === "superseded") {
        await world.delay(30);
        continue;
      }
      const { document } = await readMigration(ports.store, MIGRATION);
      const direction: Direction = document.phase === "switched" ? "reverse" : "forward";
      await streams[direction].open(document.fenceToken);
      await world.delay(world.random.between(10, 80));
      if (!this.busy) continue;
      const kind = document.phase === "switched" ? "rollback" : "switch";
      const order = { migration: MIGRATION, kind, who: this.process.name, limits, ...how } as const;
      const outcome = await this.#work(runSwitch(ports, order));
      this.#record(kind, outcome);
      if (outcome.outcome === "switched") this.pausesMs.push(outcome.pauseMs);
      orders += 1;
    }
  }

  /** Until it is known how it ended, and what it has found, the world is not at rest. */
  async #work<T>(work: Promise<T>): Promise<T> {
    this.working = true;
    return await work.finally(() => {
      this.working = false;
    });
  }

  #record(what: string, outcome: SwitchOutcome): void {
    this.outcomes.push(outcome.outcome);
    const why =
      "reason" in outcome ? outcome.reason.facts.what : outcome.outcome === "refused" ? outcome.error.message : "";
    this.options.world.note(`${this.process.name} ${what}: ${outcome.outcome} ${why}`);
    if (outcome.outcome === "switched") this.options.checker.stray(outcome.strays);
    if ("reason" in outcome) this.options.checker.ended(outcome.reason);
  }

  /** A term ends with its lease, by the store's word or by this controller's own clock. */
  #watchdog(lease: Lease): AbortSignal {
    const { world } = this.options;
    const ended = new AbortController();
    lease.lost.addEventListener("abort", () => ended.abort());
    const look = async (): Promise<void> => {
      while (!ended.signal.aborted) {
        await world.delay(20);
        await this.process.gate();
        if (this.process.clock.monotonicMs() > lease.confirmedSentAtMs() + lease.ttlMs * 0.7) ended.abort();
      }
    };
    void look();
    return ended.signal;
  }

  #ports(term: number, streams: Record<Direction, SimStream>, signal: AbortSignal): SwitchPorts {
    const { store, servers, world, weaken } = this.options;
    const homes = { old: new SimHome(servers.old, this.process), new: new SimHome(servers.new, this.process) };
    const ports: SwitchPorts = {
      clock: this.process.clock,
      log: silentLogger,
      failpoint: async (point) => {
        this.options.disturb(point, this);
        await this.process.gate();
      },
      store,
      leadership: () => [{ key: CLAIM, revision: term }],
      home: (backend) => {
        if (backend === "old" || backend === "new") return homes[backend];
        throw new SwitchyardError("INTERNAL_INVARIANT", { what: `no server ${backend}` });
      },
      stream: (direction) => streams[direction],
      diffIsOpen: () => false,
      newToken: () => `${this.process.name}-${++this.#tokens}`,
      progress: (line) => world.note(`${this.process.name}: ${line}`),
      signal,
    };
    return weaken === undefined ? ports : weaken(ports);
  }
}
