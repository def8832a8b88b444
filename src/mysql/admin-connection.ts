import type { Duplex } from "node:stream";
import mysql, { type ConnectionOptions, type Connection as Mysql2Connection } from "mysql2/promise";
import { deferred } from "../base/deferred.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import { ConnectionLost } from "./connection-lost.ts";
import type { Endpoint } from "./endpoint.ts";
import { MysqlError } from "./mysql-error.ts";
import { requiresTls, tlsOptions } from "./tls-options.ts";

export type AdminRow = Record<string, string | null>;

/** A value for a `?` in a statement; it is escaped into the text. */
export type AdminValue = string | number | bigint | null;

/** What a statement that returns no rows has done. */
export interface AdminOutcome {
  readonly affectedRows: number;
  readonly warnings: number;
}

export interface AdminOptions {
  readonly attributes?: Readonly<Record<string, string>>;
  readonly connectTimeoutMs?: number;
}

/**
 * A session for administrative statements: few rows, all values as the server's texts or null. It never turns a
 * value into a number or a date, which would lose digits.
 */
export interface AdminConnection {
  readonly threadId: number;
  readonly serverVersion: string;
  rows(sql: string, params?: readonly AdminValue[]): Promise<AdminRow[]>;
  exec(sql: string, params?: readonly AdminValue[]): Promise<AdminOutcome>;
  /** Calls `listener` once, when the session has ended by itself; at once if it has already. */
  onClose(listener: (reason: string) => void): void;
  /** Ends the session; one whose server does not close in time is cut. Never throws. */
  close(): Promise<void>;
  /** Cuts the connection at once; a statement that is under way rejects. The server may still carry it out. */
  destroy(): void;
}

/** Errors of mysql2 that are not the server's: the socket's, or its own about a connection that has ended. */
const ACCESS_ERRNOS: ReadonlySet<number> = new Set([1044, 1045, 1130, 1698, 1862, 3118, 3159, 3955, 4151]);
const CONNECT_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 1000;

/**
 * Opens an administrative session.
 *
 * @throws {SwitchyardError} `MYSQL_UNREACHABLE`, `MYSQL_ACCESS_DENIED`, `MYSQL_TLS_FAILED`, `MYSQL_SERVER_ERROR`
 */
export async function openAdmin(endpoint: Endpoint, options: AdminOptions = {}): Promise<AdminConnection> {
  const connection = await connectAs(endpoint, options);
  return new Mysql2Admin(endpoint, connection);
}

async function connectAs(endpoint: Endpoint, options: AdminOptions): Promise<Mysql2Connection> {
  const { mode } = endpoint.tls;
  const wanted = mode !== "disabled" && !endpoint.host.startsWith("/");
  try {
    return await mysql.createConnection(connectionOptions(endpoint, options, wanted));
  } catch (error) {
    const offersNone = wanted && !requiresTls(endpoint) && codeOf(error) === "HANDSHAKE_NO_SSL_SUPPORT";
    if (!offersNone) throw connectError(error, endpoint);
  }
  try {
    return await mysql.createConnection(connectionOptions(endpoint, options, false));
  } catch (error) {
    throw connectError(error, endpoint);
  }
}

function connectionOptions(endpoint: Endpoint, options: AdminOptions, tls: boolean): ConnectionOptions {
  const address = endpoint.host.startsWith("/")
    ? { socketPath: endpoint.host }
    : { host: endpoint.host, port: endpoint.port };
  const { servername: _servername, ...secure } = tlsOptions(endpoint) as Record<string, unknown>;
  return {
    ...address,
    user: endpoint.user,
    password: endpoint.password,
    charset: "utf8mb4",
    connectTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    connectAttributes: { program_name: "switchyard", ...options.attributes },
    // Without these mysql2 turns big numbers, dates and JSON into values of JavaScript.
    typeCast: (field) => field.string(),
    supportBigNumbers: true,
    bigNumberStrings: true,
    dateStrings: true,
    // It would load files that a server asks for.
    flags: ["-LOCAL_FILES", "FOUND_ROWS"],
    ...(tls ? { ssl: { ...secure, verifyIdentity: endpoint.tls.mode === "verify_identity" } } : {}),
  };
}

class Mysql2Admin implements AdminConnection {
  readonly #endpoint: Endpoint;
  readonly #connection: Mysql2Connection;
  readonly #stream: Duplex;
  readonly #listeners: ((reason: string) => void)[] = [];
  readonly #closed = deferred<void>();
  /** Those who wait for an answer: mysql2 does not tell them when a connection is cut. */
  readonly #waiting = new Set<(error: unknown) => void>();
  #ended: string | undefined;
  #closing = false;

