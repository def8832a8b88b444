import type { Clock } from "../base/clock.ts";
import { within } from "../base/deadline.ts";
import { SwitchyardError } from "../base/errors.ts";
import { quoteText } from "../base/table-name.ts";
import { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import type { Direction } from "../replication/direction.ts";
import { writeBeat } from "../replication/heartbeat.ts";
import { SIDECAR } from "../replication/sidecar.ts";
import { SESSIONS_PREFIX } from "../rules/store-keys.ts";
import type { Store } from "../store/store.ts";
import type { PulseLog } from "../throttle/pulse-log.ts";
import type { SignalName } from "../throttle/signals.ts";
import type { Probe } from "../throttle/throttle.ts";

/** A server that takes longer to say how it is counts as silent, and is asked on a new connection. */
const ANSWER_TIMEOUT_MS = 4000;

type Found = Partial<Record<SignalName, number>>;

/** A connection for one probe, made when it is needed, and made anew after any failure. */
class Asked {
  readonly #endpoint: Endpoint;
  readonly #migration: string;
  #connection: Connection | undefined;

  constructor(endpoint: Endpoint, migration: string) {
    this.#endpoint = endpoint;
    this.#migration = migration;
  }

  async ask<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const attempt = async (): Promise<T> => {
      this.#connection ??= await Connection.connect(this.#endpoint, {
        attributes: { switchyard_migration: this.#migration, switchyard_role: "throttle" },
        connectTimeoutMs: ANSWER_TIMEOUT_MS,
      });
      return await work(this.#connection);
    };
    try {
      return await within(attempt(), ANSWER_TIMEOUT_MS, `asking server "${this.#endpoint.name}" how busy it is`);
    } catch (error) {
      this.#connection?.destroy();
      this.#connection = undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#connection?.close();
  }
}

export interface ServerProbeOptions {
  readonly endpoint: Endpoint;
  readonly migration: string;
  readonly clock: Clock;
  /** The heartbeat row that no stream of this migration reads from this server's log, and what was written into it. */
  readonly pulse: { readonly direction: Direction; readonly log: PulseLog };
  /** Whether that row is to be written: it costs a commit a second, and replicas are measured by it. */
  readonly pulses: () => boolean;
}

/**
 * How busy the source is. Not every account may see the history list: it is read only while `history` says that it is
 * watched, so that to leave it out helps.
 */
export function sourceProbe(options: ServerProbeOptions & { readonly history: () => boolean }): Probe {
  const asked = new Asked(options.endpoint, options.migration);
  return {
    signals: ["source-history", "source-threads"],
    read: () =>
      asked.ask(async (connection) => {
        if (options.pulses()) await pulse(connection, options);
        const row = await connection.one(
          `SELECT ${THREADS} AS threads${options.history() ? `, ${HISTORY} AS history` : ""}`,
        );
        const threads = { "source-threads": numberOf(row?.["threads"]) };
        return row?.["history"] === undefined ? threads : { ...threads, "source-history": numberOf(row["history"]) };
      }),
    close: () => asked.close(),
  };
}

/** How busy the target is, and how long it takes to commit. */
export function targetProbe(options: ServerProbeOptions): Probe {
  const asked = new Asked(options.endpoint, options.migration);
  return {
    signals: ["target-threads", "target-commit"],
    read: () =>
      asked.ask(async (connection): Promise<Found> => {
        const row = await connection.one(`SELECT ${THREADS} AS threads`);
        const threads = { "target-threads": numberOf(row?.["threads"]) };
        return options.pulses() ? { ...threads, "target-commit": await pulse(connection, options) } : threads;
      }),
    close: () => asked.close(),
  };
}

const THREADS = "(SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Threads_running')";
const HISTORY = "(SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'trx_rseg_history_len')";

/** Writes the row. Returns how long that took, which is a commit and little else. */
async function pulse(connection: Connection, options: ServerProbeOptions): Promise<number> {
  const { clock, migration, pulse: row } = options;
  const number = clock.now().getTime() * 1000;
  const beganMs = clock.monotonicMs();
  row.log.sent(number, beganMs);
  await writeBeat(connection, { migration, direction: row.direction }, number);
  return clock.monotonicMs() - beganMs;
}

function numberOf(value: string | null | undefined): number {
  const number = Number(value ?? Number.NaN);
  if (Number.isFinite(number)) return number;
  throw new SwitchyardError("THROTTLE_SIGNAL_MISSING", {
    what: "the server does not say how busy it is: it has no such value, or the account may not see it",
    fix: "`switchyard check --print-grants` prints what the account needs; `switchyard migration tune` can leave a signal out.",
  });
}

export interface ReplicaProbeOptions {
  readonly migration: string;
  readonly clock: Clock;
  /** Those that are watched now, by their names. */
  readonly replicas: () => readonly { readonly name: string; readonly endpoint: () => Endpoint }[];
  /** What was written into the rows of the heartbeat table, by direction. */
  readonly logs: Readonly<Record<Direction, PulseLog>>;
}

/** The lag of the replica that is furthest behind. */
export function replicaProbe(options: ReplicaProbeOptions): Probe {
  const asked = new Map<string, Asked>();
  return {
    signals: ["replica-lag"],
    read: async () => {
      const lags = options.replicas().map(async ({ name, endpoint }) => {
        const one = asked.get(name) ?? new Asked(endpoint(), options.migration);
        asked.set(name, one);
        return await one.ask((connection) => lagOf(connection, name, options));
      });
      return { "replica-lag": Math.max(0, ...(await Promise.all(lags))) };
    },
    close: async () => {
      await Promise.all([...asked.values()].map((one) => one.close()));
    },
  };
}

async function lagOf(connection: Connection, name: string, options: ReplicaProbeOptions): Promise<number> {
  const rows = await connection.rows(
    `SELECT direction, beat FROM ${SIDECAR.heartbeat} WHERE migration = ${quoteText(options.migration)}`,
  );
  const now = options.clock.monotonicMs();
  for (const row of rows) {
    const lagMs = options.logs[row["direction"] === "forward" ? "forward" : "reverse"].lagMs(Number(row["beat"]), now);
    if (lagMs !== undefined) return lagMs;
  }
  throw new SwitchyardError("THROTTLE_SIGNAL_MISSING", {
    what: `replica "${name}" has none of the rows that were written on the source and on the target lately`,
    fix: "It is a replica of neither, or is far behind, or leaves the schema `_switchyard` out. `switchyard migration tune --watch-replicas` names others.",
  });
}

interface Latency {
  readonly p99Ms: number;
}

/** The 99th percentile at the slowest proxy worker, from what the workers report of their sessions. */
export function proxyProbe(store: Store, clock: Clock, ageMaxMs: number): Probe {
  return {
    signals: ["proxy-p99"],
    read: async () => {
      const { entries } = await within(store.list(SESSIONS_PREFIX), ANSWER_TIMEOUT_MS, "reading the proxies' reports");
      const oldest = clock.now().getTime() - ageMaxMs;
      const latencies = entries.map(({ value }) => {
        const { at, latency } = JSON.parse(value) as { at?: string; latency?: Latency };
        return Date.parse(at ?? "") < oldest ? undefined : latency?.p99Ms;
      });
      const known = latencies.filter((latency) => latency !== undefined);
      if (known.length > 0 && known.length === latencies.length) return { "proxy-p99": Math.max(...known) };
      throw new SwitchyardError("THROTTLE_SIGNAL_MISSING", {
        what: `${latencies.length - known.length} of ${latencies.length} proxy workers do not say how long statements take`,
        fix: "Run proxies of this version, or leave the signal out with `switchyard migration tune --max-proxy-p99-ms 0`.",
      });
    },
    close: () => Promise.resolve(),
  };
}
