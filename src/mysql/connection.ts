import { assert } from "../base/assert.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import { CAP, COM, STATUS } from "../wire/capabilities.ts";
import { SESSIONS_SQL, type ServerSessions, watchAnswers } from "./answer-watch.ts";
import {
  BinlogDumpReply,
  type BinlogDumpRequest,
  dumpCommand,
  dumpPreparation,
  type EventSink,
} from "./binlog-dump.ts";
import { CommandQueue } from "./command-queue.ts";
import type { CompressionWord } from "./compression-choice.ts";
import type { Endpoint } from "./endpoint.ts";
import { sendChunks } from "./load-local.ts";
import { type LoginFacts, login } from "./login.ts";
import { PacketLink, type Payload } from "./packet-link.ts";
import { QueryReply } from "./query-reply.ts";
import type { OkFacts, QueryResult, RowSink } from "./result.ts";
import { SegmentReply, type SegmentSink } from "./segment-reply.ts";
import { StreamReply } from "./stream-reply.ts";

export interface ConnectOptions {
  readonly database?: string;
  /** Told to the server, and seen in its `performance_schema.session_connect_attrs`. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Affected rows count the rows found, not only those changed. */
  readonly foundRows?: boolean;
  /** Whether {@link Connection.loadLocal} will be used; the server may not ask for a file otherwise. */
  readonly localInfile?: boolean;
  readonly multiStatements?: boolean;
  /** Default true. */
  readonly deprecateEof?: boolean;
  /** Results tell what changed in the session. */
  readonly sessionTrack?: boolean;
  readonly connectTimeoutMs?: number;
  /**
   * An answer that is owed for this long, with nothing moving, is asked after on another connection, and this one ends
   * where the server no longer works on it. Otherwise it may be waited for until TCP gives up, or for ever.
   */
  readonly answerQuietMs?: number;
  readonly signal?: AbortSignal;
}

const CONNECT_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 2000;
const QUERY = Buffer.from([COM.QUERY]);

const CAPABILITIES =
  CAP.LONG_PASSWORD |
  CAP.LONG_FLAG |
  CAP.PROTOCOL_41 |
  CAP.TRANSACTIONS |
  CAP.SECURE_CONNECTION |
  CAP.MULTI_RESULTS |
  CAP.PS_MULTI_RESULTS |
  CAP.PLUGIN_AUTH |
  CAP.PLUGIN_AUTH_LENENC |
  CAP.CONNECT_ATTRS;

/**
 * One session on a server, for work that moves many rows: results can be streamed as raw packets, files loaded from
 * memory, the binary log followed. Values are never decoded.
 *
 * Statements may be sent without waiting for earlier ones; they run and answer in order. When the connection ends,
 * each unanswered one rejects with a {@link ConnectionLost} that says whether it had been sent. No event of the
 * socket is ever thrown.
 */
export class Connection {
  readonly #link: PacketLink;
  readonly #queue: CommandQueue;
  readonly #endpoint: Endpoint;
  readonly #facts: LoginFacts;
  #dumping = false;
  #closing = false;
  #serverUuid = "";

  private constructor(link: PacketLink, endpoint: Endpoint, facts: LoginFacts) {
    this.#link = link;
    this.#endpoint = endpoint;
    this.#facts = facts;
    this.#queue = new CommandQueue(link, endpoint.name, facts.capabilities, facts.status);
  }

