/** What the live line tells besides the step's own progress. */
export interface Vitals {
  readonly statements: number;
  readonly errors: number;
  readonly longestWaitMs: number;
  readonly lagMs: number | undefined;
}

export interface StepProgress {
  readonly done: number;
  readonly total: number;
  readonly unit: string;
}

const BAR_CELLS = 16;
const LIVE_MS = 200;
const PLAIN_MS = 2_000;

/**
 * Shows what happens while it happens: on a terminal one line that is written over, elsewhere a plain line now and then.
 * Finished steps stay.
 */
export class Display {
  readonly #vitals: () => Vitals;
  readonly #startedAt = performance.now();
  readonly #terminal = process.stdout.isTTY;
  readonly #timer: NodeJS.Timeout;
  #step = "";
  #stepStartedAt = 0;
  #progress: StepProgress | undefined;
  #last = { at: performance.now(), statements: 0 };

  constructor(vitals: () => Vitals) {
    this.#vitals = vitals;
    this.#timer = setInterval(() => this.#live(), this.#terminal ? LIVE_MS : PLAIN_MS);
  }

  /** Runs one step: its name is shown while it runs, and what `tell` says of its result stays. */
  async step<T>(name: string, work: () => Promise<T>, tell: (result: T) => string): Promise<T> {
    this.#step = name;
    this.#stepStartedAt = performance.now();
    this.#progress = undefined;
    const result = await work();
    const seconds = ((performance.now() - this.#stepStartedAt) / 1000).toFixed(1);
    this.say(`✔ ${name.padEnd(22)} ${seconds.padStart(5)} s  ${tell(result)}`);
    this.#step = "";
    return result;
  }

  progress(progress: StepProgress | undefined): void {
    this.#progress = progress;
  }

  /** A line that stays. */
  say(line: string): void {
    this.#clear();
    process.stdout.write(`${line}\n`);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  #live(): void {
    if (this.#step === "") return;
    const line = `  ${this.#elapsed()}  ${this.#step.padEnd(21)} ${this.#bar()}${this.#facts()}`;
    if (this.#terminal) process.stdout.write(`\r\u001b[2K${line.slice(0, process.stdout.columns - 1)}`);
    else process.stdout.write(`${line.trimEnd()}\n`);
  }

  #elapsed(): string {
    return `${((performance.now() - this.#startedAt) / 1000).toFixed(1).padStart(5)} s`;
  }

  #bar(): string {
    if (this.#progress === undefined) return "";
    const { done, total, unit } = this.#progress;
    const share = total === 0 ? 0 : Math.min(1, done / total);
    const full = Math.round(share * BAR_CELLS);
    const bar = "█".repeat(full) + "░".repeat(BAR_CELLS - full);
    return `${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${done.toLocaleString("en")} ${unit}  `;
  }

  #facts(): string {
    const { statements, errors, longestWaitMs, lagMs } = this.#vitals();
    if (statements === 0) return "";
    const now = performance.now();
    const perSecond = Math.round(((statements - this.#last.statements) * 1000) / Math.max(1, now - this.#last.at));
    this.#last = { at: now, statements };
    const lag = lagMs === undefined ? "" : `lag ${Math.round(lagMs)} ms  `;
    return `${lag}longest wait ${longestWaitMs.toFixed(0)} ms  ${perSecond} st/s  ${errors} errors`;
  }

  #clear(): void {
    if (this.#terminal) process.stdout.write("\r\u001b[2K");
  }
}
