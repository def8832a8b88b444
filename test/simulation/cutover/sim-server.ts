import type { SimProcess, World } from "./world.ts";

/** One transaction in a server's binary log. */
export interface LogEntry {
  readonly origin: "client" | "bypass" | "stream" | "ours" | "ddl";
  readonly writes: readonly Write[];
  /** Of DDL: the table's definition from there on. */
  readonly definition?: number;
}

/** A row inserted, with the client that wrote it and its count of that client's writes. */
export interface Write {
  readonly client: string;
  readonly sequence: number;
  /** Given by the server that took it first. */
  id: number;
}

/** Why a statement failed: as the server or the proxy would say it, in one word. */
export type StatementFailure =
  | "killed"
  | "fenced"
  | "gone"
  | "moved"
  | "deadlock"
  | "late lock"
  | "another's lock"
  | "undone";

export class StatementError extends Error {
  readonly kind: StatementFailure;
  readonly #calledFor: () => CalledFor | undefined;

  /** With the connection that has ended with it, or before it, or else what had called for it. */
  constructor(kind: StatementFailure, cause?: { readonly calledFor?: CalledFor | undefined }) {
    super(kind);
    this.kind = kind;
    this.#calledFor = () => cause?.calledFor;
  }

  get calledFor(): CalledFor | undefined {
    return this.#calledFor();
  }
}

/** Why a proxy's connections are ended: what the store showed of it. */
export interface CalledFor {
  readonly at: number;
  /** Whether its lease was over, or it had not the newest rules. */
  readonly missing: boolean;
}

/** A session on a server. */
export interface Connection {
  readonly id: string;
  readonly nonce: string | undefined;
  /** Logged in as Switchyard: the lasting fence lets it pass. */
  readonly own: boolean;
  open: boolean;
  /** Rows of an open transaction. */
  buffer: Write[] | undefined;
  /** Whether it holds metadata locks on the tables. */
  holds: boolean;
  readonly onClose: (() => void)[];
  /** Whether its end is none of our controllers' doing. */
  endedByOthers?: boolean;
  /** Where a controller has ended it with all those of its proxy: what had called for it. */
  calledFor?: CalledFor;
  /** Whose session for a migration it is. */
  sessionOf?: SimProcess;
}

interface LockRequest {
  readonly connection: Connection;
  /** When it arrived here. */
  readonly askedAt: number;
  /** Whether it is that of somebody's ALTER TABLE. */
  readonly ddl: boolean;
  readonly grant: () => void;
}

/** What a server keeps of one stream that writes to it. */
export interface Ledger {
  epoch: number;
  /** Entries of the other server's log that are done with. */
  position: number;
  token: string | undefined;
  readonly starts: Map<string, number>;
  /** Nobody may claim it under its present token any more. */
  retired: boolean;
  /** The attempt whose abort alone may let it be claimed again. */
  sealedBy: string | undefined;
  /** DDL that the stream has passed over and nobody has seen to yet, and the definition that it led to. */
  ddl: number;
  definition: number;
}

/** An INSERT that is slow takes between so many milliseconds. */
export const SLOW_INSERT_MS = [20, 120] as const;

const NEW_LEDGER = {
  ...{ epoch: 0, position: 0, token: undefined, retired: false, sealedBy: undefined },
  ...{ ddl: 0, definition: 0 },
};

