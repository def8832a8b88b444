import type { BoundedQueue } from "../base/bounded-queue.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import type { FailpointHook } from "../base/failpoints.ts";
import type { Logger } from "../base/logger.ts";
import { formatGtid, type Gtid } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import { isMysqlError } from "../mysql/mysql-error.ts";
import type { QueryResult } from "../mysql/result.ts";
import type { DdlItem, IntakeItem, TransactionPiece } from "./intake.ts";
import { type LedgerClaim, ledgerTaken, ledgerUpdate, type NewestTransaction } from "./ledger.ts";
import { isRetryable } from "./retryable.ts";
import { RowBatch } from "./row-batch.ts";
import { RowEventsRefused, rowEventsStatement } from "./row-events.ts";
import type { ExpectedStatement } from "./row-renderer.ts";
import type { StreamGate } from "./stream-gate.ts";

/** So much of the keys of rows that were not as expected goes into the log. */
const KEYS_BYTES_MAX = 300;

export interface ApplierOptions {
  /** With several statements at once, counting rows found. */
  readonly connection: Connection;
  readonly claim: LedgerClaim;
  readonly gate: StreamGate;
  readonly queue: BoundedQueue<IntakeItem>;
  readonly limits: {
    readonly groupTransactionsMax: number;
    readonly groupBytesMax: number;
    readonly idlePositionMs: number;
    /** The target's `max_allowed_packet`. */
    readonly packetBytesMax: number;
  };
  readonly clock: Clock;
  readonly failpoint: FailpointHook;
  readonly log: Logger;
  readonly events: ApplierEvents;
  /** Does what is to be done about a statement of the tables, with no transaction open, and records it; nothing is applied behind it. */
  readonly carry: (item: DdlItem) => Promise<void>;
}

/** What the applier tells as it goes. */
export interface ApplierEvents {
  /** Begins with a transaction of this commit time; undefined when it has nothing at hand. */
  working(commitMicros: number | undefined): void;
  beat(number: number, commitMicros: number): void;
  done(piece: TransactionPiece | DdlItem): void;
  applied(transactions: number, rows: number): void;
  /** Rows were not as expected. The transaction that found it commits once this has resolved, and never if it rejects. */
  drift(rows: number): Promise<void>;
}

/**
 * Applies transactions in the order of the log, on one connection, each source transaction whole inside one target
 * transaction. While several wait they share one; alone, each has its own. The first statement of each target
 * transaction proves the epoch and records what it applies, so that data and position commit together or not at all.
 */
