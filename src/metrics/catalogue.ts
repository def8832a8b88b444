/** One metric: what it says, by which labels it is split, and how several processes make one number of it. */
export interface MetricSpec {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, for histograms. */
  readonly buckets?: readonly number[];
  /** How the values of several processes become one; counters and histograms are always added. */
  readonly across?: "sum" | "min" | "max" | "first";
}

/** What each label says. */
export const LABELS = {
  backend: "name of the server in `backends:`",
  command: "what was ordered, as in `migration-pause` or `switch`",
  direction: "`forward` from the source to the target, `reverse` back after a switch",
  kind: "of a statement: what it does; of a switch: `switch` or `rollback`",
  limit: "name of the limit under `limits:`",
  migration: "name of the migration",
  node: "version of Node",
  outcome:
    "how it ended: `done`, `failed`, `refused`, `aborted`, `unknown`; of a switch `switched`, `rehearsed`, `refused`, `aborted`, `superseded`, `unsettled`; of a hint `followed`, `ignored`",
  process: "`primary`, `controller`, `proxy-1` and so on",
  reason: "why, in a word or two",
  signal: "what is looked at to keep servers from harm, as in `source-threads`",
  source: "who ended it: `client`, `proxy` or `backend`",
  state: "of a session: what it does; of a stream: one series for each state it may be in",
  version: "version of Switchyard",
} as const;

const PAUSE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] as const;