/** A MySQL server with one set of tables: metadata locks, triggers that refuse, a binary log, an AUTO_INCREMENT. */
export class SimServer {
  readonly name: string;
  readonly world: World;
  readonly log: LogEntry[] = [];
  /** How long the log was when a ledger here was sealed last. */
  sealedAt = 0;
  readonly ledgers = new Map<string, Ledger>();
  readonly connections = new Map<string, Connection>();
  /** How often each write is here: more than once is a doubled write. */
  readonly rows = new Map<string, number>();
  /** Last sequence of each client that is visible here. */
  readonly latest = new Map<string, number>();
  fence: string | undefined;
  /** Whether guards stand, and the connection that holds their lock. */
  guarded = false;
  guard: Connection | undefined;
  /** The attempt whose guards they are, and those whose guards are open, each by a connection that says so. */
  guardOf: string | undefined;
  readonly openers = new Map<string, Connection>();
  nextId = 1;
  /** Which definition the table has. */
  definition = 0;
  lockOwner: Connection | undefined;
  namedLock: Connection | undefined;
  /** Whether the lock, with nothing in its place yet, went because somebody ended the session that had it. */
  exposed = false;
  /** Test-only: an applying transaction commits whatever the ledger says. */
  epochs = true;
  /** Test-only: ledgers can be claimed whoever has sealed them. */
  seals = true;
  /** Test-only: a ledger is sealed by whoever asks, not by the stream that holds it alone. */
  sealsByHolder = true;
  /** Test-only: a guard whose lock is gone lets everybody pass. */
  guardsPassAll = false;
  /** Test-only: nobody ends a session that has the migration's lock. */
  sessionsShared = false;
  /** Whether a table lock that a session asked for at `askedAt` is one that only a controller that was stopped can ask for. */
  isLate: (session: Connection, askedAt: number) => boolean = () => false;
  /** Told of each write of a client, for the checks. */
  onWrite: (entry: LogEntry) => void = () => undefined;
  /** Told of each session that a controller is about to end. */
  onSessionEnded: (session: Connection, by: SimProcess, foundAt: number) => void = () => undefined;
  /** Told of each id that is given, whether or not its row is committed. */
  onId: (write: Write, bypass: boolean) => void = () => undefined;
  /** Whether it was exposed when the lock was taken: it is so again if the lock goes and leaves nothing. */
  #exposedBefore = false;
  /** Which row has an id. */
  readonly #byId = new Map<number, string>();
  #connections = 0;
  readonly #requests: LockRequest[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #readers = new Set<() => void>();

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
  }

  connect(nonce: string | undefined, own: boolean): Connection {
    const id = String(++this.#connections);
    const connection: Connection = { id, nonce, own, open: true, buffer: undefined, holds: false, onClose: [] };
    this.connections.set(id, connection);
    return connection;
  }

  /** Ends a connection: what it had open is rolled back, its locks go, a statement under way is not carried out. */
  close(connection: Connection): void {
    if (!connection.open) return;
    connection.open = false;
    connection.buffer = undefined;
    connection.holds = false;
    this.connections.delete(connection.id);
    if (this.lockOwner === connection) {
      this.lockOwner = undefined;
      this.exposed = this.fence === undefined && (connection.endedByOthers === true || this.#exposedBefore);
    }
    if (this.namedLock === connection) this.namedLock = undefined;
    if (this.guard === connection) this.guard = undefined;
    for (const listener of connection.onClose) listener();
    this.#wake();
  }

  /** A controller KILLs the session that it has found, at `foundAt`, to hold the migration's lock. */
  endSession(session: Connection, by: SimProcess, foundAt: number): void {
    this.onSessionEnded(session, by, foundAt);
    this.close(session);
  }

  ledger(direction: string): Ledger {
    let ledger = this.ledgers.get(direction);
    if (ledger === undefined) {
      ledger = { ...NEW_LEDGER, starts: new Map() };
      this.ledgers.set(direction, ledger);
    }
    return ledger;
  }

  executed(): string {
    return `${this.name}:${this.log.length}`;
  }

  /** Carries out one INSERT; commits at once unless the connection has a transaction open. */
  async insert(connection: Connection, write: Write, bypass: boolean): Promise<void> {
    await this.#admitted(connection);
    connection.holds = true;
    const slow = this.world.random.chance(0.02);
    await this.world.delay(slow ? this.world.random.between(...SLOW_INSERT_MS) : this.world.random.between(0.3, 2));
    this.#alive(connection);
    if (this.#refuses(connection)) {
      if (connection.buffer === undefined) this.release(connection);
      throw new StatementError("fenced");
    }
    this.#meetPendingLock(connection);
    write.id = this.nextId++;
    this.onId(write, bypass);
    if (connection.buffer !== undefined) connection.buffer.push(write);
    else {
      this.append({ origin: bypass ? "bypass" : "client", writes: [write] });
      this.release(connection);
    }
  }

  #refuses({ own, nonce }: Connection): boolean {
    if (own) return false;
    if (this.fence !== undefined || (this.guarded && this.guard !== undefined)) return true;
    const opener = this.openers.get(this.guardOf ?? "");
    return this.guarded && nonce === undefined && opener?.open !== true && !this.guardsPassAll;
  }

  begin(connection: Connection): void {
    this.#alive(connection);
    connection.buffer = [];
  }

  async commit(connection: Connection): Promise<void> {
    this.#alive(connection);
    await this.world.delay(this.world.random.between(0.3, 2));
    this.#alive(connection);
    const writes = connection.buffer ?? [];
    connection.buffer = undefined;
    if (writes.length > 0) this.append({ origin: "client", writes });
    this.release(connection);
  }

  async rollback(connection: Connection): Promise<void> {
    this.#alive(connection);
    await this.world.delay(this.world.random.between(0.3, 1));
    this.#alive(connection);
    connection.buffer = undefined;
    this.release(connection);
  }

  /** The last sequence of a client that is visible here. Waits for table locks as a SELECT does. */
  async read(connection: Connection, client: string): Promise<number> {
    await this.#admitted(connection);
    connection.holds = true;
    await this.world.delay(this.world.random.between(0.3, 2));
    this.#alive(connection);
    const seen = this.latest.get(client) ?? 0;
    if (connection.buffer === undefined) this.release(connection);
    return seen;
  }

  /** A long SELECT: it has its table for `ms`. */
  async readFor(connection: Connection, ms: number): Promise<void> {
    await this.#admitted(connection);
    connection.holds = true;
    await this.world.delay(ms);
    this.release(connection);
  }

  /** Somebody's ALTER TABLE, which waits for the table no longer than `waitMs`; `wanted` is asked once it has it. */
  async alter(waitMs: number, wanted: () => boolean): Promise<void> {
    const connection = this.connect(undefined, false);
    if ((await this.lock(connection, waitMs, true)) && wanted()) {
      await this.world.delay(this.world.random.between(1, 10));
      if (connection.open) {
        this.definition += 1;
        this.append({ origin: "ddl", writes: [], definition: this.definition });
      }
    }
    this.close(connection);
  }

  /** Does a transaction of a stream, if its epoch is the ledger's and it is the next in order. */
  async apply(
    connection: Connection,
    direction: string,
    epoch: number,
    index: number,
    entry: LogEntry,
  ): Promise<boolean> {
    const ours = entry.origin === "stream" || entry.origin === "ours" || entry.origin === "ddl";
    if (!ours) {
      await this.#admitted(connection);
      connection.holds = true;
    }
    await this.world.delay(this.world.random.between(0.1, 0.8));
    this.#alive(connection);
    const ledger = this.ledger(direction);
    const mine = !this.epochs || (ledger.epoch === epoch && ledger.position === index);
    if (mine) {
      ledger.position = Math.max(ledger.position, index + 1);
      if (entry.definition !== undefined) {
        ledger.ddl += 1;
        ledger.definition = entry.definition;
      }
      if (!ours) this.append({ origin: "stream", writes: entry.writes });
    }
    this.release(connection);
    return mine;
  }

  /** Resolves when the log has grown, or `ms` have gone by. */
  appended(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancelled = true;
        this.#readers.delete(wake);
        resolve();
      };
      const timer = this.world.after(ms, wake);
      this.#readers.add(wake);
    });
  }

  append(entry: LogEntry): void {
    this.log.push(entry);
    for (const wake of [...this.#readers]) wake();
    for (const write of entry.writes) {
      const key = `${write.client}/${write.sequence}`;
      // A stream that finds another row under the id has the last word: that row is gone.
      const there = this.#byId.get(write.id);
      if (there !== undefined && there !== key) this.rows.delete(there);
      this.#byId.set(write.id, key);
      this.rows.set(key, (this.rows.get(key) ?? 0) + 1);
      this.latest.set(write.client, write.sequence);
      this.nextId = Math.max(this.nextId, write.id + 1);
    }
    this.onWrite(entry);
  }

  /** Resolves with whether the tables were locked within the time. Nothing is pending afterwards. */
  lock(connection: Connection, pendingMs: number, ddl = false): Promise<boolean> {
    return new Promise((resolve) => {
      const request: LockRequest = {
        connection,
        askedAt: this.world.now,
        ddl,
        grant: () => {
          timer.cancelled = true;
          resolve(true);
        },
      };
      const timer = this.world.after(pendingMs, () => {
        const at = this.#requests.indexOf(request);
        if (at >= 0) this.#requests.splice(at, 1);
        resolve(false);
        this.#wake();
      });
      connection.onClose.push(() => {
        const at = this.#requests.indexOf(request);
        if (at >= 0) this.#requests.splice(at, 1);
        timer.cancelled = true;
        resolve(false);
      });
      this.#requests.push(request);
      this.#wake();
    });
  }

  unlock(connection: Connection): void {
    if (this.lockOwner === connection) this.lockOwner = undefined;
    this.#exposedBefore = false;
    this.#wake();
  }

  /** It is the home, and no attempt can make another server the home: whether it is locked is of no concern. */
  settled(): void {
    this.exposed = false;
    this.#exposedBefore = false;
  }

  /** Sessions of others whose ALTER TABLE waits. */
  waitingDdl(): readonly Connection[] {
    return this.#requests.filter(({ ddl }) => ddl).map(({ connection }) => connection);
  }

  release(connection: Connection): void {
    connection.holds = false;
    this.#wake();
  }

  holders(): readonly Connection[] {
    return [...this.connections.values()].filter((connection) => connection.holds);
  }

  /** Waits as a statement does: behind a table lock of others, and behind one that is asked for. */
  async #admitted(connection: Connection): Promise<void> {
    for (;;) {
      this.#alive(connection);
      const free = this.lockOwner === undefined || this.lockOwner === connection;
      if (connection.holds || (free && this.#requests.length === 0)) return;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /**
   * A table lock takes the tables one by one. If it is pending because of a transaction that has one of them, and that
   * transaction reaches for another, which the lock has already, the server ends the transaction.
   */
  #meetPendingLock(connection: Connection): void {
    if (connection.buffer === undefined || connection.buffer.length === 0 || this.#requests.length === 0) return;
    if (connection.own || !this.world.random.chance(0.5)) return;
    connection.buffer = undefined;
    this.release(connection);
    // What somebody else asks for would have ended it on a single server as well.
    const ours = this.#requests.filter(({ connection: session }) => session.own);
    if (ours.length === 0) throw new StatementError("another's lock");
    const late = ours.every(({ connection: session, askedAt }) => this.isLate(session, askedAt));
    throw new StatementError(late ? "late lock" : "deadlock");
  }

  #alive(connection: Connection): void {
    if (!connection.open) throw new StatementError("killed", connection);
  }

  #wake(): void {
    const next = this.#requests[0];
    const others = next === undefined ? [] : this.holders().filter((holder) => holder !== next.connection);
    if (next !== undefined && this.lockOwner === undefined && others.length === 0) {
      this.#requests.shift();
      this.lockOwner = next.connection;
      this.#exposedBefore = this.exposed;
      this.exposed = false;
      next.grant();
    }
    for (const resume of this.#waiting.splice(0)) resume();
  }
}