export class Applier {
  readonly #options: ApplierOptions;
  /** Of one group after the other: its room is used again. */
  readonly #logged = new RowBatch();
  #pending: TransactionPiece | DdlItem | undefined;
  /** Transactions are done with that the ledger does not have yet. */
  #dirty = false;
  #lastRecordedMs: number;
  #newest: NewestTransaction | undefined;

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#lastRecordedMs = options.clock.monotonicMs();
  }

  /** Applies until `until` says so between transactions, or the queue ends. Throws what made the queue fail. */
  async run(until: () => boolean): Promise<void> {
    const { queue, gate } = this.#options;
    while (!until()) {
      const item = this.#pending ?? (await queue.shift());
      if (item === undefined) return;
      if (item.kind === "tick") {
        await this.#recordIfIdle(false);
        continue;
      }
      this.#pending = item;
      if (gate.verdict(item.gtid, item.touches) === "hold") {
        this.#options.events.working(item.commitMicros);
        const change = gate.changed();
        await this.#recordIfIdle(true);
        if (gate.verdict(item.gtid, item.touches) === "hold" && !until()) await change;
        continue;
      }
      this.#pending = undefined;
      gate.setBusy(true);
      try {
        if (item.kind === "ddl") await this.#carry(item);
        else await this.#group(item);
      } finally {
        gate.setBusy(false);
      }
      this.#options.events.working(undefined);
      await this.#recordIfIdle(gate.stoppedAt);
    }
    await this.#recordIfIdle(true);
  }

  async #carry(item: DdlItem): Promise<void> {
    const { gate, events, carry } = this.#options;
    events.working(item.commitMicros);
    await carry(item);
    gate.done(item.gtid, item.touches);
    events.done(item);
    this.#recorded({ gtid: formatGtid(item.gtid), commitUs: BigInt(item.originalCommitMicros) });
    gate.settle();
  }

  /** One target transaction: `first` and what else waits and fits. */
  async #group(first: TransactionPiece): Promise<void> {
    const { queue, gate, limits, events } = this.#options;
    const group = new Group(this.#logged);
    events.working(first.commitMicros);
    let piece = first;
    for (;;) {
      // Inside of a transaction: what it has changed by row events goes before the statements that follow upon it.
      if (group.mustPrecede(piece)) await this.#send(group);
      group.add(piece);
      if (!piece.last) {
        if (group.bytes >= limits.groupBytesMax) await this.#send(group);
        piece = await this.#nextPiece();
        continue;
      }
      if (group.sent || group.bytes >= limits.groupBytesMax) break;
      if (group.pieces.length >= limits.groupTransactionsMax || queue.length === 0) break;
      const next = await queue.shift();
      if (next === undefined) break;
      if (next.kind === "tick") break;
      if (next.kind === "ddl") {
        this.#pending = next;
        break;
      }
      if (group.mustPrecede(next) || gate.verdict(next.gtid, next.touches, () => gtidsOf(group)) === "hold") {
        this.#pending = next;
        break;
      }
      piece = next;
    }
    await this.#commit(group);
  }

  async #nextPiece(): Promise<TransactionPiece> {
    for (;;) {
      const item = await this.#options.queue.shift();
      if (item === undefined) {
        throw new SwitchyardError("CANCELLED", { what: "the stream ended inside a transaction" });
      }
      if (item.kind === "piece") return item;
      // Inside of a transaction it is no definition, and stops the stream.
      if (item.kind === "ddl") await this.#options.carry(item);
    }
  }

  async #commit(group: Group): Promise<void> {
    const { connection, gate, failpoint, events } = this.#options;
    const writes = group.sent || group.bytes > 0;
    if (writes) {
      await this.#send(group);
      if (group.drift > 0) await this.#tellDrift(group);
      await failpoint("catch-up-before-commit");
      await connection.query("COMMIT");
      this.#recorded(newestOf(group));
    }
    for (const piece of group.pieces) {
      gate.done(piece.gtid, piece.touches);
      if (piece.beat !== undefined) events.beat(piece.beat, piece.commitMicros);
      events.done(piece);
    }
    this.#newest = newestOf(group);
    if (writes) {
      events.applied(group.pieces.filter(({ touches }) => touches === "all" || touches.size > 0).length, group.rows);
      await failpoint("catch-up-after-commit");
    } else {
      this.#dirty = true;
    }
    gate.settle();
  }

  /** Sends what the group has gathered; the first time, after the statements that every transaction begins with. */
  async #send(group: Group): Promise<void> {
    const { connection, claim, gate, limits } = this.#options;
    const head = group.sent ? "" : `BEGIN;${ledgerUpdate(claim, executedWith(gate, group), newestOf(group))};`;
    // Rows that come and go within the group leave no event.
    const logged = group.logged.take(secondsOf(group));
    const events = logged.length === 0 ? [] : [rowEventsStatement(logged)];
    // Row events come last: behind them a server does not say that the results of more statements follow.
    const sql = [Buffer.from(head, "latin1"), ...group.sql, ...events];
    const bytes = sql.reduce((sum, part) => sum + part.length, 0);
    if (bytes + 16 > limits.packetBytesMax) throw tooLarge(bytes, limits.packetBytesMax, group);
    let results: QueryResult[];
    try {
      results = bytes === 0 ? [] : await connection.queryMulti(sql);
    } catch (error) {
      if (!connection.isClosed) await connection.query("ROLLBACK").catch(() => undefined);
      if (!isMysqlError(error) || isRetryable(error)) throw error;
      // Whichever statement it was: with ordinary ones only, its row can be named.
      throw events.length === 0 ? refused(group, error) : new RowEventsRefused(gtidsOf(group), error);
    }
    if (!group.sent && results[1]?.affectedRows !== 1) {
      await connection.query("ROLLBACK");
      throw ledgerTaken(claim);
    }
    const offset = group.sent ? 0 : 2;
    for (const [i, expected] of group.expected.entries()) {
      const result = results[i + offset];
      if (result === undefined || result.warnings > 0) {
        await connection.query("ROLLBACK");
        throw altered(expected, group);
      }
      if (result.affectedRows !== expected.rows) this.#drifted(group, i, expected, result.affectedRows);
    }
    group.flushed();
  }

  /** Known before it is committed: a process that is killed right after would take it along. */
  async #tellDrift(group: Group): Promise<void> {
    const { connection, events } = this.#options;
    try {
      await events.drift(group.drift);
    } catch (error) {
      await connection.query("ROLLBACK").catch(() => undefined);
      throw error;
    }
  }

  #drifted(group: Group, index: number, expected: ExpectedStatement, found: number): void {
    const missed = Math.abs(expected.rows - found);
    group.drift += missed;
    const gtid = group.pieces.at(-1)?.gtid;
    this.#options.log.error(
      {
        table: expected.table,
        verb: expected.verb,
        expected: expected.rows,
        found,
        keys: group.keysOf(index),
        upTo: gtid === undefined ? "" : formatGtid(gtid),
      },
      "rows on the target were not as the stream left them",
    );
  }

  /** Records transactions that needed no write, when it is time, or `now`. */
  async #recordIfIdle(now: boolean): Promise<void> {
    const { clock, limits, connection, claim, gate } = this.#options;
    if (!this.#dirty) return;
    if (!now && clock.monotonicMs() - this.#lastRecordedMs < limits.idlePositionMs) return;
    const update = ledgerUpdate(claim, gate.executed.toString(), this.#newest);
    const results = await connection.queryMulti(`BEGIN;${update}`);
    if (results[1]?.affectedRows !== 1) {
      await connection.query("ROLLBACK");
      throw ledgerTaken(claim);
    }
    await connection.query("COMMIT");
    this.#recorded(this.#newest);
  }

  #recorded(newest: NewestTransaction | undefined): void {
    this.#newest = newest;
    this.#dirty = false;
    this.#lastRecordedMs = this.#options.clock.monotonicMs();
  }
}

