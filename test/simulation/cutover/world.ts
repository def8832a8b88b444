import { setImmediate as turn } from "node:timers/promises";
import { Reached } from "./reached.ts";
import { SimClock } from "./sim-clock.ts";

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

export interface Timer {
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
  readonly reached = new Reached();
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
    // The first of them is a real one: a run that begins in the midst of something else does what it always does.
    for (let turns = 0; ; turns += 1) {
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

/** What can be done to a process, or to a message between it and the store. */
export type TroubleKind =
  | "stopped"
  | "cut off"
  | "deaf"
  | "clock ahead"
  | "clock still"
  | "lease ended"
  /** A message to or from the store was lost, late or refused. */
  | "unheard";

/** Proxies as the store had them at some moment. */
export interface ProxyList {
  readonly at: number;
  /** Whether the proxy of that boot nonce had no lease then, or not the newest rules. */
  readonly lacks: (nonce: string) => boolean;
}

interface Trouble {
  readonly kind: TroubleKind;
  readonly from: number;
  until: number;
}

/** Troubles that ended so long ago explain nothing any more. */
const TROUBLES_KEPT_MS = 5000;

/**
 * A process of the simulated world. Everything it sends or hears passes its {@link gate}: a stopped process hears and
 * sends nothing until it goes on, a dead one never again. What had been sent before still arrives.
 */
export class SimProcess {
  readonly name: string;
  readonly #world: World;
  #dead = false;
  #vanished = false;
  #stoppedFrom = 0;
  #stoppedUntil = 0;
  #cutUntil = 0;
  #deafUntil = 0;
  #troubles: Trouble[] = [];
  /** What the store listed of the proxies, as it has heard it: the newest list and the one before. */
  listed: readonly ProxyList[] = [];
  /** When the store made the newest answer about the migration's journal that it has heard. */
  journalAt = 0;
  /** With which of the journal's next answers on its way to it, the first being 1, it is stopped, and for how long. */
  stopsAtJournal: { readonly answer: number; readonly ms: number } | undefined;
  /** How much longer each message between it and the store takes than others' do. */
  linkMs = 0;
  readonly onDeath: (() => void)[] = [];
  readonly clock: SimClock;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.clock = new SimClock(world, () => this.gate());
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

  /** Until when what watches tell it is late, though all that it asks is answered. */
  get deafUntil(): number {
    return this.#deafUntil;
  }

  /** Something goes wrong with it, or with its messages, from now until `ms` later. */
  trouble(kind: TroubleKind, ms = 0): void {
    const { now } = this.#world;
    this.#reached(kind);
    const last = this.#troubles.at(-1);
    if (last?.kind === kind && last.until >= now) last.until = Math.max(last.until, now + ms);
    else this.#troubles.push({ kind, from: now, until: now + ms });
    if ((this.#troubles[0]?.until ?? now) < now - TROUBLES_KEPT_MS)
      this.#troubles = this.#troubles.filter(({ until }) => until >= now - TROUBLES_KEPT_MS);
  }

  /** Whether something of these kinds was wrong with it at `at`, or had been no more than `withinMs` before. */
  troubledAt(at: number, withinMs: number, kinds?: readonly TroubleKind[]): boolean {
    return this.#troubles.some(
      ({ kind, from, until }) => from <= at && until + withinMs >= at && (kinds?.includes(kind) ?? true),
    );
  }

  /** Whether something was wrong with it after `since`. */
  troubledSince(since: number): boolean {
    return this.#troubles.some(({ until }) => until >= since);
  }

  /** When it was last stopped and went on. */
  get lastStop(): { readonly from: number; readonly to: number } {
    return { from: this.#stoppedFrom, to: this.#stoppedUntil };
  }

  get cutUntil(): number {
    return this.#cutUntil;
  }

  kill(): void {
    if (this.#dead) return;
    this.#world.note(`${this.name} is killed`);
    this.#reached(this.#vanished ? "machine gone" : "killed");
    this.#dead = true;
    for (const listener of this.onDeath) listener();
  }

  stop(ms: number): void {
    this.#world.note(`${this.name} is stopped for ${ms.toFixed(0)} ms`);
    if (!this.stopped) this.#stoppedFrom = this.#world.now;
    this.#stoppedUntil = Math.max(this.#stoppedUntil, this.#world.now + ms);
    this.trouble("stopped", ms);
  }

  cutOff(ms: number): void {
    this.#world.note(`${this.name} cannot reach the store for ${ms.toFixed(0)} ms`);
    this.#cutUntil = Math.max(this.#cutUntil, this.#world.now + ms);
    this.trouble("cut off", ms);
  }

  deafen(ms: number): void {
    this.#world.note(`${this.name} hears no watch for ${ms.toFixed(0)} ms`);
    this.#deafUntil = Math.max(this.#deafUntil, this.#world.now + ms);
    this.trouble("deaf", ms);
  }

  /** Its monotonic clock is so many milliseconds later from one moment to the next. */
  jumpClock(ms: number): void {
    this.#world.note(`the clock of ${this.name} jumps ahead by ${ms.toFixed(0)} ms`);
    this.clock.jump(ms);
    this.trouble("clock ahead");
  }

  /** Its monotonic clock stands still, and goes on afterwards as if nothing had been. */
  stallClock(ms: number): void {
    this.#world.note(`the clock of ${this.name} stands still for ${ms.toFixed(0)} ms`);
    this.clock.stall(ms);
    this.trouble("clock still", ms);
  }

  /** The lease that it has ends at the store, whatever it does to keep it. */
  losesLease(): void {
    this.#world.note(`a lease of ${this.name} ends`);
    this.trouble("lease ended");
  }

  /** Its machine is gone: nobody closes its connections, and what it had sent still arrives. */
  vanish(): void {
    this.#world.note(`the machine of ${this.name} vanishes`);
    this.#vanished = true;
    this.kill();
  }

  get vanished(): boolean {
    return this.#vanished;
  }

  #reached(fault: TroubleKind | "machine gone" | "killed"): void {
    const kind = /^(controller|proxy)\d/.exec(this.name)?.[1];
    if (kind !== undefined) this.#world.reached.fault(`a ${kind}: ${fault}`);
  }

  gate(): Promise<void> {
    return this.#dead || this.stopped ? this.#wait() : OPEN;
  }

  async #wait(): Promise<void> {
    while (this.stopped) await this.#world.delay(this.#stoppedUntil - this.#world.now);
    if (this.#dead) await new Promise<never>(() => undefined);
  }
}

const OPEN = Promise.resolve();
