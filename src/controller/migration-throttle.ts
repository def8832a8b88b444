import type { Direction, MigrationDocument, ThrottleLimit } from "../cutover/migration-document.ts";
import { PulseLog } from "../throttle/pulse-log.ts";
import { type Ceilings, SIGNAL_NAMES, type SignalName } from "../throttle/signals.ts";
import { type Probe, SIGNAL_AGE_MAX_MS, Throttle, type ThrottleSettings } from "../throttle/throttle.ts";
import { type ControllerContext, endpointOf } from "./controller-context.ts";
import { proxyProbe, replicaProbe, sourceProbe, targetProbe } from "./throttle-probes.ts";

/** The limit that bounds each signal. */
const LIMIT_OF: Readonly<Record<SignalName, ThrottleLimit>> = {
  "source-history": "throttleHistoryMax",
  "source-threads": "throttleSourceThreadsMax",
  "target-threads": "throttleTargetThreadsMax",
  "target-commit": "throttleCommitMs",
  "replica-lag": "throttleReplicaLagMs",
  "proxy-p99": "throttleProxyP99Ms",
};

/** What is in force for a migration: what was said of it, else the configuration. A limit of 0 is none. */
export function throttleSettings(
  configured: Readonly<Record<ThrottleLimit, number>>,
  { tuning }: Pick<MigrationDocument, "tuning">,
): ThrottleSettings {
  const limit = (name: ThrottleLimit): number => tuning?.limits?.[name] ?? configured[name];
  const watched = SIGNAL_NAMES.filter((name) => {
    if (name === "replica-lag" && (tuning?.replicas ?? []).length === 0) return false;
    return limit(LIMIT_OF[name]) > 0;
  });
  const ceilings: Ceilings = Object.fromEntries(watched.map((name) => [name, limit(LIMIT_OF[name])]));
  return { ceilings, shareMax: limit("throttleSpeedPercent") / 100 };
}

export interface MigrationThrottleOptions {
  readonly context: ControllerContext;
  readonly document: () => MigrationDocument;
  /** Which way rows are copied or compared now. */
  readonly direction: () => Direction;
}

/** Keeps the copy and the diffs of a migration from harming its servers, by what the journal says at each moment. */
export function migrationThrottle({ context, document, direction }: MigrationThrottleOptions): Throttle {
  const { clock, limits, log, store } = context;
  const settings = (): ThrottleSettings => throttleSettings(limits, document());
  const probes = (): readonly Probe[] => {
    const { id, source, target } = document();
    const forward = direction() === "forward";
    const [from, to] = forward ? [source, target] : [target, source];
    // The rows of the heartbeat table that no stream reads: the stream's own on the side where it only writes.
    const logs = { forward: new PulseLog(), reverse: new PulseLog() };
    const [atSource, atTarget] = forward ? (["reverse", "forward"] as const) : (["forward", "reverse"] as const);
    const watches = (name: SignalName): boolean => settings().ceilings[name] !== undefined;
    const common = { migration: id, clock };
    const pulseOf = (row: Direction): { direction: Direction; log: PulseLog } => ({ direction: row, log: logs[row] });
    return [
      sourceProbe({
        ...common,
        endpoint: endpointOf(context, from),
        history: () => watches("source-history"),
        pulse: pulseOf(atSource),
        pulses: () => watches("replica-lag"),
      }),
      targetProbe({
        ...common,
        endpoint: endpointOf(context, to),
        pulse: pulseOf(atTarget),
        pulses: () => watches("replica-lag") || watches("target-commit"),
      }),
      replicaProbe({
        ...common,
        logs,
        replicas: () =>
          (watches("replica-lag") ? (document().tuning?.replicas ?? []) : []).map((name) => ({
            name,
            endpoint: () => endpointOf(context, name),
          })),
      }),
      whileWatched(proxyProbe(store, clock, SIGNAL_AGE_MAX_MS), () => watches("proxy-p99")),
    ];
  };
  return new Throttle({ settings, probes, clock, log: log.child({ migration: document().id }) });
}

/** Does not look while nobody wants to know. */
function whileWatched(probe: Probe, watched: () => boolean): Probe {
  return { ...probe, read: () => (watched() ? probe.read() : Promise.resolve({})) };
}
