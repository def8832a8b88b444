import { readFileSync } from "node:fs";

/** Steps that clients wait for, in their order. */
export const PAUSE_STEPS = [
  "hold",
  "drain",
  "fence",
  "close-stream",
  "counters",
  "stray-check",
  "swap",
  "release",
] as const;

/** One move, as the program's own log tells it. */
export interface LoggedMove {
  /** The longest wait of a held statement in the proxy. */
  readonly longestWaitMs: number;
  /** Of that, the time in which a transaction opened before the hold was still open. */
  readonly transactionsOpenMs: number;
  readonly statements: number;
  /** Milliseconds by step. */
  readonly steps: ReadonlyMap<string, number>;
}

/**
 * Reads the last move from what Switchyard has logged from byte `from` on; undefined until the proxy has told of it.
 */
export function lastMove(logFile: string, from: number): LoggedMove | undefined {
  const text = readFileSync(logFile).subarray(from).toString("utf8");
  let found: LoggedMove | undefined;
  const steps = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (!line.startsWith("{") || !line.endsWith("}")) continue;
    const entry = JSON.parse(line) as Record<string, unknown>;
    if (entry["msg"] === "step done") steps.set(String(entry["step"]), Number(entry["tookMs"]));
    if (entry["msg"] !== "held statements have gone on") continue;
    found = {
      longestWaitMs: Number(entry["longestWaitMs"]),
      transactionsOpenMs: Number(entry["transactionsOpenMs"]),
      statements: Number(entry["statements"]),
      steps,
    };
  }
  return found;
}

/** What the switch itself has made a client wait for. */
export function pauseOf({ longestWaitMs, transactionsOpenMs }: LoggedMove): number {
  return Math.max(0, longestWaitMs - transactionsOpenMs);
}
