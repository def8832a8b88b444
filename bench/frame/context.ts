import type { BenchContext, BenchSize } from "./bench.ts";

/** What bounds one run. */
export interface RunLimits {
  readonly size: BenchSize;
  readonly all: boolean;
  readonly only: RegExp | undefined;
  readonly rounds: number | undefined;
  /** The end is checked between rounds, so this leaves room for the last one. */
  readonly durationMaxMs: number;
}

/** Without `--all` a bench ends within 6 minutes; what is left is for setting up and for ending. */
export const DEFAULT_DURATION_MAX_MS = 5.5 * 60 * 1000;

/** The context of one run; `say` gets each line that is for people. */
export function createContext(limits: RunLimits, folder: string, say: (line: string) => void): BenchContext {
  const startedAt = performance.now();
  return {
    size: limits.size,
    all: limits.all,
    chosen: limits.only !== undefined,
    folder,
    wants: (metric) => limits.only?.test(metric) ?? true,
    rounds: (otherwise) => limits.rounds ?? (limits.size === "tiny" ? 1 : otherwise),
    timeLeftMs: () => limits.durationMaxMs - (performance.now() - startedAt),
    say,
    describe: (heading, lines) => say([`${heading}:`, ...lines.map((line) => `  ${line}`), ""].join("\n")),
  };
}
