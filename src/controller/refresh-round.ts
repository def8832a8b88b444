import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import { parseTableKey, quoteText, type TableName, tableKey } from "../base/table-name.ts";
import type { Direction, Refreshed } from "../cutover/migration-document.ts";
import { type BothSides, compareKeys, connectSide, type KeyConditions, type KeysFound } from "../diff/compare-keys.ts";
import { planMapped } from "../diff/comparison-plan.ts";
import type { DiffOptions, TableKeys } from "../diff/diff-options.ts";
import { marked, orEndSessions } from "../diff/left-sessions.ts";
import { runDiff } from "../diff/run-diff.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import { readExecuted } from "../mysql/read-executed.ts";
import { readTableShape } from "../mysql/read-table-shape.ts";
import { requireServer, serverUuid } from "../replication/server-identity.ts";
import { type TouchedBatch, TouchedRows } from "../replication/touched-rows.ts";
import type { CarriedTable } from "../table/carried-columns.ts";
import type { FreshSummary } from "./freshness.ts";

/** Keys, and bytes of the conditions that find them, that are held of one log at a time; the logs are not read on meanwhile. */
const KEYS_MAX = 50_000;
const KEYS_BYTES_MAX = 16 * 1024 * 1024;
/** Keys that are compared between two looks at how far it is. */
const KEYS_AT_ONCE = 2000;
/** Once so many differences are found no more are looked for: a diff is needed in any case. */
const DIFFERENCES_MAX = 10_000;
const SAMPLES_MAX = 100;
/** A transaction is in the log a moment before its rows can be read. */
const VISIBLE_WAIT_SECONDS = 30;

export interface RoundOptions {
  readonly direction: Direction;
  readonly diff: DiffOptions;
  readonly otherUuid: string;
  /** Tables without a key are compared anew, whole, once what is known of them is older. */
  readonly keylessAgeMaxMs: number;
  /** Told how many keys wait to be compared, and how many have been since the last time. */
  readonly onKeys: (pending: number, compared: number) => void;
}

/** What a table's keys have come to that are not equal. */
export interface TableFound extends KeysFound {
  readonly table: string;
}

export interface RoundOutcome {
  readonly refreshed: Refreshed;
  readonly keys: number;
  readonly found: readonly TableFound[];
  /** Where something came after which nobody can say which rows have changed: on which server, and what. */
  readonly stopped?: { readonly server: string; readonly why: string };
}

/**
 * Compares again all rows that either server has changed since a diff, or since the last round, up to now. Nothing is written
 * anywhere; the stream stands only where rows do not become equal by themselves. A round that cannot go on, or is given up,
 * resolves all the same where it has found differences by then: they are proven.
 *
 * @throws {SwitchyardError} `CANCELLED`, and what reading either server's log and rows throws
 */
export async function refreshRound(summary: FreshSummary, given: RoundOptions): Promise<RoundOutcome> {
  const diff = marked(given.diff);
  return await orEndSessions(diff, () => provenRound(summary, { ...given, diff }));
}

async function provenRound(summary: FreshSummary, options: RoundOptions): Promise<RoundOutcome> {
  const { diff } = options;
  const opened: Connection[] = [];
  let round: Round | undefined;
  try {
    const home = await connectSide(diff.home, diff);
    opened.push(home);
    const other = await connectSide(diff.other, diff);
    opened.push(other);
    round = new Round(summary, options, { home, other });
    return await round.run();
  } catch (error) {
    const proven = round?.proven();
    if (proven !== undefined) {
      diff.log.warn(
        { error: messageOf(error) },
        "rows differ; comparing changed rows again ended before all were compared",
      );
      return proven;
    }
    if (!diff.signal.aborted) throw error;
    throw new SwitchyardError("CANCELLED", { what: "comparing changed rows again was given up", cause: error });
  } finally {
    await Promise.all(opened.map((connection) => connection.close().catch(() => undefined)));
  }
}

interface FollowedTable {
  readonly name: TableName;
  readonly carried: CarriedTable;
}

class Round {
  readonly #summary: FreshSummary;
  readonly #options: RoundOptions;
  readonly #sides: BothSides;
  readonly #found = new Map<string, TableFound>();
  /** Tables without a key: as of when they were compared. */
  readonly #behind: Map<string, string>;
  #keys = 0;

  constructor(summary: FreshSummary, options: RoundOptions, sides: BothSides) {
    this.#summary = summary;
    this.#options = options;
    this.#sides = sides;
    this.#behind = new Map(Object.entries(summary.refreshed.behind ?? {}));
  }

