import type { Stray } from "../../../src/cutover/ports.ts";
import type { LogEntry, SimServer, Write } from "./sim-server.ts";
import type { Random, World } from "./world.ts";

interface Faultable {
  readonly process: { readonly name: string; readonly disturbed: boolean };
}

/** What must hold in every run, whatever fails; each breach is one line. */
export class Checker {
  readonly breaches: string[] = [];
  readonly strays = new Set<string>();
  /** Whether the store was ever away for longer than a hold lasts; then clients may have been given up. */
  storeFaulty = false;
  /** Whether a session that fences was ever ended by somebody else; then who bypasses the proxies is not safe. */
  fenceFaulty = false;
  /** Whether messages to the store get lost: a proxy may then lose its lease, and its connections with it. */
  messagesFaulty = false;
  errors = 0;
  /** The tables' home by the rules in the store, at this moment. */
  home: () => string = () => "old";
  readonly #world: World;
  readonly #acknowledged = new Map<string, number>();
  readonly #all: Write[] = [];
  readonly #ids = new Map<number, string>();
  /** Writes past the proxies to a server that was not the tables' home: conflicts, not losses. */
  readonly #conflicts = new Set<string>();
  /** The server that took the last write of a client through a proxy. */
  #writer: string | undefined;
  /** How often the rules were swapped so far, as the store has it, and at the last change of writer. */
  #swaps = 0;
  #swapsThen = 0;

  constructor(world: World) {
    this.#world = world;
  }

  watch(server: SimServer): void {
    server.onWrite = (entry) => this.#written(server, entry);
    server.onId = (write, bypass) => this.#given(server, write, bypass);
  }

  swapped(): void {
    this.#swaps += 1;
  }

  acknowledged(writes: readonly Write[]): void {
    for (const write of writes) {
      this.#all.push(write);
      this.#acknowledged.set(write.client, Math.max(write.sequence, this.#acknowledged.get(write.client) ?? 0));
    }
  }

  acknowledgedOf(client: string): number {
    return this.#acknowledged.get(client) ?? 0;
  }

  someClient(random: Random): string | undefined {
    const clients = [...this.#acknowledged.keys()].filter((client) => !client.startsWith("bypass"));
    return clients.length === 0 ? undefined : random.pick(clients);
  }

  /** A client was told of an error. A single server would give none, unless its connection was ended. */
  failed(proxy: Faultable, error: Error): void {
    this.errors += 1;
    // A store that is away for long ends leases as lost messages do, and the connections of an armed proxy go with its lease.
    const leasesEnd = this.messagesFaulty || this.storeFaulty;
    if (leasesEnd && ["killed", "gone", "given-up"].includes(error.message)) return;
    if (proxy.process.disturbed) return;
    this.#breach(`a client of ${proxy.process.name}, which nothing was done to, was told: ${error.message}`);
  }

  readBack(proxy: Faultable, client: string, seen: number, expected: number): void {
    if (seen >= expected) return;
    this.#breach(
      `a read through ${proxy.process.name} saw write ${seen} of ${client} after ${expected} was acknowledged`,
    );
  }

  stray(strays: readonly Stray[]): void {
    for (const stray of strays) this.strays.add(stray.what);
  }

  /** At the end: every acknowledged write is at the home, once. */
  final(home: SimServer, other: SimServer): void {
    for (const write of this.#all) {
      const key = `${write.client}/${write.sequence}`;
      const times = home.rows.get(key) ?? 0;
      if (times === 1) continue;
      if (times === 0 && write.client.startsWith("bypass") && (this.fenceFaulty || this.#conflicts.has(key))) continue;
      this.#breach(`acknowledged write ${key} is ${times} times on ${home.name}`);
    }
    for (const server of [home, other]) {
      for (const [key, times] of server.rows)
        if (times > 1) this.#breach(`write ${key} is ${times} times on ${server.name}`);
    }
  }

  /** An id is given once only, even if its row is rolled back: the client has seen it. */
  #given(server: SimServer, write: Write, bypass: boolean): void {
    if (bypass && this.#pastTheRules(server)) return;
    const key = `${write.client}/${write.sequence}`;
    const before = this.#ids.get(write.id);
    if (before !== undefined)
      this.#breach(`id ${write.id} was given to ${key} on ${server.name} and to ${before} before`);
    this.#ids.set(write.id, key);
  }

  #pastTheRules(server: SimServer): boolean {
    return this.fenceFaulty || this.home() !== server.name;
  }

  #written(server: SimServer, entry: LogEntry): void {
    if (entry.origin !== "client" && entry.origin !== "bypass") return;
    const conflict = entry.origin === "bypass" && this.#pastTheRules(server);
    // Guards are lifted a moment before the swap: who gets in then has written to what is about to be the home.
    if (conflict && !this.fenceFaulty && !server.guarded) {
      this.#breach(`${server.name} took a write past the proxies although the tables were at home elsewhere`);
    }
    if (conflict) for (const write of entry.writes) this.#conflicts.add(`${write.client}/${write.sequence}`);
    if (conflict) return;
    if (this.#writer !== undefined && this.#writer !== server.name) {
      if (this.#swaps === this.#swapsThen) {
        this.#breach(`${server.name} took a write although ${this.#writer} had taken one since the last switch`);
      }
      this.#swapsThen = this.#swaps;
    }
    this.#writer ??= server.name;
    if (this.#writer !== server.name) this.#writer = server.name;
  }

  #breach(line: string): void {
    this.#world.note(`BREACH ${line}`);
    if (this.breaches.length < 20) this.breaches.push(line);
  }
}
