import type { Figure } from "./bench.ts";

/** Units that the name of a metric may end in. */
const UNITS = [
  "qps",
  "per_second",
  "seconds",
  "ms",
  "us",
  "bytes",
  "mb",
  "errors",
  "rows",
  "percent",
  "count",
] as const;
const METRIC = new RegExp(`^[a-z][a-z0-9]*(_[a-z0-9]+)*_(${UNITS.join("|")})$`);

/** One figure as a line of `--json`. */
export interface FigureLine extends Figure {
  readonly bench: string;
  /** `ours` divided by `peer`; `null` where there is no peer, and where the peer's figure is 0. */
  readonly ratio: number | null;
}

/**
 * The figure with its bench and ratio, rounded to what a measurement can tell.
 *
 * @throws {Error} when its metric names no unit, or a value is not a finite number.
 */
export function figureLine(bench: string, { metric, ours, peer, peerName }: Figure): FigureLine {
  if (!METRIC.test(metric)) {
    throw new Error(`the metric "${metric}" is not in snake_case with one of the units ${UNITS.join(", ")} at its end`);
  }
  for (const value of [ours, peer]) {
    if (value !== null && !Number.isFinite(value)) throw new Error(`${metric} has no value (${value})`);
  }
  if ((peer === null) !== (peerName === "none")) {
    throw new Error(`${metric} is compared with ${peerName}, and the peer's figure is ${peer}`);
  }
  const ratio = peer === null || peer === 0 ? null : rounded(ours / peer);
  return { bench, metric, ours: rounded(ours), peer: peer === null ? null : rounded(peer), peerName, ratio };
}

/** A table for people, one row for each figure. */
export function figureTable(lines: readonly FigureLine[]): string {
  const head = ["metric", "ours", "peer", "ratio", "peer's name"];
  const rows = lines.map(({ metric, ours, peer, ratio, peerName }) => [
    metric,
    readable(ours),
    peer === null ? "" : readable(peer),
    ratio === null ? "" : ratio.toFixed(2),
    peerName === "none" ? "" : peerName,
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const isNumber = [false, true, true, true, false];
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/**
 * The middle value; the mean of the middle two where their number is even.
 *
 * @throws {Error} of an empty list.
 */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const above = sorted[Math.floor(sorted.length / 2)];
  const below = sorted[Math.ceil(sorted.length / 2) - 1];
  if (above === undefined || below === undefined) throw new Error("the median of nothing");
  return (above + below) / 2;
}

/**
 * The smallest value that at least `percent` of the values do not exceed (the nearest rank, no interpolation).
 *
 * @throws {Error} of an empty list.
 */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const found = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (found === undefined) throw new Error("a percentile of nothing");
  return found;
}

/** Four significant digits, and no fewer than the digits before the point. */
function rounded(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4));
}

function readable(value: number): string {
  return Math.abs(value) >= 1000 ? value.toLocaleString("en-US") : String(value);
}
