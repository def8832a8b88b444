/** Who a figure of ours is compared with. */
export type PeerName =
  | "direct"
  | "haproxy"
  | "mysql-router"
  | "mysql-router-sharing"
  | "load data"
  | "myloader"
  | "mysqldump"
  | "native replica"
  | "select *"
  | "pt-table-checksum"
  | "none";

/** One measured figure. */
export interface Figure {
  /**
   * In snake_case; names the clients or the data, and ends in its unit: `point_select_text_8_clients_qps`,
   * `copy_sysbench_seconds`, `switch_errors`. The known units are in `figures.ts`.
   */
  readonly metric: string;
  readonly ours: number;
  /** The peer's figure in the same unit and of the same run; `null` exactly where `peerName` is `none`. */
  readonly peer: number | null;
  readonly peerName: PeerName;
}

/** How much work a bench does: `tiny` is seconds, proves that it still runs and measures nothing. */
export type BenchSize = "full" | "tiny";

/** What the frame gives to a bench. */
export interface BenchContext {
  readonly size: BenchSize;
  /** Measure everything that this bench knows, not only the figures that we answer for. */
  readonly all: boolean;
  /** Figures were chosen with `--only`: what {@link wants} lets through is measured, also what else only `all` would have. */
  readonly chosen: boolean;
  /** An empty folder of this run. Programs that work in a subfolder of it end with this process. */
  readonly folder: string;
  /** Whether `--only` lets this figure through; work that serves no wanted figure should be left out. */
  wants(metric: string): boolean;
  /** The number of rounds: that of `--rounds`, else 1 in size `tiny`, else the bench's own. */
  rounds(otherwise: number): number;
  /** Time left until the run should have ended; endless with `--all`. See {@link RunLimits} in `context.ts`. */
  timeLeftMs(): number;
  /** Tells people what is going on. Never a result: those are the figures that `run` returns. */
  say(line: string): void;
  /** Prints a heading with lines below it: versions, settings of servers, commands of peers. */
  describe(heading: string, lines: readonly string[]): void;
}

/**
 * One bench, as `npm run bench -- NAME` runs it; `bench/NAME.bench.ts` exports it as `bench`.
 *
 * `run` prepares all it needs, measures its contenders in turn (see `interleave.ts`), ends everything that it started,
 * and returns the figures. Where a contender cannot be had it throws; a figure is never made up. Without `all` it
 * measures only what we answer for, and respects {@link BenchContext.timeLeftMs}.
 */
export interface Bench {
  readonly name: string;
  /** One line: what is measured, against whom. */
  readonly about: string;
  run(context: BenchContext): Promise<readonly Figure[]>;
}