  /** What has been found so far, if anything: whatever comes of the rest, that is so. */
  proven(): RoundOutcome | undefined {
    return this.#found.size === 0 ? undefined : this.#outcome(this.#summary.refreshed);
  }

  async run(): Promise<RoundOutcome> {
    const { diff, direction, otherUuid } = this.#options;
    const [homeEnd, otherEnd] =
      direction === "forward" ? (["source", "target"] as const) : (["target", "source"] as const);
    const uuids = { home: await serverUuid(this.#sides.home), other: await serverUuid(this.#sides.other) };
    requireServer(homeEnd, diff.homeUuid ?? "", uuids.home);
    requireServer(otherEnd, otherUuid, uuids.other);
    const time = diff.clock.now().toISOString();
    const upTo = { home: await readExecuted(this.#sides.home), other: await readExecuted(this.#sides.other) };
    const name = { migration: diff.migration, direction };
    const { refreshed: before } = this.#summary;
    const gone =
      goneBack(diff.home.name, uuids.home, before[homeEnd], upTo.home) ??
      goneBack(diff.other.name, uuids.other, before[otherEnd], upTo.other);
    if (gone !== undefined) return this.#outcome(before, gone);
    const limits = { rowsMax: KEYS_MAX, bytesMax: KEYS_BYTES_MAX, signal: diff.signal };
    const carried = await this.#carried();
    if ("why" in carried) return this.#outcome(before, carried);
    const logs = await Promise.all([
      TouchedRows.open({
        ...{ ...limits, name, endpoint: diff.home, end: homeEnd, serverUuid: diff.homeUuid ?? "" },
        ...{ tables: carried.home, from: GtidSet.parse(before[homeEnd]), upTo: GtidSet.parse(upTo.home) },
      }),
      TouchedRows.open({
        ...{ ...limits, name, endpoint: diff.other, end: otherEnd, serverUuid: otherUuid },
        ...{ tables: carried.other, from: GtidSet.parse(before[otherEnd]), upTo: GtidSet.parse(upTo.other) },
      }),
    ]);
    try {
      const read = await this.#readAll(...logs);
      if ("why" in read) return this.#outcome(before, read);
      const [home, other] = [read.home.toString(), read.other.toString()];
      const sets = direction === "forward" ? { source: home, target: other } : { source: other, target: home };
      await this.#compareKeyless();
      return this.#outcome({ ...sets, time });
    } finally {
      for (const log of logs) log.close();
    }
  }

  /** Which column is which, from either side to the other; why none can be told where the definitions have parted since. */
  async #carried(): Promise<
    Record<"home" | "other", FollowedTable[]> | { readonly server: string; readonly why: string }
  > {
    const { diff } = this.#options;
    const back = { ...diff, direction: diff.direction === "forward" ? ("reverse" as const) : ("forward" as const) };
    const carried: Record<"home" | "other", FollowedTable[]> = { home: [], other: [] };
    for (const name of diff.tables) {
      const home = await readTableShape(this.#sides.home, name);
      const other = await readTableShape(this.#sides.other, name);
      try {
        carried.home.push({ name, carried: planMapped(diff, home, other).carried });
        carried.other.push({ name, carried: planMapped(back, other, home).carried });
      } catch (error) {
        if (!isSwitchyardError(error, "DIFF_TABLES_UNLIKE")) throw error;
        return { server: "either side", why: messageOf(error) };
      }
    }
    return carried;
  }

  /** Reads both logs to their ends, and compares what they name as it comes. */
  async #readAll(
    homeLog: TouchedRows,
    otherLog: TouchedRows,
  ): Promise<{ readonly home: GtidSet; readonly other: GtidSet } | { readonly server: string; readonly why: string }> {
    const { diff } = this.#options;
    let [home, other] = await Promise.all([homeLog.next(), otherLog.next()]);
    for (;;) {
      if (home.stopped !== undefined) return { server: diff.home.name, why: home.stopped };
      if (other.stopped !== undefined) return { server: diff.other.name, why: other.stopped };
      await Promise.all([untilVisible(this.#sides.home, home), untilVisible(this.#sides.other, other)]);
      await this.#compare(home, other);
      if ((home.done && other.done) || this.#differences >= DIFFERENCES_MAX)
        return { home: home.through, other: other.through };
      [home, other] = await Promise.all([
        home.done ? nothingMore(home) : homeLog.next(),
        other.done ? nothingMore(other) : otherLog.next(),
      ]);
    }
  }

  async #compare(home: TouchedBatch, other: TouchedBatch): Promise<void> {
    const { diff, onKeys } = this.#options;
    for (const table of [...home.keyless, ...other.keyless]) {
      if (!this.#behind.has(table)) this.#behind.set(table, this.#summary.refreshed.time);
    }
    const keys = diff.tables.map((table) => {
      const name = tableKey(table);
      const all = new Map<string, KeyConditions>();
      for (const { here, there } of home.rows.get(name) ?? []) all.set(here, { home: here, other: there });
      for (const { here, there } of other.rows.get(name) ?? []) all.set(there, { home: there, other: here });
      return { table, waiting: [...all.values()] };
    });
    let pending = keys.reduce((sum, { waiting }) => sum + waiting.length, 0);
    this.#keys += pending;
    onKeys(pending, 0);
    for (const { table, waiting } of keys) {
      for (let at = 0; at < waiting.length; at += KEYS_AT_ONCE) {
        const some = waiting.slice(at, at + KEYS_AT_ONCE);
        this.#add(tableKey(table), await compareKeys(diff, this.#sides, table, some));
        pending -= some.length;
        onKeys(pending, some.length);
      }
    }
  }

  #add(table: string, found: KeysFound): void {
    if (found.differences === 0) return;
    const before = this.#found.get(table);
    this.#found.set(table, {
      table,
      differences: (before?.differences ?? 0) + found.differences,
      keys: [...(before?.keys ?? []), ...found.keys],
      complete: (before?.complete ?? true) && found.complete,
      samples: [...(before?.samples ?? []), ...found.samples].slice(0, SAMPLES_MAX),
    });
  }

  get #differences(): number {
    return [...this.#found.values()].reduce((sum, { differences }) => sum + differences, 0);
  }

  /** Compares whole what no key tells apart, where that was so long ago that the gate of a switch would close by it. */
  async #compareKeyless(): Promise<void> {
    const { diff, keylessAgeMaxMs } = this.#options;
    const dueMs = diff.clock.now().getTime() - keylessAgeMaxMs;
    const due = [...this.#behind].filter(([, since]) => Date.parse(since) <= dueMs).map(([table]) => table);
    if (due.length === 0) return;
    const found = new Map<string, TableKeys>();
    const onDifferences = (one: TableKeys): unknown => found.set(tableKey(one.table), one);
    const report = await runDiff({ ...diff, tables: due.map(parseTableKey), onDifferences });
    for (const { table, differences } of report.tables) {
      const { keys = [], complete = true } = found.get(table) ?? {};
      this.#add(table, {
        ...{ differences, keys, complete },
        samples: report.samples.filter((one) => one.table === table),
      });
      this.#behind.delete(table);
    }
  }

  #outcome(refreshed: Refreshed, stopped?: { readonly server: string; readonly why: string }): RoundOutcome {
    const { behind: _, ...sets } = refreshed;
    const behind = this.#behind.size === 0 ? {} : { behind: Object.fromEntries(this.#behind) };
    return {
      refreshed: { ...sets, ...behind },
      keys: this.#keys,
      found: [...this.#found.values()],
      ...(stopped === undefined ? {} : { stopped }),
    };
  }
}

/**
 * A server that was put back to what it was before, as from a snapshot of its volume, gives the numbers of transactions that are
 * gone to others. Its own are looked at: of those of another server it may never have had all.
 */
function goneBack(
  server: string,
  uuid: string,
  compared: string,
  executed: string,
): { readonly server: string; readonly why: string } | undefined {
  const missing = [...GtidSet.parse(compared).subtract(GtidSet.parse(executed)).sources.keys()];
  if (!missing.some((source) => source === uuid || source.startsWith(`${uuid}:`))) return undefined;
  return {
    server,
    why: "transactions of its own that were compared are not there any more: it was put back to an earlier state",
  };
}

async function untilVisible(connection: Connection, { visible }: TouchedBatch): Promise<void> {
  const row = await connection.one(
    `SELECT WAIT_FOR_EXECUTED_GTID_SET(${quoteText(visible.toString())}, ${VISIBLE_WAIT_SECONDS}) AS late`,
  );
  if (row?.["late"] === "0") return;
  throw new SwitchyardError("TIMEOUT", {
    what: `server "${connection.endpoint.name}" does not show in time what its binary log has`,
  });
}

/** What a log that has been read to its end has from then on. */
function nothingMore(last: TouchedBatch): TouchedBatch {
  return { ...last, rows: new Map(), keyless: new Set() };
}
