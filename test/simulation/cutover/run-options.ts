import type { Failpoint } from "../../../src/base/failpoints.ts";
import type { SwitchPorts } from "../../../src/cutover/ports.ts";
import { DEFAULT_SWITCH_LIMITS, type FenceKind, type SwitchLimits } from "../../../src/cutover/switch-options.ts";
import type { Run } from "./run.ts";
import type { SimController } from "./sim-controller.ts";
import type { ProxyWeakness } from "./sim-proxy.ts";
import { SLOW_INSERT_MS } from "./sim-server.ts";
import { MESSAGE_MS } from "./sim-times.ts";

/** What is allowed to go wrong in a run. */
export interface Faults {
  /** Requests and answers of the store get lost or late. */
  readonly messages?: number;
  /** The store is away for a while, now and then. */
  readonly storeAway?: boolean;
  /** At a failpoint, the probability that the controller is killed, stopped, cut off, or loses its fence. */
  readonly controller?: number;
  /** Proxies are stopped, cut off from the store, or killed. */
  readonly proxies?: boolean;
  /** Somebody KILLs the sessions that lock and fence. */
  readonly sessions?: boolean;
  /** Leases end at the store before their time, whatever their owners do. */
  readonly leases?: boolean;
  /** The monotonic clock of a process jumps ahead or stands still, also for as long as it is stopped. */
  readonly clocks?: boolean;
  /** The machine of a proxy vanishes, and its connections stay; later somebody has it forgotten. */
  readonly machines?: boolean;
  /** Somebody alters the table on its home; later somebody makes the other server's alike. */
  readonly ddl?: boolean;
}

export interface RunOptions {
  readonly seed: number;
  readonly faults: Faults;
  /** How many there are; two of each where nothing is said. */
  readonly proxies?: number;
  readonly controllers?: number;
  /** Wall clocks are set to other times all the while. */
  readonly wallClocks?: boolean;
  readonly activeMs?: number;
  readonly bypass?: boolean;
  /**
   * How long a client of a proxy to which nothing was done may wait, besides the way of its bytes; without it that is looked at in
   * runs without faults.
   */
  readonly waitMaxMs?: number;
  /** Whether that holds for a proxy that cannot reach the store as well. */
  readonly strictWaits?: boolean;
  /** The share of statements whose bytes are long on their way to a server, where it is not the usual one. */
  readonly slowShare?: number;
  /** Proxies serve before their watch has told them the rules for the first time. */
  readonly lateWatch?: boolean;
  /** Test-only: whoever opens a migration's session leaves the one that is there alone. */
  readonly sessionsShared?: boolean;
  /** A scene of its own: called at each failpoint that a controller passes. */
  readonly scene?: (point: Failpoint, run: Run, controller: SimController) => void;
  /** How the old home is fenced, where not by the lock. With `none` whoever goes past the proxies need only be shown. */
  readonly fence?: FenceKind;
  /** What is open on the old home is ended after so many milliseconds of a hold. */
  readonly kills?: number;
  /** Test-only: a rule that is switched off. */
  readonly weaken?: (ports: SwitchPorts) => SwitchPorts;
  /** Test-only: neither lock nor fence is expected to stand; what proxies do must be safe without. */
  readonly unfenced?: boolean;
  /** Test-only: proxies serve armed tables whether or not their lease is good. */
  readonly licenceOff?: boolean;
  /** Test-only: a rule that proxies do not keep. */
  readonly weakProxy?: ProxyWeakness;
  /** Test-only: streams write whatever the ledger's epoch is. */
  readonly epochsOff?: boolean;
  /** Test-only: streams are begun whoever has sealed their ledger. */
  readonly sealsOff?: boolean;
  /** Test-only: a guard whose lock is gone lets everybody pass. */
  readonly guardsPassAll?: boolean;
  /** Test-only: an attempt seals a ledger that its stream does not hold any more. */
  readonly lateSeals?: boolean;
}

export interface RunResult {
  readonly breaches: readonly string[];
  readonly outcomes: readonly string[];
  /** How long clients were held by each switch that one controller has seen through, as it says. */
  readonly pausesMs: readonly number[];
  readonly errors: number;
  /** How many of them a controller made that asked for a lock when it woke: see SPEC.md, "Not proven here". */
  readonly lateLocks: number;
  /** How often a switch or a rollback got past its gate. */
  readonly attempts: number;
  /** Cells of the tables in `reached.ts`. */
  readonly reached: ReadonlySet<string>;
  readonly trace: readonly string[];
}

export const LIMITS: SwitchLimits = {
  ...DEFAULT_SWITCH_LIMITS,
  armTimeoutMs: 400,
  drainTimeoutMs: 250,
  holdBudgetMs: 600,
  fenceWaitMs: 80,
  releaseTimeoutMs: 150,
  killTimeoutMs: 400,
};
/**
 * How long a client may wait for a statement where nothing is done to its proxy, besides the way of its bytes, for which this world
 * takes up to 400 ms at any time. Clocks run alike there, and a statement waits for one hold at most: once released, it is sent.
 *
 * 1. The hold ends by its own time, whoever is left: the time began when the proxy heard of it, and no statement is held before.
 * 2. The proxy reads the rules and writes them without it. Where another was first it reads that, and then what the rules are.
 * 3. The server lets nobody past a lock that is asked for, which is given up after its time.
 * 4. Then the statement is carried out, and is answered within a millisecond.
 */
export const WAIT_MAX_MS = LIMITS.holdBudgetMs + 4 * 2 * MESSAGE_MS[1] + LIMITS.fenceWaitMs + SLOW_INSERT_MS[1] + 1;
