import type { Clock } from "../base/clock.ts";
import { endsWithin } from "../base/deadline.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import type { TableName } from "../base/table-name.ts";
import { BinlogDecoder } from "../binlog/binlog-decoder.ts";
import { TransactionReader } from "../binlog/transaction-reader.ts";
import { type Gtid, GtidSet, GtidSetBuilder } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import { dumpRequest } from "../mysql/dump-request.ts";
import type { Stray, StrayWatch } from "./ports.ts";
import { type JudgedTransaction, StrayJudge } from "./stray-judge.ts";

export interface StrayWatchOptions {
  readonly migration: string;
  readonly clock: Clock;
  readonly tables: readonly TableName[];
  /** What was executed when the watch begins; transactions in it are not looked at. */
  readonly from: GtidSet;
}

/** Of more strays the last are kept: what matters is that there are some behind the position that is asked for. */
const STRAYS_MAX = 1000;
const HEARTBEAT_MS = 5000;
/** A log may be as large as a gigabyte. */
const UNDER_WAY_WAIT_MS = 2000;

interface FoundStray {
  readonly gtid: Gtid;
  readonly stray: Stray;
}

/** Follows a server's binary log and keeps the writes to the migration's tables that are not ours. */
export class BinlogStrayWatch implements StrayWatch {
  readonly #connection: Connection;
  readonly #options: StrayWatchOptions;
  readonly #decoder = new BinlogDecoder();
  readonly #reader = new TransactionReader();
  readonly #judge: StrayJudge;
  readonly #seen: GtidSetBuilder;
  readonly #underWay: Deferred<void> = deferred();
  #strays: FoundStray[] = [];
  #progress: Deferred<void> = deferred();
  #failure: unknown;

  constructor(connection: Connection, options: StrayWatchOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#seen = new GtidSetBuilder(options.from);
    this.#judge = new StrayJudge(options.migration, options.tables);
    connection
      .binlogDump(dumpRequest(options.from, HEARTBEAT_MS), (event) => this.#event(event))
      .then(
        () => this.#fail(new Error("the server ended the dump")),
        (error: unknown) => this.#fail(error),
      );
  }

  async underWay(): Promise<void> {
    await endsWithin(this.#options.clock, this.#underWay.promise, UNDER_WAY_WAIT_MS);
    if (this.#failure !== undefined) throw this.#broken();
  }

  async upTo(
    position: string,
    options: { readonly timeoutMs: number; readonly after?: string },
  ): Promise<readonly Stray[]> {
    const wanted = GtidSet.parse(position);
    const after = GtidSet.parse(options.after ?? "");
    const over = new AbortController();
    let late = false;
    const timeout = this.#options.clock.sleep(options.timeoutMs, over.signal).then(
      () => {
        late = true;
      },
      () => undefined,
    );
    try {
      while (!this.#seen.build().contains(wanted)) {
        if (this.#failure !== undefined) throw this.#broken();
        if (late) throw this.#late(options.timeoutMs);
        await Promise.race([this.#progress.promise, timeout]);
      }
      return this.#strays.filter(({ gtid }) => !after.has(gtid)).map(({ stray }) => stray);
    } finally {
      over.abort();
    }
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  #event(packet: Buffer): void {
    const event = this.#decoder.decode(packet);
    // A server that has left out transactions tells by a heartbeat that it is past them.
    if (event.kind === "heartbeat" || event.kind === "gtid") this.#underWay.resolve();
    for (const part of this.#reader.push(event)) {
      const found = this.#judge.part(part);
      if (found === undefined) continue;
      this.#keep(found);
      this.#seen.add(found.gtid.uuid, found.gtid.tag, found.gtid.gno);
      this.#progress.resolve();
      this.#progress = deferred();
    }
  }

  #keep({ gtid, strays }: JudgedTransaction): void {
    for (const stray of strays) this.#strays.push({ gtid, stray });
    if (this.#strays.length >= 2 * STRAYS_MAX) this.#strays = this.#strays.slice(-STRAYS_MAX);
  }

  #fail(error: unknown): void {
    this.#failure = error;
    this.#underWay.resolve();
    this.#progress.resolve();
  }

  #broken(): SwitchyardError {
    return new SwitchyardError("CUTOVER_WATCH_FAILED", {
      what: "the binary log could not be read for writes that are not ours",
      details: [messageOf(this.#failure)],
      cause: this.#failure,
    });
  }

  #late(timeoutMs: number): SwitchyardError {
    return new SwitchyardError("CUTOVER_WATCH_FAILED", {
      what: `the binary log could not be read up to the wanted position within ${timeoutMs} ms`,
    });
  }
}