/** The pieces of one target transaction that is being put together. */
class Group {
  readonly pieces: TransactionPiece[] = [];
  /** Empty when a group begins, and where it has been committed. */
  readonly logged: RowBatch;
  sql: Buffer[] = [];
  expected: ExpectedStatement[] = [];
  /** For each of {@link sql} how many of {@link expected} are in it and before it. */
  expectedThrough: number[] = [];
  bytes = 0;
  rows = 0;
  drift = 0;
  /** Something of it has been sent: its record in the ledger is fixed. */
  sent = false;

  constructor(logged: RowBatch) {
    this.logged = logged;
  }

  add(piece: TransactionPiece): void {
    if (piece.first) this.pieces.push(piece);
    if (piece.changes === undefined) return;
    for (const rows of piece.changes.logged) this.logged.add(rows);
    this.sql.push(piece.changes.sql);
    this.expected.push(...piece.changes.expected);
    this.expectedThrough.push(this.expected.length);
    this.bytes += piece.changes.sql.length + piece.changes.loggedBytes;
    this.rows += piece.changes.rows;
  }

  /** Within one sending statements come before row events: these of the group must be sent before the piece is added. */
  mustPrecede(piece: TransactionPiece): boolean {
    return this.logged.bytes > 0 && piece.changes?.behindLogged === true;
  }

  /** The keys of the rows that a statement was to find, as it names them; the first ones where there are many. */
  keysOf(index: number): string {
    const sql = this.sql[this.expectedThrough.findIndex((through) => index < through)];
    const { keysFrom = 0, keysTo = 0 } = this.expected[index] ?? {};
    return sql?.toString("utf8", keysFrom, Math.min(keysTo, keysFrom + KEYS_BYTES_MAX)) ?? "";
  }

  flushed(): void {
    this.sent = true;
    this.sql = [];
    this.expected = [];
    this.expectedThrough = [];
    this.bytes = 0;
  }
}

function newestOf(group: Group): NewestTransaction | undefined {
  const last = group.pieces.at(-1);
  return last === undefined ? undefined : { gtid: formatGtid(last.gtid), commitUs: BigInt(last.originalCommitMicros) };
}

function executedWith(gate: StreamGate, group: Group): string {
  return gate.executedWith(gtidsOf(group)).toString();
}

function gtidsOf(group: Group): readonly Gtid[] {
  return group.pieces.map((piece) => piece.gtid);
}

/** When the newest of the group was committed. */
function secondsOf(group: Group): number {
  return Math.floor((group.pieces.at(-1)?.commitMicros ?? 0) / 1_000_000);
}

function upTo(group: Group): string {
  const last = group.pieces.at(-1);
  return `transactions up to  ${last === undefined ? "" : formatGtid(last.gtid)}`;
}

function refused(group: Group, error: unknown): SwitchyardError {
  return new SwitchyardError("REPLICATION_ROW_REFUSED", {
    what: "the target refused a change that the source has made",
    details: [messageOf(error), upTo(group)],
    changed: "The transaction was rolled back on the target; all before it is applied.",
    fix: "Compare the tables' definitions and rows on both sides (a diff shows them); somebody may have written to the target.",
    cause: error,
  });
}

function altered(expected: ExpectedStatement, group: Group): SwitchyardError {
  return new SwitchyardError("REPLICATION_ROW_REFUSED", {
    what: `the target would have altered a value of ${expected.table} (${expected.verb}) instead of storing it`,
    details: [upTo(group)],
    changed: "The transaction was rolled back on the target; all before it is applied.",
    fix: "Compare the table's definition on both sides.",
  });
}

function tooLarge(bytes: number, max: number, group: Group): SwitchyardError {
  const tables = new Set(group.expected.map(({ table }) => table));
  for (const { touches } of group.pieces) if (touches !== "all") for (const table of touches) tables.add(table);
  return new SwitchyardError("REPLICATION_ROW_TOO_LARGE", {
    what: `a change of ${[...tables].join(", ").slice(0, 200)} takes ${bytes} bytes as a statement`,
    details: [`the target allows ${max} (max_allowed_packet)`],
    changed: "Nothing of its transaction was kept.",
    fix: "Raise max_allowed_packet on the target, to twice the largest row and more, then resume.",
  });
}
