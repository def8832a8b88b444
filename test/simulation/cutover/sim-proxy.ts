import { silentLogger } from "../../../src/base/logger.ts";
import { noMetrics } from "../../../src/metrics/metrics.ts";
import type { Tie } from "../../../src/proxy/cause.ts";
import { HoldKeeper } from "../../../src/proxy/hold-keeper.ts";
import type { HeldStatement } from "../../../src/proxy/hold-queue.ts";
import { Licence } from "../../../src/proxy/licence.ts";
import type { LocalHold } from "../../../src/proxy/local-hold.ts";
import { Participant } from "../../../src/proxy/participant.ts";
import { DEFAULT_PROXY_LIMITS } from "../../../src/proxy/proxy-config.ts";
import { ProxyMetrics } from "../../../src/proxy/proxy-metrics.ts";
import { StragglerEnder } from "../../../src/proxy/straggler-ender.ts";
import { Traffic } from "../../../src/proxy/traffic.ts";
import type { Flight, TrafficSession } from "../../../src/proxy/traffic-session.ts";
import type { HoldAcknowledgement, ProxyDocument } from "../../../src/rules/proxy-document.ts";
import { homeOf, initialRules } from "../../../src/rules/rules-edits.ts";
import type { Compare, Store, StoreWrite, WatchHandler } from "../../../src/store/store.ts";
import type { Checker } from "./checker.ts";
import { TABLE } from "./sim-home.ts";
import { type CalledFor, type Connection, type SimServer, StatementError, type Write } from "./sim-server.ts";
import type { SimStore } from "./sim-store.ts";
import { PROXY_RETRY_MS } from "./sim-times.ts";
import type { SimProcess, World } from "./world.ts";

/** Test-only: a rule that proxies do not keep. */
export type ProxyWeakness =
  /** Holds and rules are looked at when a statement is judged, not when its first byte goes out. */
  | "decides-early"
  /** Drained means that no statement is under way, whatever transactions are open. */
  | "forgets-transactions"
  /** Says that it is drained as soon as it has the hold. */
  | "drains-at-once"
  /** Registers whatever the rules in the store have become since they were read. */
  | "joins-blindly"
  /** Lets a transaction that was begun during a hold go on to the tables that are held. */
  | "lets-later-transactions"
  /** A transaction counts as open only once it has touched the tables. */
  | "forgets-other-tables"
  /** Leaves a hold that has outlived its time to the controllers. */
  | "keeps-holds"
  /** Needs its lease for every statement, whether or not a migration is armed. */
  | "licensed-always"
  /** Looks at its licence when a statement is judged, not when its first byte goes out. */
  | "asks-licence-early"
  /** Sends a statement that was held although its client has gone meanwhile. */
  | "sends-for-the-gone"
  /** Rolls a transaction back by order, and does not tell its client. */
  | "hides-the-undone"
  /** Takes what a watch tells for the newest, also what it tells again. */
  | "believes-old-news"
  /** What begins in the place of a proxy whose machine has vanished registers under its id. */
  | "comes-back-under-its-id";

export interface SimProxyOptions {
  readonly world: World;
  readonly process: SimProcess;
  /** What it registers under. */
  readonly id: string;
  readonly store: SimStore;
  readonly servers: Readonly<Record<string, SimServer>>;
  readonly checker: Checker;
  readonly clients: number;
  readonly leaseTtlMs: number;
  /** Whether it keeps to its licence. */
  readonly licensed: boolean;
  readonly weakness?: ProxyWeakness | undefined;
  /** Serves clients before its watch has told it the rules for the first time. */
  readonly lateWatch: boolean;
  /** The share of statements whose bytes are long on their way to the server. */
  readonly slowShare: number;
}

/**
 * A proxy worker: the real parts that keep rules, holds, licence and registration, with simulated sessions whose
 * statements reach simulated servers.
 */
export class SimProxy {
  readonly process: SimProcess;
  readonly traffic: Traffic;
  readonly nonce: string;
  readonly options: SimProxyOptions;
  readonly participant: Participant;
  #stopping = false;
  #heard = Number.MAX_SAFE_INTEGER / 2;
  #running = 0;

