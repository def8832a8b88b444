import { isSwitchyardError, messageOf, type SwitchyardError } from "../../../src/base/errors.ts";
import type { Stray } from "../../../src/cutover/ports.ts";
import { breachesOf, type Documents, strandedSeals } from "./document-checks.ts";
import { type LogEntry, type SimServer, StatementError, type Write } from "./sim-server.ts";
import { ANSWER_TIMEOUT_MS, MESSAGE_MS, PROXY_LEASE_MS, RECOVERS_MS } from "./sim-times.ts";
import type { Random, SimProcess, TroubleKind, World } from "./world.ts";

interface Faultable {
  readonly process: SimProcess;
}

/** What keeps a proxy from hearing what the store says to it. */
const UNHEARD: readonly TroubleKind[] = ["unheard", "cut off"];

/** The controller's last proof of its lock can be so old when it sends the swap; longer only if it was stopped. */
const PROOF_AGE_MAX_MS = 5;

/** A write that somebody made past the proxies, and that the rules do not protect. */
interface Unprotected {
  readonly server: SimServer;
  /** Its place in that server's log. */
  readonly index: number;
  /** Whether it got there because somebody had ended the session with the lock; such are looked for and shown. */
  readonly exposed: boolean;
}

/** What must hold in every run, whatever fails; each breach is one line. */
export class Checker {
  readonly breaches: string[] = [];
  /** Writes that somebody was shown as having gone past the proxies. */
  readonly strays = new Set<string>();
  errors = 0;
  /** Errors of the one kind that nobody can do anything about. */
  lateLocks = 0;
  /** How long a client may wait for a statement, besides the way of its bytes, where that is looked at. */
  waitMaxMs = Number.POSITIVE_INFINITY;
  /** Whether that holds for proxies that cannot reach the store as well. */
  strictWaits = false;
  /** Whether switches may end what clients have open. */
  kills = false;
  /** The tables' home by the rules in the store, at this moment. */
  home: () => string = () => "old";
  readonly #world: World;
  readonly #servers = new Set<SimServer>();
  readonly #acknowledged = new Map<string, number>();
  readonly #all: Write[] = [];
  readonly #ids = new Map<number, string>();
  /** Writes past the proxies to a server that was not the tables' home: conflicts, not losses. */
  readonly #conflicts = new Map<string, Unprotected>();
  /** Writes past the proxies to the tables' home while a lock was gone that somebody had ended, with their time. */
  readonly #exposed = new Map<string, number>();
  /** Of those, the ones that a swap has left behind although its proof could have found the lock gone. */
  readonly #unproven = new Set<string>();
  /** Statements whose client had gone before they could be sent. */
  readonly #withdrawn = new Set<string>();
  /** How long each server's log was when the present attempt began. */
  readonly #armedAt = new Map<string, number>();
  /** The server that took the last write of a client through a proxy. */
  #writer: string | undefined;
  /** How often the rules were swapped so far, as the store has it, and at the last change of writer. */
  #swaps = 0;
  #swapsThen = 0;

  constructor(world: World) {
    this.#world = world;
  }

  watch(server: SimServer): void {
    this.#servers.add(server);
    server.onWrite = (entry) => this.#written(server, entry);
    server.onId = (write, bypass) => this.#given(server, write, bypass);
  }

  /** An attempt has begun: from here on the new home is watched. */
  armed(servers: readonly SimServer[]): void {
    for (const server of servers) this.#armedAt.set(server.name, server.log.length);
  }