  constructor(endpoint: Endpoint, connection: Mysql2Connection) {
    this.#endpoint = endpoint;
    this.#connection = connection;
    connection.on("error", (error) => this.#end(messageOf(error)));
    this.#stream = (connection as unknown as { connection: { stream: Duplex } }).connection.stream;
    this.#stream.on("close", () => this.#end("the server closed the connection"));
  }

  get threadId(): number {
    return this.#connection.threadId;
  }

  get serverVersion(): string {
    const core = (this.#connection as unknown as { connection: { _handshakePacket?: { serverVersion?: string } } })
      .connection;
    return core._handshakePacket?.serverVersion ?? "";
  }

  async rows(sql: string, params: readonly AdminValue[] = []): Promise<AdminRow[]> {
    const result = await this.#run(sql, params);
    return Array.isArray(result) ? (result as AdminRow[]) : [];
  }

  async exec(sql: string, params: readonly AdminValue[] = []): Promise<AdminOutcome> {
    const result = await this.#run(sql, params);
    if (Array.isArray(result)) return { affectedRows: 0, warnings: 0 };
    const header = result as { affectedRows?: number; warningStatus?: number };
    return { affectedRows: header.affectedRows ?? 0, warnings: header.warningStatus ?? 0 };
  }

  onClose(listener: (reason: string) => void): void {
    if (this.#ended !== undefined) listener(this.#ended);
    else this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.#ended !== undefined) return;
    const timer = setTimeout(() => this.destroy(), CLOSE_TIMEOUT_MS);
    this.#connection.end().catch(() => this.destroy());
    await this.#closed.promise;
    clearTimeout(timer);
  }

  destroy(): void {
    this.#closing = true;
    this.#connection.destroy();
    this.#end("cut by us");
  }

  async #run(sql: string, params: readonly AdminValue[]): Promise<unknown> {
    if (this.#ended !== undefined) throw new ConnectionLost(this.#endpoint.name, this.#ended, false);
    const values = params.map((value) => (typeof value === "bigint" ? value.toString() : value));
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.add(reject);
    this.#connection.query(sql, values).then(([result]) => resolve(result), reject);
    try {
      return await promise;
    } catch (error) {
      throw statementError(error, this.#endpoint);
    } finally {
      this.#waiting.delete(reject);
    }
  }

  #end(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    // What mysql2 does closes only our half, and waits for a server that may never do its part.
    this.#stream.destroy();
    this.#closed.resolve();
    for (const reject of this.#waiting) reject(new Error(reason));
    if (this.#closing) return;
    for (const listener of this.#listeners.splice(0)) listener(reason);
  }
}

/** Fields of the errors that mysql2 throws. */
interface Mysql2Error {
  readonly code?: string;
  readonly errno?: number;
  readonly sqlState?: string;
  readonly sqlMessage?: string;
  readonly message: string;
}

function codeOf(error: unknown): string | undefined {
  return (error as Mysql2Error).code;
}

function serverError(error: unknown): { errno: number; sqlState: string; message: string } | undefined {
  const { errno, sqlState, sqlMessage, message } = error as Mysql2Error;
  if (typeof errno !== "number" || errno <= 0 || sqlState === undefined) return undefined;
  return { errno, sqlState, message: sqlMessage ?? message };
}

function statementError(error: unknown, endpoint: Endpoint): SwitchyardError {
  const said = serverError(error);
  if (said !== undefined) return new MysqlError(said, endpoint.name, "a statement");
  return new ConnectionLost(endpoint.name, messageOf(error), true);
}

function connectError(error: unknown, endpoint: Endpoint): SwitchyardError {
  const said = serverError(error);
  if (said !== undefined) {
    const denied = ACCESS_ERRNOS.has(said.errno);
    const fix = "Check user and password in the configuration, and that the account may connect from this machine.";
    const doing = `the login of user "${endpoint.user}"`;
    if (denied) return new MysqlError(said, endpoint.name, doing, "MYSQL_ACCESS_DENIED", fix);
    return new MysqlError(said, endpoint.name, doing);
  }
  const code = codeOf(error) ?? "";
  if (code === "HANDSHAKE_NO_SSL_SUPPORT") {
    return new SwitchyardError("MYSQL_TLS_UNAVAILABLE", {
      what: `server "${endpoint.name}" offers no TLS, and its TLS mode is ${endpoint.tls.mode}`,
      changed: "The password was not sent.",
      fix: "Give the server a certificate, or allow connections without TLS with the mode `preferred`.",
    });
  }
  const tls = code === "HANDSHAKE_SSL_ERROR" || /CERT|SSL|TLS|SELF_SIGNED|ALTNAME/.test(code);
  return new SwitchyardError(tls ? "MYSQL_TLS_FAILED" : "MYSQL_UNREACHABLE", {
    what: `server "${endpoint.name}" at ${endpoint.host}:${endpoint.port} cannot be reached`,
    details: [messageOf(error)],
    fix: tls
      ? "Check the certificate authority and the name in the server's certificate."
      : "Check that the server runs, its address in the configuration, and the network between.",
    cause: error,
  });
}
