import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../../../src/base/clock.ts";
import { SwitchyardError } from "../../../src/base/errors.ts";

/** Small, fast and the same everywhere: xorshift with a seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2_654_435_761 + 1) >>> 0 || 1;
    for (let index = 0; index < 8; index += 1) this.next();
  }

  /** 0 ≤ x < 1. */
  next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    this.#state >>>= 0;
    return this.#state / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.next() * items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }
}

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
  cancelled: boolean;
}

/**
 * After how many timers the real event loop has its turn, for what the code under test leaves to it (a queue that is
 * released in portions). A number, not a time, so that a seed does the same every time.
 */
const TURNS_MAX = 16;

/** Resolves when every promise that could settle without a timer has done so; a fraction of what a real turn costs. */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

/** Virtual time: nothing happens but by timers, one after the other, in an order that the seed decides. */
export class World {
  readonly random: Random;
  readonly #notes: (readonly [number, string])[] = [];
  #now = 0;
  #order = 0;
  #timers: Timer[] = [];

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  get now(): number {
    return this.#now;
  }

  note(line: string): void {
    this.#notes.push([this.#now, line]);
  }

  /** All that was noted, each line with its time. */
  get trace(): readonly string[] {
    return this.#notes.map(([at, line]) => `${at.toFixed(1)} ${line}`);
  }

  after(ms: number, fire: () => void): Timer {
    const timer = { at: this.#now + Math.max(0, ms), order: ++this.#order, fire, cancelled: false };
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#timers[middle];
      // Latest first: the next one to fire is the last. Of two at one time, the one that was set first fires first.
      if (other !== undefined && other.at > timer.at) low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, timer);
    return timer;
  }

  delay(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Lets time pass until `until` holds or `limitMs` of virtual time have gone by. Answers whether it came to hold. */
  async run(limitMs: number, until: () => boolean = () => false): Promise<boolean> {
    const end = this.#now + limitMs;
    for (let turns = 1; ; turns += 1) {
      await (turns % TURNS_MAX === 0 ? turn() : settled());
      if (until()) return true;
      while (this.#timers.at(-1)?.cancelled === true) this.#timers.pop();
      const timer = this.#timers.at(-1);
      if (timer === undefined || timer.at > end) {
        this.#now = end;
        return until();
      }
      this.#timers.pop();
      this.#now = timer.at;
      timer.fire();
    }
  }
}

/**
 * A process of the simulated world. Everything it sends or hears passes its {@link gate}: a stopped process hears and
 * sends nothing until it goes on, a dead one never again. What had been sent before still arrives.
 */
export class SimProcess {
  readonly name: string;
  readonly #world: World;
  #dead = false;
  #stoppedUntil = 0;
  #cutUntil = 0;
  /** Whether anything was ever done to it. */
  disturbed = false;
  readonly onDeath: (() => void)[] = [];

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
  }

  get dead(): boolean {
    return this.#dead;
  }

  get stopped(): boolean {
    return this.#world.now < this.#stoppedUntil;
  }

  /** Whether the store cannot be reached from here. */
  get cut(): boolean {
    return this.#world.now < this.#cutUntil;
  }

  kill(): void {
    if (this.#dead) return;
    this.#world.note(`${this.name} is killed`);
    this.#dead = true;
    this.disturbed = true;
    for (const listener of this.onDeath) listener();
  }

  stop(ms: number): void {
    this.#world.note(`${this.name} is stopped for ${ms.toFixed(0)} ms`);
    this.#stoppedUntil = Math.max(this.#stoppedUntil, this.#world.now + ms);
    this.disturbed = true;
  }

  cutOff(ms: number): void {
    this.#world.note(`${this.name} cannot reach the store for ${ms.toFixed(0)} ms`);
    this.#cutUntil = Math.max(this.#cutUntil, this.#world.now + ms);
    this.disturbed = true;
  }

  async gate(): Promise<void> {
    while (this.stopped) await this.#world.delay(this.#stoppedUntil - this.#world.now);
    if (this.#dead) await new Promise<never>(() => undefined);
  }

  /** The world's clock, as this process can look at it. */
  clock(): Clock {
    return {
      monotonicMs: () => this.#world.now,
      now: () => new Date(1_700_000_000_000 + this.#world.now),
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          const cancelled = (): SwitchyardError => new SwitchyardError("CANCELLED", { what: "the wait was cancelled" });
          if (signal?.aborted) {
            reject(cancelled());
            return;
          }
          const onAbort = (): void => {
            timer.cancelled = true;
            reject(cancelled());
          };
          const timer = this.#world.after(ms, () => {
            signal?.removeEventListener("abort", onAbort);
            void this.gate().then(resolve);
          });
          signal?.addEventListener("abort", onAbort, { once: true });
        }),
    };
  }
}
