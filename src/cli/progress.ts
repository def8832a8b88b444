import { RateMeter } from "../base/rate-meter.ts";
import type { CliContext } from "./cli-context.ts";
import { bar, count, duration } from "./format.ts";

/** How far long work is. */
export interface Progress {
  /** What is being done, for example `copying`. */
  readonly label: string;
  readonly done: number;
  /** 0 where it is not known. */
  readonly total: number;
  /** What is counted, for example `rows`. */
  readonly unit: string;
  /** Anything else worth a look, for example the lag. */
  readonly note?: string;
}

const PLAIN_EVERY_MS = 5000;
const BAR_WIDTH = 24;

/** Shows progress: a bar that is drawn over on a terminal, a line now and then elsewhere, nothing with `--json`. */
export class ProgressView {
  readonly #context: CliContext;
  readonly #quiet: boolean;
  #meter: RateMeter;
  #label = "";
  #drawn = false;
  #lastPlainAt = Number.NEGATIVE_INFINITY;

  constructor(context: CliContext, quiet: boolean) {
    this.#context = context;
    this.#quiet = quiet;
    this.#meter = new RateMeter(context.clock);
  }

  show(progress: Progress): void {
    if (this.#quiet) return;
    const changed = progress.label !== this.#label;
    if (changed) this.#meter = new RateMeter(this.#context.clock);
    this.#label = progress.label;
    const line = progressLine(progress, this.#meter.rate(progress.done));
    const { terminal } = this.#context;
    if (terminal === undefined) {
      const now = this.#context.clock.monotonicMs();
      if (!changed && now < this.#lastPlainAt + PLAIN_EVERY_MS) return;
      this.#lastPlainAt = now;
      this.#context.err(`${line}\n`);
      return;
    }
    this.#context.err(`\r\x1b[K${line.slice(0, terminal.columns - 1)}`);
    this.#drawn = true;
  }

  /** A line that stays, above the bar. */
  say(text: string): void {
    if (this.#quiet) return;
    this.clear();
    this.#context.err(`${text}\n`);
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#drawn) this.#context.err("\r\x1b[K");
    this.#drawn = false;
  }
}

/** `copying    [████────]  52 %  260,000 of 500,000 rows  45,200/s  5.3 s left  lag 0.2 s` */
export function progressLine({ label, done, total, unit, note }: Progress, rate: number): string {
  const parts = [label.padEnd(12)];
  if (total > 0) {
    // The total is the server's estimate and may be too low; a bar never runs past its end.
    const share = Math.min(1, done / total);
    parts.push(`[${bar(share, BAR_WIDTH)}] ${String(Math.floor(share * 100)).padStart(3)} %`);
    parts.push(`${count(done)} of ${count(Math.max(total, done))} ${unit}`);
  } else {
    parts.push(`${count(done)} ${unit}`);
  }
  if (rate > 0) parts.push(`${count(rate)}/s`);
  if (rate > 0 && total > done) parts.push(`${duration(((total - done) / rate) * 1000)} left`);
  if (note !== undefined && note !== "") parts.push(note);
  return parts.join("  ");
}