  /**
   * Connects and logs in.
   *
   * @throws {SwitchyardError} `MYSQL_UNREACHABLE`, `MYSQL_ACCESS_DENIED`, `MYSQL_TLS_UNAVAILABLE`, `MYSQL_TLS_FAILED`,
   *   `MYSQL_COMPRESSION_UNAVAILABLE`, `MYSQL_AUTH_METHOD_UNKNOWN`, `MYSQL_SERVER_ERROR`, `CANCELLED`
   */
  static async connect(endpoint: Endpoint, options: ConnectOptions = {}): Promise<Connection> {
    const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
    let link: PacketLink | undefined;
    const onAbort = (): void => link?.end("connecting took too long or was given up");
    try {
      link = await PacketLink.dial(endpoint.host, endpoint.port, signal);
      signal.addEventListener("abort", onAbort, { once: true });
      const facts = await login(link, endpoint, {
        capabilities: wantedCapabilities(options),
        database: options.database,
        attributes: new Map(Object.entries({ program_name: "switchyard", ...options.attributes })),
      });
      const connection = new Connection(link, endpoint, facts);
      if (options.answerQuietMs !== undefined) {
        connection.#serverUuid = await serverUuidOf(connection);
        watchAnswers(connection, options.answerQuietMs, askOf(endpoint));
      }
      return connection;
    } catch (error) {
      link?.end(messageOf(error));
      throw connectError(error, endpoint, options.signal, timeout.aborted ? timeoutMs : undefined);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  get threadId(): number {
    return this.#facts.greeting.threadId;
  }

  /** `server_uuid` of the server behind this session. Known where answers are asked after, empty otherwise. */
  get serverUuid(): string {
    return this.#serverUuid;
  }

  get serverVersion(): string {
    return this.#facts.greeting.serverVersion;
  }

  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  get tls(): boolean {
    return this.#facts.tls;
  }

  get compression(): CompressionWord {
    return this.#facts.compression;
  }

  /** Status flags of the last answer that carried any. */
  get lastStatus(): number {
    return this.#queue.lastStatus;
  }

  get inTransaction(): boolean {
    return (this.lastStatus & STATUS.IN_TRANS) !== 0;
  }

  /** Settles with the reason once the connection has ended, however it did. */
  get closed(): Promise<string> {
    return this.#link.closed;
  }

  /** Whether an answer is owed: what is sent now waits behind it. */
  get isBusy(): boolean {
    return this.#queue.busy;
  }

  /** For how long an answer has been owed with nothing moving; 0 for a dump, which sees to that itself. */
  get owedMs(): number {
    return this.#queue.busy && !this.#dumping ? this.#link.stillMs : 0;
  }

  /** Ends the connection because its answer will not come; statements under way reject with `reason`. */
  abandon(reason: string): void {
    this.#link.end(reason);
  }

  get isClosed(): boolean {
    return this.#link.ended;
  }

  /** Runs one statement and collects its rows. */
  query(sql: string | Buffer): Promise<QueryResult> {
    return handled(this.queryMulti(sql).then(firstOf));
  }

  /**
   * Runs several statements sent as one text (with `multiStatements`), and collects the result of each. The server
   * stops at the first that fails; the {@link StatementError} then carries the results before it. Several buffers are
   * one text; buffers stay as they are until the answer is there.
   */
  queryMulti(sql: string | Payload): Promise<QueryResult[]> {
    const reply = new QueryReply();
    this.#queue.add(queryCommand(sql), reply);
    return reply.done;
  }

  /** Rows as UTF-8 texts by column name. */
  rows(sql: string): Promise<Record<string, string | null>[]> {
    return handled(this.queryMulti(sql).then(firstOf).then(textRows));
  }

  /** The first row, as {@link rows} gives it; nothing where there is none. */
  one(sql: string): Promise<Record<string, string | null> | undefined> {
    return handled(this.rows(sql).then((rows) => rows[0]));
  }

  /** Runs one statement and hands its raw rows to `sink` as they come. */
  stream(sql: string | Buffer, sink: RowSink): Promise<OkFacts> {
    const reply = new StreamReply(sink);
    this.#queue.add(queryCommand(sql), reply);
    return reply.done;
  }

  /**
   * Like {@link stream}, but rows come as whole runs of packets with their headers, as they were on the wire, which
   * costs a fraction. For statements with one result set.
   */
  streamSegments(sql: string | Buffer, sink: SegmentSink): Promise<OkFacts> {
    const reply = new SegmentReply(sink);
    this.#queue.add(queryCommand(sql), reply, true);
    return reply.done;
  }

  /**
   * Runs a `LOAD DATA LOCAL INFILE` whose file is `chunks`; its name in the statement means nothing. The connection
   * must have been made with `localInfile`. When `chunks` throws, so does this, and the connection has ended.
   */
  loadLocal(sql: string | Buffer, chunks: AsyncIterable<Buffer>): Promise<QueryResult> {
    const reply = new QueryReply(sendChunks(chunks));
    this.#queue.add(queryCommand(sql), reply, true);
    return handled(reply.done.then(firstOf));
  }

  /**
   * Follows the server's binary log. Resolves when {@link close} is called or the server ends the dump; the
   * connection can do nothing else afterwards. When no packet has come for two heartbeats, the connection ends.
   */
  binlogDump(request: BinlogDumpRequest, onEvent: EventSink): Promise<void> {
    return handled(this.#dump(request, onEvent));
  }

  async #dump(request: BinlogDumpRequest, onEvent: EventSink): Promise<void> {
    await this.query(dumpPreparation(request));
    const reply = new BinlogDumpReply(onEvent);
    this.#dumping = true;
    const watchdog = setInterval(() => {
      if (performance.now() - this.#link.lastPacketMs > 2 * request.heartbeatMs) {
        this.#link.end(`no heartbeat from the server for ${2 * request.heartbeatMs} ms`);
      }
    }, request.heartbeatMs / 2);
    this.#queue.add(dumpCommand(request), reply, true);
    try {
      await reply.done;
    } catch (error) {
      if (!this.#closing) throw error;
    } finally {
      clearInterval(watchdog);
      this.#link.end("the dump has ended");
    }
  }

  async ping(): Promise<void> {
    const reply = new QueryReply();
    this.#queue.add(Buffer.from([COM.PING]), reply);
    await reply.done;
  }

  /**
   * Ends the connection and waits until it has ended. An idle one says goodbye; one with statements under way is cut,
   * and these reject. Never throws.
   */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.#closing = true;
    if (this.#dumping || this.#queue.busy) this.#link.end("closed by us");
    else {
      this.#queue.quit();
      const timer = setTimeout(() => this.#link.end("closed by us"), CLOSE_TIMEOUT_MS);
      await this.closed;
      clearTimeout(timer);
    }
  }

  /** Cuts the connection at once. The server may still carry out what it has received. */
  destroy(): void {
    this.#closing = true;
    this.#link.end("cut by us");
  }
}

/** Asks the server about its sessions on a connection made for it. */
function askOf(endpoint: Endpoint): () => Promise<ServerSessions> {
  return async () => {
    const connection = await Connection.connect(endpoint);
    try {
      const serverUuid = await serverUuidOf(connection);
      return { serverUuid, own: connection.threadId, sessions: await connection.rows(SESSIONS_SQL) };
    } finally {
      connection.destroy();
    }
  };
}

async function serverUuidOf(connection: Connection): Promise<string> {
  const row = await connection.one("SELECT @@global.server_uuid AS uuid");
  return row?.["uuid"] ?? "";
}

/** A rejection that comes before the caller looks at it must not end the process. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function firstOf(results: readonly QueryResult[]): QueryResult {
  const [first] = results;
  assert(first !== undefined, "a statement that succeeds has a result");
  return first;
}

function textRows({ columns, rows }: QueryResult): Record<string, string | null>[] {
  return rows.map((row) =>
    Object.fromEntries(columns.map((column, index) => [column.name, row[index]?.toString("utf8") ?? null])),
  );
}

function queryCommand(sql: string | Payload): Payload {
  const texts = typeof sql === "string" ? [Buffer.from(sql, "utf8")] : Buffer.isBuffer(sql) ? [sql] : sql;
  return [QUERY, ...texts];
}

function wantedCapabilities(options: ConnectOptions): number {
  let wanted = CAPABILITIES;
  if (options.database !== undefined) wanted |= CAP.CONNECT_WITH_DB;
  if (options.foundRows === true) wanted |= CAP.FOUND_ROWS;
  if (options.localInfile === true) wanted |= CAP.LOCAL_FILES;
  if (options.multiStatements === true) wanted |= CAP.MULTI_STATEMENTS;
  if (options.sessionTrack === true) wanted |= CAP.SESSION_TRACK;
  if (options.deprecateEof !== false) wanted |= CAP.DEPRECATE_EOF;
  return wanted >>> 0;
}

/** Keeps what a login says; anything else means that the server could not be reached. */
function connectError(
  error: unknown,
  endpoint: Endpoint,
  signal: AbortSignal | undefined,
  timedOutMs: number | undefined,
): SwitchyardError {
  if (signal?.aborted === true) {
    return new SwitchyardError("CANCELLED", {
      what: `connecting to server "${endpoint.name}" was given up`,
      cause: error,
    });
  }
  const about = error instanceof SwitchyardError && !["CANCELLED", "MYSQL_CONNECTION_LOST"].includes(error.code);
  if (about) return error;
  return new SwitchyardError("MYSQL_UNREACHABLE", {
    what: `server "${endpoint.name}" at ${endpoint.host}:${endpoint.port} cannot be reached`,
    details: [timedOutMs === undefined ? messageOf(error) : `no answer within ${timedOutMs} ms`],
    fix: "Check that the server runs, its address in the configuration, and the network between.",
    cause: error,
  });
}