/** Every metric of Switchyard, without the prefix `switchyard_`. The reference page is generated from this file. */
export const METRICS = {
  build_info: {
    type: "gauge",
    help: "Always 1; the labels say which version runs on which Node.",
    labels: ["version", "node"],
    across: "first",
  },
  process_up: {
    type: "gauge",
    help: "1 for each process that answered this scrape.",
    labels: ["process"],
    across: "max",
  },
  process_resident_bytes: {
    type: "gauge",
    help: "Resident memory of each process.",
    labels: ["process"],
    across: "max",
  },
  process_cpu_seconds_total: { type: "counter", help: "Processor time used by each process.", labels: ["process"] },
  process_restarts_total: {
    type: "counter",
    help: "Child processes that ended unasked and were started again.",
    labels: ["process"],
  },
  rules_generation: {
    type: "gauge",
    help: "Lowest generation of the routing rules in force in any proxy worker.",
    labels: [],
    across: "min",
  },
  rules_stale: {
    type: "gauge",
    help: "Proxy workers that serve by rules which may be old, because the store is away.",
    labels: [],
    across: "sum",
  },
  store_connected: {
    type: "gauge",
    help: "1 while every process gets answers from the etcd that is its store, 0 while one gets none.",
    labels: [],
    across: "min",
  },
  store_stale_seconds: {
    type: "gauge",
    help: "How long the etcd that is the store has answered nothing; the longest of all processes.",
    labels: [],
    across: "max",
  },
  controller_migrations: {
    type: "gauge",
    help: "Migrations that the controllers of this process run; the others' run elsewhere.",
    labels: [],
    across: "sum",
  },
  sessions: { type: "gauge", help: "Client sessions by state.", labels: ["state"], across: "sum" },
  sessions_total: { type: "counter", help: "Client sessions that were opened.", labels: [] },
  backend_connections: { type: "gauge", help: "Open connections to each backend.", labels: ["backend"], across: "sum" },
  statements_total: {
    type: "counter",
    help: "Statements sent to a backend.",
    labels: ["backend", "kind"],
  },
  refused_statements_total: {
    type: "counter",
    help: "Statements that the proxy answered with an error of its own.",
    labels: ["reason"],
  },
  route_hints_total: {
    type: "counter",
    help: "Statements sent that have a hint to a backend: followed, or ignored since their user may not give any.",
    labels: ["outcome"],
  },
  held_statements: { type: "gauge", help: "Statements that wait for a hold to end.", labels: [], across: "sum" },
  held_bytes: { type: "gauge", help: "Bytes of the statements that wait.", labels: [], across: "sum" },
  released_in_flight: {
    type: "gauge",
    help: "Statements that have gone on after a hold and have no answer yet.",
    labels: [],
    across: "sum",
  },
  hold_limit: {
    type: "gauge",
    help: "The limits of one proxy worker that statements run into in a hold and behind it.",
    labels: ["limit"],
    across: "max",
  },
  hold_wait_seconds: {
    type: "histogram",
    help: "How long statements waited for a hold to end.",
    labels: [],
    buckets: PAUSE_BUCKETS,
  },
  disconnects_total: {
    type: "counter",
    help: "Ended connections by who ended them (client, proxy, backend) and why.",
    labels: ["source", "reason"],
  },
  lease_seconds_left: {
    type: "gauge",
    help: "How much longer a process may trust its lease; the lowest of all.",
    labels: [],
    across: "min",
  },
  throttle_share: {
    type: "gauge",
    help: "Part of the time, 0 to 1, in which a copy or diff may work; absent while there is none.",
    labels: ["migration"],
  },
  throttle_signal: {
    type: "gauge",
    help: "What each signal of the throttle shows: milliseconds, threads, or versions in the history list.",
    labels: ["migration", "signal"],
  },
  throttle_over: {
    type: "gauge",
    help: "1 for a signal that holds copies and diffs back: above its limit, or too old.",
    labels: ["migration", "signal"],
  },
  copy_rows_total: { type: "counter", help: "Rows copied.", labels: ["migration"] },
  copy_rows_estimated: { type: "gauge", help: "Rows that a copy has to copy, as estimated.", labels: ["migration"] },
  stream_lag_seconds: {
    type: "gauge",
    help: "Age of the oldest source transaction that has not been applied, by the source's clock. +Inf while nothing is known of it.",
    labels: ["migration", "direction"],
  },
  stream_state: {
    type: "gauge",
    help: "1 for the state that a stream is in, 0 for the others.",
    labels: ["migration", "direction", "state"],
  },
  stream_transactions_total: {
    type: "counter",
    help: "Source transactions applied.",
    labels: ["migration", "direction"],
  },
  drift_total: {
    type: "counter",
    help: "Rows that were not what the stream expected.",
    labels: ["migration", "direction"],
  },
  binlog_runway_seconds: {
    type: "gauge",
    help: "How much longer the source keeps the binary log that a stream still needs, by age, or by space and the rate at which it grows. Absent where it keeps it for ever, or where nothing is certain of a paused stream.",
    labels: ["migration", "direction"],
  },
  binlog_needed_bytes: {
    type: "gauge",
    help: "Bytes of the source's binary log from the file that a stream still needs to its end.",
    labels: ["migration", "direction"],
  },
  diff_rows_total: { type: "counter", help: "Rows compared by diffs.", labels: ["migration"] },
  diff_differences: { type: "gauge", help: "Differences that the last diff found.", labels: ["migration"] },
  diff_pause_seconds: {
    type: "histogram",
    help: "How long the stream stood so that both sides could be read as of one moment.",
    labels: ["migration"],
    buckets: PAUSE_BUCKETS,
  },
  diff_verified_age_seconds: {
    type: "gauge",
    help: "Time since both sides were last known to be equal: since the last clean diff, or since rows changed after it were compared again. Absent where no diff was clean.",
    labels: ["migration"],
  },
  diff_keys_pending: {
    type: "gauge",
    help: "Keys found changed since then and not compared again yet.",
    labels: ["migration"],
  },
  diff_keys_refreshed_total: {
    type: "counter",
    help: "Keys that were changed after a diff and compared again.",
    labels: ["migration"],
  },
  switch_pause_seconds: {
    type: "histogram",
    help: "From the hold to the change of the rules, for switches and rollbacks that succeeded.",
    labels: ["kind"],
    buckets: PAUSE_BUCKETS,
  },
  switches_total: { type: "counter", help: "Switches and rollbacks by how they ended.", labels: ["kind", "outcome"] },
  orders_total: { type: "counter", help: "Orders by command and how they ended.", labels: ["command", "outcome"] },
} as const satisfies Record<string, MetricSpec>;

export type MetricName = keyof typeof METRICS;
type OfType<T extends MetricSpec["type"]> = {
  [Name in MetricName]: (typeof METRICS)[Name]["type"] extends T ? Name : never;
}[MetricName];

export type CounterName = OfType<"counter">;
export type GaugeName = OfType<"gauge">;
export type HistogramName = OfType<"histogram">;

/** The labels that a metric must be given, no more and no fewer. */
export type LabelsOf<Name extends MetricName> = Readonly<Record<(typeof METRICS)[Name]["labels"][number], string>>;
