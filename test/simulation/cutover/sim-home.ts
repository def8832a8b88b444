import { SwitchyardError } from "../../../src/base/errors.ts";
import type { ServerWithConnections } from "../../../src/cutover/forget-proxy.ts";
import { requireKnownServer } from "../../../src/cutover/known-server.ts";
import type {
  Home,
  HomeSession,
  HomeView,
  LastingFence,
  LockHolder,
  OpenSession,
  Stray,
  StrayWatch,
} from "../../../src/cutover/ports.ts";
import type { WaitingDdl } from "../../../src/cutover/waiting-ddl.ts";
import type { CalledFor, Connection, SimServer } from "./sim-server.ts";
import type { SimProcess } from "./world.ts";

export const MIGRATION = "m";
export const TABLE = "shop.orders";

/** A server as the switch of one process reaches it. */
export class SimHome implements Home {
  readonly backend: string;
  readonly label: string;
  readonly ownUser = "switchyard";
  readonly #server: SimServer;
  readonly #process: SimProcess;

  constructor(server: SimServer, process: SimProcess) {
    this.#server = server;
    this.#process = process;
    this.backend = server.name;
    this.label = server.name;
  }

  async inspect<T>(look: (view: HomeView) => Promise<T>): Promise<T> {
    await this.#process.gate();
    return await look(new SimView(this.#server, this.#process, undefined));
  }

  async open({ takeOver, serverUuid = "", stillOurs }: OpenSession): Promise<HomeSession> {
    const server = this.#server;
    const world = server.world;
    await this.#process.gate();
    await world.delay(1);
    requireKnownServer(this, serverUuid, `u-${server.name}`);
    const connection = server.connect(undefined, true);
    connection.sessionOf = this.#process;
    this.#closeWithProcess(connection);
    if (server.sessionsShared) {
      if (takeOver === "keep-lock" && !(await server.lock(connection, 3000))) throw lost();
      return new SimSession(server, this.#process, connection);
    }
    if (takeOver === "never" && server.namedLock !== undefined) {
      server.close(connection);
      throw new SwitchyardError("CUTOVER_SESSION_HELD", { what: "another session holds the migration's lock" });
    }
    try {
      if (takeOver === "keep-lock") await this.#keepLock(connection, stillOurs);
      for (let holder = server.namedLock; holder !== undefined; holder = server.namedLock) {
        const foundAt = world.now;
        await stillOurs?.();
        server.endSession(holder, this.#process, foundAt);
      }
    } catch (error) {
      server.close(connection);
      throw error;
    }
    if (connection.open) server.namedLock = connection;
    await this.#process.gate();
    return new SimSession(server, this.#process, connection);
  }

  async #keepLock(connection: Connection, stillOurs: OpenSession["stillOurs"]): Promise<void> {
    const server = this.#server;
    await stillOurs?.();
    const locked = server.lock(connection, 3000);
    await server.world.delay(2);
    const ddl = server.waitingDdl();
    if (ddl.length > 0) await stillOurs?.();
    for (const waiting of ddl) server.close(waiting);
    const holder = server.namedLock;
    if (holder !== undefined) {
      const foundAt = server.world.now;
      await stillOurs?.();
      server.endSession(holder, this.#process, foundAt);
    }
    if (!(await locked))
      throw new SwitchyardError("CUTOVER_FENCE_BLOCKED", { what: "the lock could not be taken over" });
  }

  async watchStrays(position: string): Promise<StrayWatch> {
    await this.#process.gate();
    const server = this.#server;
    const process = this.#process;
    const from = indexOf(position);
    return {
      underWay: async () => {
        await server.world.delay(1);
        await process.gate();
      },
      upTo: async (to, { after }) => {
        await process.gate();
        await server.world.delay(1);
        await process.gate();
        const begin = Math.max(from, after === undefined ? 0 : indexOf(after));
        return server.log.slice(begin, indexOf(to)).flatMap((entry, index): Stray[] => {
          if (entry.origin !== "client" && entry.origin !== "bypass") return [];
          return entry.writes.map((write) => ({
            gtid: `${server.name}:${begin + index + 1}`,
            table: TABLE,
            what: `${write.client}/${write.sequence}`,
          }));
        });
      },
      close: () => Promise.resolve(),
    };
  }

  async openGuards(token: string): Promise<void> {
    await this.#process.gate();
    await this.#server.world.delay(1);
    const connection = this.#server.connect(undefined, true);
    this.#closeWithProcess(connection);
    this.#server.openers.set(token, connection);
    await this.#process.gate();
  }

  /** The server as somebody sees it who has connections ended there. */
  connections(): ServerWithConnections {
    const connection = this.#server.connect(undefined, true);
    const session = new SimSession(this.#server, this.#process, connection);
    return {
      label: this.label,
      connectionsOf: (nonces) => session.connectionsOf(nonces),
      kill: async (ids) => void (await session.kill(ids)),
    };
  }

  /** A process that dies takes its connections along, sometimes only when the server looks for them much later. */
  #closeWithProcess(connection: Connection): void {
    const { world } = this.#server;
    const linger = world.random.chance(0.3);
    this.#process.onDeath.push(() => {
      world.after(linger ? 60_000 : world.random.between(0, 5), () => {
        connection.endedByOthers = true;
        this.#server.close(connection);
      });
    });
  }
}

/** The number of log entries that a position stands for. */
export function indexOf(position: string): number {
  return Number(position.slice(position.indexOf(":") + 1));
}

class SimView implements HomeView {
  readonly server: SimServer;
  readonly process: SimProcess;
  readonly connection: Connection | undefined;

  constructor(server: SimServer, process: SimProcess, connection: Connection | undefined) {
    this.server = server;
    this.process = process;
    this.connection = connection;
  }

  serverUuid(): Promise<string> {
    return this.ask(() => `u-${this.server.name}`);
  }

  executed(): Promise<string> {
    return this.ask(() => this.server.executed());
  }

  holders(): Promise<readonly LockHolder[]> {
    return this.ask(() =>
      this.server
        .holders()
        .filter((holder) => holder !== this.connection)
        .map((holder) => ({
          connectionId: holder.id,
          user: "app",
          host: "sim",
          tables: [TABLE],
          idle: holder.buffer !== undefined,
          waits: false,
          writes: true,
          seconds: 0,
          identity: holder.id,
          by: "transaction",
          ours: false,
          role: "",
          statement: "",
          program: "",
          client: "",
        })),
    );
  }

  closedBy(): Promise<readonly string[]> {
    return this.ask(() => []);
  }

  standstill(): Promise<string | undefined> {
    return Promise.resolve(undefined);
  }

  autoIncrementSettings(): Promise<{ readonly increment: string; readonly offset: string }> {
    return this.ask(() => ({ increment: "1", offset: "1" }));
  }

  fences(): Promise<readonly LastingFence[]> {
    return this.ask(() =>
      this.server.fence === undefined ? [] : [{ table: TABLE, token: this.server.fence, complete: true }],
    );
  }

  connectionsOf(bootNonces: readonly string[]): Promise<readonly string[]> {
    return this.ask(() =>
      [...this.server.connections.values()]
        .filter((connection) => connection.nonce !== undefined && bootNonces.includes(connection.nonce))
        .map((connection) => connection.id),
    );
  }

  async ask<T>(read: () => T): Promise<T> {
    const { world } = this.server;
    await this.process.gate();
    await world.delay(world.random.between(0.1, 0.6));
    if (this.connection?.open === false) throw lost();
    const value = read();
    await world.delay(world.random.between(0.1, 0.6));
    await this.process.gate();
    return value;
  }
}

class SimSession extends SimView implements HomeSession {
  readonly lost: AbortSignal;
  readonly #own: Connection;
  /** The proxies whose connections are being ended, by nonce. */
  readonly #calledFor = new Map<string, CalledFor>();

  constructor(server: SimServer, process: SimProcess, connection: Connection) {
    super(server, process, connection);
    this.#own = connection;
    const gone = new AbortController();
    this.lost = gone.signal;
    if (!connection.open) gone.abort();
    connection.onClose.push(() => void process.gate().then(() => gone.abort()));
  }

  async lock(_mode: "write" | "read", pendingMs: number): Promise<boolean> {
    const asked = await this.ask(() => ({ granted: this.server.lock(this.#own, pendingMs) }));
    const granted = await asked.granted;
    await this.process.gate();
    if (!this.#own.open) throw lost();
    return granted;
  }

  async prove(): Promise<void> {
    await this.ask(() => undefined);
  }

  async unlock(): Promise<void> {
    await this.ask(() => this.server.unlock(this.#own));
  }

  async installFences(token: string): Promise<void> {
    await this.ask(() => {
      if (this.server.fence === token) return;
      if (this.server.lockOwner !== this.#own) throw new Error("the fence is put up without the lock");
      this.server.fence = token;
      this.server.guarded = false;
      this.server.append({ origin: "ours", writes: [] });
    });
  }

  async installGuards(token: string): Promise<void> {
    await this.ask(() => {
      this.server.guard = this.#own;
      this.server.guardOf = token;
      this.server.guarded = true;
      this.server.append({ origin: "ours", writes: [] });
    });
    await this.ask(() => {
      this.server.fence = undefined;
      this.server.append({ origin: "ours", writes: [] });
    });
  }

  async liftGuard(): Promise<void> {
    await this.ask(() => {
      if (this.server.guard === this.#own) this.server.guard = undefined;
    });
  }

  removeGuards(): Promise<boolean> {
    return this.ask(() => {
      const gone = this.server.world.random.chance(0.8);
      if (gone) this.server.guarded = false;
      return gone;
    });
  }

  async dropFences(): Promise<void> {
    await this.ask(() => {
      this.server.fence = undefined;
      this.server.append({ origin: "ours", writes: [] });
    });
  }

  autoIncrements(): Promise<ReadonlyMap<string, bigint>> {
    return this.ask(() => new Map([[TABLE, BigInt(this.server.nextId)]]));
  }

  autoIncrementLimits(): Promise<ReadonlyMap<string, bigint>> {
    return this.ask(() => new Map([[TABLE, 2n ** 63n]]));
  }

  async raiseAutoIncrement(_table: string, value: bigint): Promise<void> {
    await this.ask(() => {
      this.server.nextId = Math.max(this.server.nextId, Number(value));
      this.server.append({ origin: "ours", writes: [] });
    });
  }

  override async connectionsOf(bootNonces: readonly string[]): Promise<readonly string[]> {
    const { listed } = this.process;
    for (const nonce of bootNonces) {
      if (this.#calledFor.has(nonce)) continue;
      // Of two lists that were asked for together, the one that was made last can be heard of first.
      const lacking = listed.filter(({ lacks }) => lacks(nonce));
      this.#calledFor.set(nonce, { at: Math.max(0, ...lacking.map(({ at }) => at)), missing: lacking.length > 0 });
    }
    const ids = await super.connectionsOf(bootNonces);
    if (ids.length === 0) for (const nonce of bootNonces) this.#calledFor.delete(nonce);
    return ids;
  }

  async kill(connectionIds: readonly string[]): Promise<readonly string[]> {
    await this.ask(() => {
      for (const id of connectionIds) {
        const connection = this.server.connections.get(id);
        if (connection === undefined) continue;
        const calledFor = this.#calledFor.get(connection.nonce ?? "");
        if (calledFor !== undefined) connection.calledFor = calledFor;
        this.server.close(connection);
      }
    });
    return connectionIds;
  }

  /** One that sees nothing takes no time: what a seed decides is the same with it and without. */
  async waitingDdl(): Promise<readonly WaitingDdl[]> {
    await this.process.gate();
    if (this.connection?.open === false) throw lost();
    if (this.server.waitingDdl().length === 0) return [];
    return await this.ask(() =>
      this.server.waitingDdl().map(({ id }) => ({
        connectionId: id,
        user: "dba",
        host: "sim",
        seconds: 0,
        statement: "ALTER TABLE",
        program: "",
        client: "",
      })),
    );
  }

  /** Whose statement is interrupted does nothing more here. */
  interrupt(connectionIds: readonly string[]): Promise<void> {
    return this.kill(connectionIds).then(() => undefined);
  }

  renameTables(): Promise<void> {
    throw new Error("not simulated");
  }

  dropTables(): Promise<void> {
    throw new Error("not simulated");
  }

  dropEmptySchemas(): Promise<readonly string[]> {
    throw new Error("not simulated");
  }

  async close(): Promise<void> {
    await this.process.gate();
    this.server.close(this.#own);
  }
}

function lost(): SwitchyardError {
  return new SwitchyardError("CUTOVER_SESSION_LOST", { what: "the simulated session was lost" });
}