  constructor(options: SimProxyOptions) {
    const { process, store } = options;
    const { clock } = process;
    this.options = options;
    this.process = process;
    this.nonce = `boot-${process.name}`;
    const metrics = new ProxyMetrics(noMetrics);
    const licence = new Licence(clock, options.leaseTtlMs * 0.3);
    const limits = { ...DEFAULT_PROXY_LIMITS, licenceWaitMs: 60_000 };
    const rules = { ...initialRules("old"), generation: 0 };
    this.traffic = new Traffic({ clock, log: silentLogger, limits, metrics, licence, rules, revision: 0 });
    this.participant = new Participant({
      store: this.#storeOf(options),
      clock,
      log: silentLogger,
      metrics,
      licence,
      id: options.id,
      defaultBackend: "old",
      leaseTtlMs: options.leaseTtlMs,
      retryMs: PROXY_RETRY_MS,
      apply: (stored) => this.traffic.apply(stored.rules, this.#newness(stored.revision)),
      document: () => this.#document(),
    });
    this.traffic.onChange(() => this.participant.publish());
    if (options.weakness !== "keeps-holds")
      new HoldKeeper({ store, traffic: this.traffic, clock, log: silentLogger, retryMs: PROXY_RETRY_MS });
    new StragglerEnder({ traffic: this.traffic, clock, log: silentLogger });
    void this.#start();
  }

  get id(): string {
    return this.options.id;
  }

  get idle(): boolean {
    return this.#running === 0;
  }

  /** Lets the clients end after what they are doing. */
  finish(): void {
    this.#stopping = true;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  async #start(): Promise<void> {
    const { world, process } = this.options;
    for (let joined = false; !joined; ) {
      joined = await this.participant.start().then(
        () => true,
        () => false,
      );
      if (!joined) await world.delay(PROXY_RETRY_MS);
      await process.gate();
    }
    for (let index = 0; index < this.options.clients; index += 1) {
      const client = new SimClient(this, `${process.name}-c${index}`);
      this.traffic.sessions.add(client);
      this.#running += 1;
      void client.run().finally(() => {
        this.#running -= 1;
      });
    }
  }

  #storeOf({ store, weakness, lateWatch, world }: SimProxyOptions): Store {
    const joins = weakness === "joins-blindly" ? unconditional(store) : store;
    return lateWatch ? beginningLate(joins, world) : joins;
  }