  /**
   * The rules were swapped, by a transaction that was sent at `sentAt`.
   *
   * What reached the old home while its lock was gone has to be found by the proof before the swap, but for what came
   * after it. What reached the new home before the ledger there was sealed has to be found by watching it.
   */
  swapped(sender: SimProcess, sentAt: number, newHome: SimServer): void {
    this.#swaps += 1;
    const definitions = [...this.#servers].map((server) => server.definition);
    if (new Set(definitions).size > 1)
      this.#breach(`the tables have moved although their definitions differ: ${definitions.join(", ")}`);
    const { from, to } = sender.lastStop;
    const proven = (to > sentAt - PROOF_AGE_MAX_MS ? Math.min(from, sentAt) : sentAt) - PROOF_AGE_MAX_MS;
    for (const [key, at] of this.#exposed) if (at < proven && !newHome.rows.has(key)) this.#unproven.add(key);
    this.#exposed.clear();
    for (const [key, { server, index }] of this.#conflicts) {
      if (server !== newHome || index < (this.#armedAt.get(server.name) ?? 0) || index >= newHome.sealedAt) continue;
      if (!this.strays.has(key)) this.#breach(`${server.name} took ${key} before the swap, and nobody was told`);
    }
  }

  /** No attempt can swap any more: what the home takes from here on stays there, whoever has its lock. */
  settled(home: SimServer): void {
    home.settled();
    this.#exposed.clear();
  }

  /** Somebody's ALTER TABLE that has waited for the table begins. */
  altered(server: string): void {
    if (this.home() !== server) this.#breach(`${server} was altered though the tables are at home on ${this.home()}`);
  }

  /** The store has taken a transaction: rules and journal before and after it. */
  documents(before: Documents, now: Documents): void {
    const servers = [...this.#servers];
    for (const line of [...breachesOf(before, now), ...strandedSeals(servers, now.journal)])
      this.#breach(`the store shows ${line}`);
  }

  /** A session, found at `foundAt`, is about to be ended: that of the one that leads only for what the journal has said since. */
  sessionEnded(of: SimProcess | undefined, by: SimProcess, foundAt: number, leader: string | undefined): void {
    if (of === undefined || of.name !== leader || by.name === leader || by.journalAt >= foundAt) return;
    this.#breach(`${by.name} ends a session of ${leader}, which leads, and has not asked the journal`);
  }

  /** Why an attempt has ended: faults of the world may end it, and none of the program's. */
  ended(reason: SwitchyardError): void {
    const ours =
      reason.code === "INTERNAL_INVARIANT" || (reason.cause !== undefined && !isSwitchyardError(reason.cause));
    if (ours) this.#breach(`an attempt ended by a fault of the program: ${messageOf(reason)}`);
  }

  /** The client of a statement that was held has gone: nothing of it may be carried out any more. */
  withdrawn(write: Write): void {
    this.#withdrawn.add(keyOf(write));
  }

  /** A statement that began at `since` has ended. For `wayMs` of that its bytes were on their way, switch or no switch. */
  waited(proxy: Faultable, since: number, wayMs: number): void {
    const ms = this.#world.now - since - wayMs;
    if (ms <= this.waitMaxMs || (!this.strictWaits && proxy.process.troubledSince(since))) return;
    this.#breach(`a client of ${proxy.process.name} waited ${ms.toFixed(0)} ms for a statement`);
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

  /**
   * A client was told of an error. A single server would give none, unless its connection was ended; and connections
   * are ended only for what the store showed a controller of their proxy: what that does then can take as long as its clock,
   * or its process, stands still.
   */
  failed(proxy: Faultable, sentAt: number, error: Error): void {
    this.errors += 1;
    // The one exception that nobody can do anything about: see SPEC.md, "Not proven here".
    if (error.message === "late lock") {
      this.lateLocks += 1;
      return;
    }
    // Whoever alters a table does so on a single server as well.
    if (error.message === "another's lock") return;
    if (explains(proxy.process, error, { now: this.#world.now, sentAt })) return;
    this.#breach(`a client of ${proxy.process.name}, which nothing was done to, was told: ${error.message}`);
  }

  /** A client was told that its transaction was undone by order. */
  undone(proxy: Faultable): void {
    if (!this.kills) this.#breach(`a transaction of ${proxy.process.name} was undone, and nobody has ordered that`);
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

  /** At the end: every acknowledged write is at the home, once; and, where `alike`, the other server has the same rows. */
  final(home: SimServer, other: SimServer, alike: boolean): void {
    for (const write of this.#all) {
      const key = keyOf(write);
      const times = home.rows.get(key) ?? 0;
      if (times === 1 || (times === 0 && this.#accounted(key))) continue;
      this.#breach(`acknowledged write ${key} is ${times} times on ${home.name}`);
    }
    for (const [server, one] of [
      [home, other],
      [other, home],
    ] as const) {
      for (const [key, times] of server.rows) {
        if (times > 1) this.#breach(`write ${key} is ${times} times on ${server.name}`);
        if (this.#withdrawn.has(key)) this.#breach(`${key} was carried out although its client had gone`);
        if (alike && times === 1 && !one.rows.has(key) && !this.#accounted(key))
          this.#breach(`write ${key} is on ${server.name} alone, and nobody was told`);
      }
    }
  }

  /** Whether a write past the proxies was shown, or is one that its writer was told not to rely on. */
  #accounted(key: string): boolean {
    if (this.#unproven.has(key)) return false;
    return this.strays.has(key) || this.#conflicts.get(key)?.exposed === false;
  }

  /** Whether nothing keeps who goes past the proxies from writing to the old home: what is lost of it must be shown. */
  bypassed = false;

  /** An id is given once only, even if its row is rolled back: the client has seen it. */
  #given(server: SimServer, write: Write, bypass: boolean): void {
    const left = this.home() !== server.name;
    if (bypass && (this.bypassed || server.exposed || left)) return;
    // With no fence before the swap a proxy that has stood still, its clock too, is one who comes past the others: the id may have
    // been given at the new home, and what it has acknowledged must be shown where it is lost.
    if (this.bypassed && left) return;
    const key = keyOf(write);
    const before = this.#ids.get(write.id);
    if (before !== undefined)
      this.#breach(`id ${write.id} was given to ${key} on ${server.name} and to ${before} before`);
    this.#ids.set(write.id, key);
  }

  #written(server: SimServer, entry: LogEntry): void {
    if (entry.origin !== "client" && entry.origin !== "bypass") return;
    if (entry.origin === "bypass" && this.#pastTheProxies(server, entry)) return;
    if (this.#writer !== undefined && this.#writer !== server.name) {
      if (this.#swaps === this.#swapsThen) {
        this.#breach(`${server.name} took a write although ${this.#writer} had taken one since the last switch`);
      }
      this.#swapsThen = this.#swaps;
    }
    this.#writer ??= server.name;
    if (this.#writer !== server.name) this.#writer = server.name;
  }

  /** Whether a write past the proxies went to a server that is not the home, or whose lock somebody has ended. */
  #pastTheProxies(server: SimServer, entry: LogEntry): boolean {
    const index = server.log.length - 1;
    if (this.home() === server.name) {
      if (server.exposed) for (const write of entry.writes) this.#exposed.set(keyOf(write), this.#world.now);
      return server.exposed;
    }
    // A server that the tables have never left bears no fence yet: it is watched alone.
    const open = (server.exposed || this.bypassed) && !server.guarded;
    for (const write of entry.writes) this.#conflicts.set(keyOf(write), { server, index, exposed: open });
    if (!open && this.#swaps > 0)
      this.#breach(`${server.name} took a write past the proxies although the tables were at home elsewhere`);
    return true;
  }

  #breach(line: string): void {
    this.#world.note(`BREACH ${line}`);
    if (this.breaches.length < 20 && !this.breaches.includes(line)) this.breaches.push(line);
  }
}

/**
 * Whether an error comes from what was done to the proxy through which it was told, no longer before than such a thing can last:
 *
 * - its connections were ended, and with them what was open: a controller had been shown that this proxy's own lease was over,
 *   or that it had not taken the new rules, soon after it was in trouble;
 * - tables had moved behind a transaction that was begun on others while that was so;
 * - a held statement was given up: this proxy did not hear the store's answer;
 * - the old home has refused a write: by this proxy's own clock, which had stood still, its lease was not over yet.
 */
function explains(process: SimProcess, error: Error, { now, sentAt }: { now: number; sentAt: number }): boolean {
  if (error.message === "given-up") return process.troubledAt(now, ANSWER_TIMEOUT_MS + MESSAGE_MS[1], UNHEARD);
  if (error.message === "fenced") return process.troubledAt(sentAt, PROXY_LEASE_MS, ["clock still"]);
  if (!(error instanceof StatementError) || !["killed", "gone", "moved"].includes(error.kind)) return false;
  const called = error.calledFor;
  return called?.missing === true && process.troubledAt(called.at, RECOVERS_MS);
}

function keyOf(write: Write): string {
  return `${write.client}/${write.sequence}`;
}
