import { isSwitchyardError, messageOf } from "../base/errors.ts";
import { COM } from "../wire/capabilities.ts";
import type { ErrPacket } from "../wire/err-packet.ts";
import type { BackendConnection } from "./backend-connection.ts";
import { dialBackend, loginBackend } from "./backend-login.ts";
import { backendLost, backendUnreachable, notSupported } from "./client-errors.ts";
import type { Applicant } from "./client-login.ts";
import { SERVER_UUID } from "./reached-servers.ts";
import type { SessionContext } from "./session-context.ts";
import type { SessionSettings } from "./session-settings.ts";

/** A backend of one session, and how much of the session's state it has been told. */
export interface SessionBackend {
  readonly name: string;
  readonly connection: BackendConnection;
  /** Serial of the settings that it knows. */
  settings: number;
  schema: string | undefined;
  /** The last COM_SET_OPTION that it got. */
  option: number | undefined;
}

/** The state that every backend of a session must have before it gets a statement. */
export interface SharedState {
  readonly settings: SessionSettings;
  readonly schema: string | undefined;
  readonly option: number | undefined;
}

/** The connections of one session: at most one for each backend. */
export class SessionBackends {
  readonly #context: SessionContext;
  readonly #onClosed: (backend: SessionBackend, reason: string) => void;
  readonly #open = new Map<string, SessionBackend>();
  readonly #opening = new Map<string, Promise<ErrPacket | undefined>>();
  #closed = false;

  constructor(context: SessionContext, onClosed: (backend: SessionBackend, reason: string) => void) {
    this.#context = context;
    this.#onClosed = onClosed;
  }

  get(name: string): SessionBackend | undefined {
    return this.#open.get(name);
  }

