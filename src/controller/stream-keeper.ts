import { endsWithin } from "../base/deadline.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import type { Pace } from "../base/pace.ts";
import { parseTableKey } from "../base/table-name.ts";
import type { Direction, MigrationDocument, StreamPause } from "../cutover/migration-document.ts";
import type { StreamHealth, StreamPort } from "../cutover/ports.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { ERRNO, isMysqlError } from "../mysql/mysql-error.ts";
import { commitsStandStill } from "../mysql/standstill.ts";
import type { CarriedDdl } from "../replication/ddl-carrier.ts";
import { closeLedger, retireLedger } from "../replication/ledger.ts";
import { sealLedger, unsealLedger } from "../replication/ledger-seal.ts";
import { requireServer, serverUuid } from "../replication/server-identity.ts";
import { ensureSidecar } from "../replication/sidecar-format.ts";
import { writeStartPosition } from "../replication/start-position.ts";
import { Stream } from "../replication/stream.ts";
import type { StreamStatus } from "../replication/stream-status.ts";
import type { OnDdl } from "../rules/on-ddl.ts";
import { type ControllerContext, endpointOf } from "./controller-context.ts";

/** Row locks of a seal that the server does not commit would keep the unsealing waiting for most of a minute. */
const UNSEAL_MS_MAX = 5000;

/** What the owner of a stream hears of it, and how fast it lets its copy go. */
export interface StreamKeeperEvents {
  readonly pace: Pace;
  /** The replica that the copy reads from, if any. */
  readonly readFrom: () => Endpoint | undefined;
  /** Who has paused the stream, if anybody has. */
  readonly paused: (direction: Direction) => StreamPause | undefined;
  /** The stream has stopped at something that a person must look at. */
  failed(direction: Direction, error: unknown): void;
  /** What becomes of DDL on the tables. */
  readonly onDdl: () => OnDdl;
  /** The DDL that the stream may go on after, if somebody has said so. */
  readonly afterDdl: (direction: Direction) => string | undefined;
  /** DDL was applied or passed over; it is recorded once this has resolved. */
  ddlSeen(direction: Direction, ddl: CarriedDdl): Promise<void>;
  /** Rows were not as expected; what found it is committed once this has resolved. */
  drifted(direction: Direction): Promise<void>;
}

/** Rows that were not as expected, and DDL of others, since the stream was opened. */
export interface Surprises {
  readonly drift: number;
  readonly ddl: number;
}

/**
 * Keeps the one stream of a direction: opens it, closes it, and opens a new one where the ledger must be claimed
 * anew. It is the switch's view of the stream as well.
 */
export class StreamKeeper implements StreamPort {
  readonly #context: ControllerContext;
  readonly #document: MigrationDocument;
  readonly #direction: Direction;
  readonly #source: Endpoint;
  readonly #target: Endpoint;
  readonly #events: StreamKeeperEvents;
  #stream: Stream | undefined;
  /** One that counts as closed and has its connections still. */
  #left: Stream | undefined;
  #ended: Promise<void> = Promise.resolve();
  #token: string | undefined;
  #failure: string | undefined;
  /** A connection to the server that the stream writes to, ready for what a switch has to do there. */
  #spare: Connection | undefined;
  #verified: Surprises = { drift: 0, ddl: 0 };

  constructor(
    context: ControllerContext,
    document: MigrationDocument,
    direction: Direction,
    events: StreamKeeperEvents,
  ) {
    const [from, to] =
      direction === "forward" ? [document.source, document.target] : [document.target, document.source];
    this.#context = context;
    this.#document = document;
    this.#direction = direction;
    this.#source = endpointOf(context, from);
    this.#target = endpointOf(context, to);
    this.#events = events;
  }

  get isOpen(): boolean {
    return this.#stream !== undefined;
  }

  get stream(): Stream | undefined {
    return this.#stream;
  }

  status(): StreamStatus | undefined {
    return this.#stream?.status();
  }

