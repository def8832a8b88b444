import type { BenchSize } from "../frame/bench.ts";
import type { SysbenchLoad } from "../frame/sysbench.ts";

/** One row of the comparison with `--all`. */
export interface ProxyLoad {
  /** The metric's beginning. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  readonly sysbench: SysbenchLoad;
  /** What is answered for is measured more than once. */
  readonly rounds: number;
  /** Each event is one query, so that times of events are those of queries. */
  readonly single: boolean;
}

const THREADS = { full: [1, 8, 32, 128], tiny: [2] } as const;
const ROWS = { full: [1, 100, 10_000], tiny: [100] } as const;
const SECONDS = { full: 2, tiny: 1 } as const;
const ROUNDS = 3;
const ANSWERED_FOR: ReadonlySet<number> = new Set([8, 32]);
const ROWS_CLIENTS = 8;
const SCRIPTS = ["point_select", "read_only", "read_write"] as const;
const PROTOCOLS = ["text", "prepared"] as const;
/** Queries of one range each, without transactions around them. */
const ONE_RANGE = [
  "--skip_trx=on",
  "--point_selects=0",
  "--simple_ranges=1",
  "--sum_ranges=0",
  "--order_ranges=0",
  "--distinct_ranges=0",
];

/** Every load that the bench knows: scripts, protocols and clients, and then results of a few sizes. */
export function proxyLoads(size: BenchSize): readonly ProxyLoad[] {
  const seconds = SECONDS[size];
  const scripts = SCRIPTS.flatMap((script) =>
    PROTOCOLS.flatMap((protocol) =>
      THREADS[size].map((threads): ProxyLoad => {
        const single = script === "point_select";
        return {
          name: `${script}_${protocol}_${threads}_clients`,
          title: `${script.replace("_", " ")}, ${protocol}, ${threads} clients`,
          sysbench: { script: `oltp_${script}`, threads, protocol, seconds, more: ["--histogram=on"] },
          rounds: single && ANSWERED_FOR.has(threads) ? ROUNDS : 1,
          single,
        };
      }),
    ),
  );
  const ranges = ROWS[size].map(
    (rows): ProxyLoad => ({
      name: `select_${rows}_rows_text_${ROWS_CLIENTS}_clients`,
      title: `select of ${rows.toLocaleString("en-US")} rows, text, ${ROWS_CLIENTS} clients`,
      sysbench: {
        script: "oltp_read_only",
        threads: ROWS_CLIENTS,
        protocol: "text",
        seconds,
        more: ["--histogram=on", ...ONE_RANGE, `--range_size=${rows}`],
      },
      rounds: 1,
      single: true,
    }),
  );
  return [...scripts, ...ranges];
}