  #newness(revision: number): number {
    return this.options.weakness === "believes-old-news" ? this.#heard++ : revision;
  }

  #acknowledged(hold: LocalHold): HoldAcknowledgement {
    const truth = hold.acknowledgement(this.process.clock.monotonicMs());
    return this.options.weakness === "drains-at-once" ? { ...truth, state: "drained", open: [] } : truth;
  }

  #document(): ProxyDocument {
    const { rules, holds } = this.traffic;
    const armed = Object.entries(rules.armed).map(
      ([migration, { token }]) => [migration, { token, state: "ready" as const, blocked: [] }] as const,
    );
    return {
      format: 3,
      id: this.id,
      bootNonce: this.nonce,
      version: "sim",
      generation: rules.generation,
      armed: Object.fromEntries(armed),
      holds: Object.fromEntries([...holds].map(([migration, hold]) => [migration, this.#acknowledged(hold)])),
      seenTogether: [],
      accounts: ["app"],
      servers: {},
    };
  }
}

/** A store whose transactions depend on nothing. */
function unconditional(store: Store): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === "transact") {
        return (_conditions: readonly Compare[], writes: readonly StoreWrite[]) => target.transact([], writes);
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** How long a watch that begins late says nothing. */
const LATE_WATCH_MS = 150;

/** A store whose watches are there at once, but tell of what there is only some time later. */
function beginningLate(store: Store, world: World): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === "watch") {
        return (prefix: string, handler: WatchHandler) => {
          void world.delay(LATE_WATCH_MS).then(() => target.watch(prefix, handler));
          return Promise.resolve({ close: () => Promise.resolve() });
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** A table that stays where it is. */
const OTHER_TABLE = "shop.customers";

/** One statement as a client sends it. */
interface Statement {
  readonly opens: boolean;
  readonly table: string;
  /** The write of a client that goes away if it is made to wait. */
  readonly leaves?: Write | undefined;
}

/** An application's session: autocommit inserts, transactions of a few, and reads of what others have written. */
class SimClient implements TrafficSession {
  readonly id: string;
  readonly user = "app";
  readonly #proxy: SimProxy;
  readonly #world: World;
  readonly #connections = new Map<string, Connection>();
  /** An order to end what is open waits for the end of the statement. */
  #ending = false;
  #busy = false;
  /** Its transaction is being undone, or is; its client does not know it yet. */
  #undone: Promise<void> | undefined;
  flight: Flight | undefined;
  /** When its last statement was sent. */
  sentAt = 0;
  #open: string | undefined;
  /** Whether the open transaction has touched the tables yet, and whether it was begun while they were held. */
  #touched = false;
  #begunInHold = false;
  /** How its proxy stood when the open transaction began with another table. */
  #begun: CalledFor | undefined;
  /** The write that waits for a hold to end, and whose client may go. */
  #held: Write | undefined;
  #sequence = 0;

  constructor(proxy: SimProxy, id: string) {
    this.#proxy = proxy;
    this.#world = proxy.options.world;
    this.id = id;
  }

  openOn(backend: string): Tie | undefined {
    const { weakness } = this.#proxy.options;
    if (weakness === "forgets-transactions") return undefined;
    if (weakness === "forgets-other-tables" && !this.#touched) return undefined;
    return this.#open === backend ? { reason: "an open transaction" } : undefined;
  }

  /** As in a real session: a statement under way, also one that waits, comes to its end first. */
  endOpen(): void {
    if (this.#undone !== undefined) return;
    if (this.#busy) this.#ending = true;
    else this.#undo();
  }

  #undo(): void {
    this.#ending = false;
    const at = this.#open;
    const connection = at === undefined ? undefined : this.#connections.get(at);
    const server = at === undefined ? undefined : this.#proxy.options.servers[at];
    // Its last statement may have ended it.
    if (connection?.buffer === undefined || server === undefined) return;
    const work = async (): Promise<void> => {
      await this.#world.delay(this.#world.random.between(0.2, 2));
      await this.#proxy.process.gate();
      await server.rollback(connection).catch(() => undefined);
      // Its client may have given it up meanwhile, and begun another.
      if (this.#undone !== undone) return;
      this.#open = undefined;
      this.#proxy.traffic.settled(this);
    };
    const undone = work();
    this.#undone = undone;
  }

  /** Whether the client is told, in place of an answer to its next statement, that its transaction was undone. */
  async #takeUndone(undone: Promise<void>): Promise<boolean> {
    await undone;
    this.#undone = undefined;
    return this.#proxy.options.weakness !== "hides-the-undone";
  }

  hasUsed(): boolean {
    return true;
  }

  prepareFor(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async run(): Promise<void> {
    const { random } = this.#world;
    while (!this.#proxy.stopping && !this.#proxy.process.dead) {
      await this.#world.delay(random.between(1, 40));
      if (random.chance(0.25)) await this.#read();
      else if (random.chance(0.3)) await this.#transaction(random.chance(0.3));
      else await this.#autocommit();
    }
  }

  async #autocommit(): Promise<void> {
    const write = this.#newWrite();
    const leaves = this.#world.random.chance(0.1) ? write : undefined;
    const outcome = await this.#statement({ opens: false, table: TABLE, leaves }, (server, connection) =>
      server.insert(connection, write, false),
    );
    // Its client is not there any more to be told.
    if (outcome?.message !== "abandoned") this.#told([write], outcome);
  }

  /** A transaction of some writes, which may begin with another table, one that never moves. */
  async #transaction(elsewhereFirst: boolean): Promise<void> {
    const { random } = this.#world;
    const { traffic } = this.#proxy;
    const writes: Write[] = [];
    this.#touched = false;
    this.#begunInHold = false;
    // A transaction over two servers is refused; an application that knows that makes none.
    if (elsewhereFirst && homeOf(traffic.rules, TABLE) === "old") {
      const begun = await this.#statement({ opens: true, table: OTHER_TABLE }, (server, connection) => {
        this.#begin(server, connection);
        return Promise.resolve();
      });
      if (begun !== undefined) {
        this.#abandon();
        this.#proxy.options.checker.failed(this.#proxy, this.sentAt, begun);
        return;
      }
      await this.#world.delay(random.between(0, 25));
    }
    const count = 1 + Math.floor(random.next() * 3);
    for (let index = 0; index < count; index += 1) {
      const write = this.#newWrite();
      writes.push(write);
      const outcome = await this.#statement({ opens: true, table: TABLE }, async (server, connection) => {
        if (connection.buffer === undefined) this.#begin(server, connection);
        this.#touched = true;
        await server.insert(connection, write, false);
      });
      if (outcome !== undefined) {
        this.#abandon();
        // Nothing of it was committed, whatever the error was. Begun during a hold, it can be told that its tables moved.
        if (outcome.message === "moved" && this.#begunInHold) return;
        if (outcome.message === "undone") {
          this.#proxy.options.checker.undone(this.#proxy);
          return;
        }
        this.#proxy.options.checker.failed(this.#proxy, this.sentAt, outcome);
        return;
      }
      await this.#world.delay(random.between(0, 15));
    }
    const gives = random.chance(0.15);
    const outcome = await this.#statement({ opens: true, table: OTHER_TABLE }, (server, connection) =>
      gives ? server.rollback(connection) : server.commit(connection),
    );
    this.#open = undefined;
    this.#proxy.traffic.settled(this);
    if (outcome?.message === "undone") this.#proxy.options.checker.undone(this.#proxy);
    else this.#told(gives ? [] : writes, outcome);
  }

  async #read(): Promise<void> {
    const { checker } = this.#proxy.options;
    const other = checker.someClient(this.#world.random) ?? this.id;
    let expected = 0;
    const outcome = await this.#statement({ opens: false, table: TABLE }, async (server, connection) => {
      expected = checker.acknowledgedOf(other);
      const seen = await server.read(connection, other);
      if (!connection.open) return;
      checker.readBack(this.#proxy, other, seen, expected);
    });
    if (outcome !== undefined) checker.failed(this.#proxy, this.sentAt, outcome);
  }

  async #statement(
    statement: Statement,
    send: (server: SimServer, connection: Connection) => Promise<void>,
  ): Promise<Error | undefined> {
    this.#busy = true;
    try {
      if (this.#undone !== undefined && (await this.#takeUndone(this.#undone))) return new StatementError("undone");
      return await this.#judgeAndSend(statement, send);
    } finally {
      this.#busy = false;
      if (this.#ending) this.#undo();
    }
  }

  /**
   * Judges and sends one statement as a real session does: holds and licence are looked at in the very turn in which
   * it is sent. Resolves with the error, if any.
   */
  async #judgeAndSend(
    { opens, table, leaves }: Statement,
    send: (server: SimServer, connection: Connection) => Promise<void>,
  ): Promise<Error | undefined> {
    const { traffic, process } = this.#proxy;
    const { weakness, servers, checker } = this.#proxy.options;
    const held = traffic.newHeld(100, "app");
    const since = this.#world.now;
    const concerned = table === TABLE;
    for (;;) {
      await process.gate();
      if (weakness === "asks-licence-early") {
        if (!(await this.#licensed(concerned))) continue;
        await this.#world.delay(this.#world.random.between(0, 5));
        await process.gate();
      }
      const lets = weakness === "lets-later-transactions" && this.#open !== undefined;
      const blocking = concerned && !lets ? traffic.blocking(this, Object.keys(traffic.rules.holds)) : [];
      if (blocking.length > 0) {
        if (leaves !== undefined) this.#leave(held, leaves);
        const outcome = await traffic.waitForRelease(held, blocking);
        this.#held = undefined;
        if (outcome === "released") continue;
        return new Error(outcome);
      }
      if (weakness !== "asks-licence-early" && !(await this.#licensed(concerned))) continue;
      const backend = this.#open ?? (concerned ? homeOf(traffic.rules, TABLE) : "old");
      if (concerned && this.#open !== undefined && !this.#touched && homeOf(traffic.rules, TABLE) !== this.#open)
        return new StatementError("moved", { calledFor: this.#connections.get(this.#open)?.calledFor ?? this.#begun });
      const server = servers[backend];
      if (server === undefined) throw new Error(`no server ${backend}`);
      if (weakness === "decides-early") await this.#world.delay(this.#world.random.between(1, 30));
      if (opens && this.#open === undefined) {
        this.#begunInHold = traffic.holds.size > 0;
        if (!concerned)
          this.#begun = { at: this.#world.now, missing: this.#proxy.options.store.lacks(this.#proxy.nonce) };
      }
      this.flight = { backend, tables: [table], everything: false, opens };
      this.sentAt = this.#world.now;
      let wayMs = 0;
      try {
        const connection = this.#connection(server);
        // Bytes that are on their way when the proxy is stopped or killed still arrive.
        const slow = this.#world.random.chance(this.#proxy.options.slowShare);
        wayMs = slow ? this.#world.random.between(20, 400) : this.#world.random.between(0.1, 1);
        await this.#world.delay(wayMs);
        await send(server, connection);
        await this.#world.delay(this.#world.random.between(0.1, 1));
        await process.gate();
        return undefined;
      } catch (error) {
        await process.gate();
        return error instanceof Error ? error : new Error(String(error));
      } finally {
        this.flight = undefined;
        if (this.#ending) this.#undo();
        traffic.settled(this);
        checker.waited(this.#proxy, since, wayMs);
      }
    }
  }

  /** Whether the licence is good in this turn; waits a little where it is not. */
  async #licensed(concerned: boolean): Promise<boolean> {
    const { options, traffic } = this.#proxy;
    const armed = options.weakness === "licensed-always" ? ["any"] : Object.keys(traffic.rules.armed);
    if (!options.licensed || !concerned || traffic.licensed(armed)) return true;
    await this.#world.delay(10);
    return false;
  }

  /** The client goes while its statement is held: nothing of that may be sent any more. */
  #leave(held: HeldStatement, write: Write): void {
    const { traffic, options } = this.#proxy;
    this.#held = write;
    this.#world.after(this.#world.random.between(1, 60), () => {
      if (this.#held !== write) return;
      options.checker.withdrawn(write);
      if (options.weakness !== "sends-for-the-gone") traffic.stopWaiting(held, "abandoned");
    });
  }

  #begin(server: SimServer, connection: Connection): void {
    server.begin(connection);
    this.#open = server.name;
  }

  #connection(server: SimServer): Connection {
    const known = this.#connections.get(server.name);
    if (known?.open === true) return known;
    // A transaction that was open there is gone with its connection.
    if (this.#open === server.name) throw new StatementError("gone", known);
    const connection = server.connect(this.#proxy.nonce, false);
    this.#connections.set(server.name, connection);
    const { process } = this.#proxy;
    process.onDeath.push(() => {
      if (!process.vanished) this.#world.after(this.#world.random.between(0, 60), () => server.close(connection));
    });
    return connection;
  }

  /** The client closes its session after an error, and logs in anew: nothing of before is told to it any more. */
  #abandon(): void {
    this.#undone = undefined;
    this.#ending = false;
    const connection = this.#open === undefined ? undefined : this.#connections.get(this.#open);
    const server = this.#open === undefined ? undefined : this.#proxy.options.servers[this.#open];
    if (connection !== undefined && server !== undefined) server.close(connection);
    this.#open = undefined;
    this.#proxy.traffic.settled(this);
  }

  #newWrite(): Write {
    this.#sequence += 1;
    return { client: this.id, sequence: this.#sequence, id: 0 };
  }

  #told(writes: readonly Write[], outcome: Error | undefined): void {
    const { checker } = this.#proxy.options;
    if (outcome === undefined) checker.acknowledged(writes);
    else checker.failed(this.#proxy, this.sentAt, outcome);
  }
}