  /** Opens the stream; `token` names the start position of one that never copies. Does nothing where it is open. */
  open(token: string | undefined): void {
    if (this.#stream !== undefined) return;
    this.#token = token;
    this.#failure = undefined;
    this.#verified = { drift: 0, ddl: 0 };
    const afterDdl = this.#events.afterDdl(this.#direction);
    const stream = new Stream({
      migration: this.#document.id,
      direction: this.#direction,
      source: this.#source,
      target: this.#target,
      servers: this.#servers(),
      tables: this.#document.tables.map(parseTableKey),
      ...(this.#document.mappings === undefined ? {} : { mappings: this.#document.mappings }),
      ...(token === undefined ? {} : { startToken: token }),
      copyCycleMaxMs: this.#context.limits.copyCycleMaxSeconds * 1000,
      limits: {
        runwayWarnMs: this.#context.limits.runwayWarnSeconds * 1000,
        runwayStopMs: this.#context.limits.runwayStopSeconds * 1000,
      },
      clock: this.#context.clock,
      log: this.#context.log.child({ migration: this.#document.id, stream: this.#direction }),
      failpoint: this.#context.failpoint,
      pace: this.#events.pace,
      ...(this.#direction === "forward" ? { readFrom: this.#events.readFrom } : {}),
      onDdl: this.#events.onDdl,
      ...(afterDdl === undefined ? {} : { afterDdl }),
      onDdlSeen: (ddl) => this.#events.ddlSeen(this.#direction, ddl),
      onDrift: () => this.#events.drifted(this.#direction),
    });
    this.#stream = stream;
    this.#ended = stream.run().catch((error: unknown) => {
      if (this.#stream !== stream) return;
      this.#stream = undefined;
      this.#failure = messageOf(error);
      this.#events.failed(this.#direction, error);
    });
  }

  /** Logs in ahead of a switch to where the stream writes: during a hold every client would wait for a login. */
  async warm(): Promise<void> {
    if (this.#spare?.isClosed !== false) this.#spare = await Connection.connect(this.#target);
  }

  /** Gives up what {@link warm} has opened. */
  async cool(): Promise<void> {
    const spare = this.#spare;
    this.#spare = undefined;
    await spare?.close();
  }

  /** Ends the stream in this process; its ledger stays as it is. */
  async close(): Promise<void> {
    this.#leave();
    const stream = this.#left;
    this.#left = undefined;
    await stream?.close();
    await this.#ended;
  }

  /** The stream counts as closed; it has its connections until {@link close}. */
  #leave(): void {
    this.#left = this.#stream ?? this.#left;
    this.#stream = undefined;
  }

  /** Drift and DDL seen so far, to be given to {@link markVerified} by a diff that begins now. */
  surprises(): Surprises {
    const status = this.#stream?.status();
    return { drift: status?.drift ?? 0, ddl: status?.ddl ?? 0 };
  }

  /** Whether there was drift or DDL that no diff has looked at since. */
  get isSurprised(): boolean {
    const { drift, ddl } = this.surprises();
    return drift !== this.#verified.drift || ddl !== this.#verified.ddl;
  }

  /**
   * A clean diff has been made: drift and DDL are counted from what there was when it began. What came while it ran
   * may concern tables that it had compared already.
   */
  markVerified(before: Surprises): void {
    this.#verified = before;
  }

  health(): Promise<StreamHealth> {
    const status = this.#stream?.status();
    if (status === undefined) {
      const paused = this.#events.paused(this.#direction);
      const failed = this.#failure === undefined ? {} : { error: this.#failure };
      return Promise.resolve({
        state: this.#failure !== undefined ? "failed" : paused === undefined ? "closed" : "paused",
        lagMs: Number.POSITIVE_INFINITY,
        drift: 0,
        ddl: 0,
        ...failed,
        ...(paused === undefined ? {} : { paused: { by: paused.by, reason: paused.reason } }),
      });
    }
    return Promise.resolve({
      state: status.state,
      lagMs: status.lagMs,
      drift: status.drift - this.#verified.drift,
      ddl: status.ddl - this.#verified.ddl,
      ...(status.error === undefined ? {} : { error: status.error }),
      ...(status.retrying === undefined ? {} : { retrying: status.retrying }),
      ...(status.waiting === undefined ? {} : { waiting: status.waiting }),
    });
  }

  async stopAt(position: string, options: { readonly timeoutMs: number }): Promise<void> {
    if (this.#stream === undefined) throw this.#notOpen();
    await this.#stream.stopAt(GtidSet.parse(position), options);
  }

  async seal(attempt: string): Promise<string> {
    const epoch = this.#stream?.epoch;
    if (epoch === undefined) throw this.#notOpen();
    const claim = { migration: this.#document.id, direction: this.#direction, epoch };
    // The seal alone keeps every applier out. That this one closes its connections nobody has to wait for: clients do.
    this.#leave();
    return (await this.#onTarget((connection) => sealLedger(connection, claim, attempt))).toString();
  }

  async resume(attempt: string, startToken: string | undefined): Promise<void> {
    // One that has claimed its ledger since it was opened was not sealed by this process, and no other runs this attempt up to
    // its seal. One that has not, such as one opened while a server was away, may stand before a seal.
    if (this.#stream?.epoch !== undefined) {
      this.#stream.continue();
      return;
    }
    await this.close();
    const name = { migration: this.#document.id, direction: this.#direction };
    await this.#onTarget(async (connection) => {
      const unsealed = (async () => {
        // What the attempt left may be of a controller of an older version, and so may the sidecar.
        await ensureSidecar(connection);
        await unsealLedger(connection, name, { attempt, startToken });
      })();
      if (await endsWithin(this.#context.clock, unsealed, UNSEAL_MS_MAX)) return await unsealed;
      connection.destroy();
      throw await this.#standingStill();
    });
    this.open(startToken);
  }

  /** Nobody knows by then whether the seal was set; the next settling takes it off. */
  async #standingStill(): Promise<SwitchyardError> {
    const { name } = this.#target;
    const connection = await Connection.connect(this.#target);
    try {
      const why = (await commitsStandStill(connection)) ?? `it has not answered for ${UNSEAL_MS_MAX} ms`;
      return new SwitchyardError("MYSQL_COMMITS_STAND_STILL", {
        what: `${name} keeps the attempt's last write into the stream's ledger waiting: ${why}`,
        changed: "The stream stands still; no client waits for it.",
        fix: "Make room on the server's disk; the rest is done by itself then.",
      });
    } finally {
      await connection.close();
    }
  }

  /** Raises the ledger's epoch, and ends the stream: whoever runs the migration may open it again. */
  async stop(): Promise<void> {
    const raise = this.#onTarget(async (connection) => {
      requireServer("target", this.#servers().target, await serverUuid(connection));
      try {
        await closeLedger(connection, this.#document.id, this.#direction);
      } catch (error) {
        // Where no sidecar is, nobody has ever applied.
        if (!isMysqlError(error, ERRNO.UNKNOWN_DATABASE, ERRNO.NO_SUCH_TABLE)) throw error;
      }
    });
    // Either way this process has none under way when it resolves or throws.
    const [raised] = await Promise.allSettled([raise, this.close()]);
    if (raised.status === "rejected") throw raised.reason;
  }

  async writeStart(token: string, position: string): Promise<void> {
    await this.#onTarget(async (connection) => {
      // The connection may be another one than the stream's own: where the address leads elsewhere, it is another server.
      requireServer("target", this.#servers().target, await serverUuid(connection));
      await writeStartPosition(connection, this.#document.id, this.#direction, token, GtidSet.parse(position));
    });
  }

  async start(token: string): Promise<void> {
    if (this.#stream !== undefined && this.#token === token) return;
    await this.close();
    this.open(token);
  }

  async retire(token: string | undefined): Promise<void> {
    await this.close();
    await this.#onTarget(async (connection) => {
      await ensureSidecar(connection);
      await retireLedger(connection, this.#document.id, this.#direction, token);
    });
  }

  #servers(): { readonly source: string; readonly target: string } {
    const { sourceUuid, targetUuid } = this.#document;
    return this.#direction === "forward"
      ? { source: sourceUuid, target: targetUuid }
      : { source: targetUuid, target: sourceUuid };
  }

  #notOpen(): SwitchyardError {
    const why = this.#failure === undefined ? "" : `: ${this.#failure}`;
    return new SwitchyardError("REPLICATION_LEDGER_TAKEN", {
      what: `the ${this.#direction} stream of migration "${this.#document.id}" is not open in this process any more${why}`,
    });
  }

  async #onTarget<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.#spare?.isClosed === false && !this.#spare.isBusy) return await work(this.#spare);
    const connection = await Connection.connect(this.#target);
    try {
      return await work(connection);
    } finally {
      await connection.close();
    }
  }
}