  /** Whether statements may leave a transaction open: some connection does not commit by itself. */
  get mayOpen(): boolean {
    for (const { connection } of this.#open.values()) if (!connection.autocommits) return true;
    return false;
  }

  get all(): readonly SessionBackend[] {
    return [...this.#open.values()];
  }

  /** Takes a connection that has just logged in and knows the session's state. */
  install(connection: BackendConnection, state: { settings: number; schema: string | undefined }): SessionBackend {
    const backend: SessionBackend = { name: connection.name, connection, option: undefined, ...state };
    this.#open.set(connection.name, backend);
    this.#context.metrics.backendOpened(connection.name, 1);
    void connection.closed.then((reason) => {
      this.#context.metrics.backendOpened(connection.name, -1);
      if (this.#open.get(connection.name) === backend) this.#open.delete(connection.name);
      if (!this.#closed) this.#onClosed(backend, reason);
    });
    return backend;
  }

  /**
   * Logs the client's account in to a further backend and tells it the session's state. Whoever asks while that is
   * under way waits for the same login. Answers what the client must be told where it fails.
   */
  open(name: string, applicant: () => Applicant, state: () => SharedState): Promise<ErrPacket | undefined> {
    if (this.#open.has(name)) return Promise.resolve(undefined);
    let opening = this.#opening.get(name);
    if (opening === undefined) {
      opening = this.#login(name, applicant, state).finally(() => this.#opening.delete(name));
      this.#opening.set(name, opening);
    }
    return opening;
  }

  /**
   * The next thing that `backend` must be told before it has this state; undefined when it has, or has it as far as the
   * session knows it: see {@link SessionSettings.unreadElsewhere}.
   */
  bringUpToDate(backend: SessionBackend, state: SharedState): Promise<ErrPacket | undefined> | undefined {
    if (!this.isBehind(backend, state)) return undefined;
    const { settings } = state;
    const waits = backend.settings !== settings.serial && settings.reachedFrom(backend.settings) === backend.settings;
    return waits && !this.#lacksOther(backend, state) ? undefined : this.#tell(backend, state);
  }

  /** Whether `backend` must be told something before it has this state. */
  isBehind(backend: SessionBackend, state: SharedState): boolean {
    return backend.settings !== state.settings.serial || this.#lacksOther(backend, state);
  }

  #lacksOther(backend: SessionBackend, state: SharedState): boolean {
    return backend.option !== state.option || (state.schema !== undefined && backend.schema !== state.schema);
  }

  /** Ends transactions that are still open, says goodbye, and waits until the servers have closed. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.all.map(({ connection }) => leave(connection)));
  }

  /** Leaves all servers but one: what the connections know is of an account that is no longer the session's. */
  async closeOthers(name: string): Promise<void> {
    await Promise.all(this.all.filter((one) => one.name !== name).map(({ connection }) => leave(connection)));
  }

  destroy(reason: string): void {
    this.#closed = true;
    for (const { connection } of this.all) connection.destroy(reason);
  }

  async #login(name: string, applicant: () => Applicant, state: () => SharedState): Promise<ErrPacket | undefined> {
    const { backends, limits, log, bootNonce } = this.#context;
    const address = backends[name];
    if (address === undefined) return notSupported(`the rules name backend "${name}", which this proxy does not know`);
    try {
      const { resets } = state().settings;
      const dialed = await dialBackend(address, limits.connectTimeoutMs);
      if ("refused" in dialed) return dialed.refused;
      const wishes = { bootNonce, database: undefined, timeoutMs: limits.loginTimeoutMs };
      const login = await loginBackend(dialed, applicant(), wishes);
      if ("refused" in login) return login.refused;
      const { connection } = login;
      const backend: SessionBackend = { name, connection, settings: 0, schema: undefined, option: undefined };
      const again = await this.#teach(backend, resets, state);
      return again === "reset" ? await this.#login(name, applicant, state) : again;
    } catch (error) {
      log.warn({ backend: name, error: messageOf(error) }, "a session could not log in to a backend");
      return backendUnreachable(name);
    }
  }

  /** Brings a connection that is new up to date and takes it; one that cannot be, in time, is closed. */
  async #teach(
    backend: SessionBackend,
    resets: number,
    state: () => SharedState,
  ): Promise<ErrPacket | undefined | "reset"> {
    const { connection, name } = backend;
    const { loginTimeoutMs } = this.#context.limits;
    const timer = setTimeout(() => connection.destroy("it did not take the session's state in time"), loginTimeoutMs);
    try {
      // Before its settings are told, under which a query could begin a transaction or answer with no row.
      const told = await connection.query(`SELECT ${SERVER_UUID}`);
      this.#context.servers.tells(connection, told.rows[0]?.[0]);
      if (state().settings.wasReset) await connection.own(Buffer.from([COM.RESET_CONNECTION]));
      for (;;) {
        if (this.#closed || state().settings.resets !== resets) {
          connection.destroy("the session has ended or was reset meanwhile");
          return this.#closed ? backendLost(name) : "reset";
        }
        const step = this.bringUpToDate(backend, state());
        if (step === undefined) break;
        const problem = await step;
        if (problem === undefined) continue;
        // Nothing of the client's own has been sent.
        if (connection.isLost) return backendUnreachable(name);
        await connection.quit();
        return problem;
      }
    } finally {
      clearTimeout(timer);
    }
    this.install(connection, { settings: backend.settings, schema: backend.schema }).option = backend.option;
    return undefined;
  }

  async #tell(backend: SessionBackend, state: SharedState): Promise<ErrPacket | undefined> {
    const { connection } = backend;
    const { option, schema } = state;
    const reached = state.settings.reachedFrom(backend.settings);
    const statements = state.settings.since(backend.settings);
    try {
      if (option !== undefined && backend.option !== option) {
        const answer = await connection.own(Buffer.from([COM.SET_OPTION, option & 0xff, option >> 8]));
        if (answer.error !== undefined) return answer.error;
      }
      backend.option = option;
      for (const statement of statements) {
        const answer = await connection.query(statement);
        if (answer.error !== undefined) return answer.error;
      }
      backend.settings = reached;
      if (schema !== undefined && backend.schema !== schema) {
        const answer = await connection.own(Buffer.concat([Buffer.from([COM.INIT_DB]), Buffer.from(schema, "utf8")]));
        if (answer.error !== undefined) return answer.error;
        backend.schema = schema;
      }
      return undefined;
    } catch (error) {
      if (isSwitchyardError(error, "PROXY_BACKEND_LOST")) return backendLost(backend.name);
      throw error;
    }
  }
}

/** A transaction is rolled back before the goodbye: the server would do it only after it has closed the socket. */
async function leave(connection: BackendConnection): Promise<void> {
  try {
    if (connection.inTransaction) await connection.rollBack();
  } catch {
    // The server rolls back when it has noticed.
    connection.destroy("its session has ended, and it takes no command");
  }
  await connection.quit();
}
