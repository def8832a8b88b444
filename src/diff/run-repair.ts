import { type TableName, tableKey } from "../base/table-name.ts";
import { Connection } from "../mysql/connection.ts";
import { readTableShape } from "../mysql/read-table-shape.ts";
import type { CarriedTable } from "../table/carried-columns.ts";
import { rowKey } from "../table/row-key.ts";
import { planMapped } from "./comparison-plan.ts";
import {
  DEFAULT_DIFF_LIMITS,
  type DiffLimits,
  type DiffOptions,
  diffAttributes,
  type TableKeys,
} from "./diff-options.ts";
import { marked, orEndSessions } from "./left-sessions.ts";
import { standAtHome, type TableSide, whileBusy } from "./open-table.ts";

/** What has come of keys whose rows differed. */
export interface RepairCounts {
  /** Rows that the other side lacked, had beside the home's, and had otherwise. */
  readonly inserted: number;
  readonly deleted: number;
  readonly rewritten: number;
  /** Equal by now: the stream or a person has written them since. */
  readonly equal: number;
  /** Rows that the server did not take, or that were not equal when they had been written. They are as they were. */
  readonly refused: number;
}

/** Writes rows where the stream writes; the stream stands at the position that `home` reads. */
export interface RepairPort {
  repair(batch: {
    readonly home: Connection;
    readonly carried: CarriedTable;
    readonly fields: { readonly home: string; readonly other: string };
    readonly conditions: readonly { readonly home: string; readonly other: string }[];
    readonly dryRun: boolean;
  }): Promise<Omit<RepairCounts, "refused"> & { readonly taken: number; readonly refused: boolean }>;
}

export interface RepairOptions extends DiffOptions {
  /** What a diff has found. */
  readonly differences: readonly TableKeys[];
  readonly dryRun: boolean;
  readonly port: RepairPort;
}

export interface RepairReport extends RepairCounts {
  readonly dryRun: boolean;
  readonly tables: readonly (RepairCounts & { readonly table: string })[];
}

/** Keys of one transaction: the stream stands for as long as it takes. */
const BATCH_KEYS = 100;
/** The same without a key: each row is looked for in the whole table. */
const BATCH_CONTENTS = 10;

const NONE: RepairCounts = { inserted: 0, deleted: 0, rewritten: 0, equal: 0, refused: 0 };

/**
 * Makes the rows that a diff found equal to the home's, while clients write and, between two batches, the stream goes on.
 *
 * Each batch is read and written as of one moment, as a table is compared: the stream's intake is paused, a snapshot of the
 * home is opened, the stream is brought to exactly its position and stands there until the batch is committed. What is
 * written is therefore never older than what the stream has written, and nothing that it still has to write is lost.
 *
 * @throws {SwitchyardError} as `runDiff`, and what the port throws. Batches that were committed stay so.
 */
export async function runRepair(given: RepairOptions): Promise<RepairReport> {
  const options = marked(given);
  return await orEndSessions(options, () => repairAll(options));
}

async function repairAll(options: RepairOptions): Promise<RepairReport> {
  const limits = { ...DEFAULT_DIFF_LIMITS, ...options.limits };
  const observer = await Connection.connect(options.other, {
    attributes: diffAttributes(options),
    signal: options.signal,
  });
  try {
    const tables = [];
    for (const { table, keys } of options.differences) {
      const counts = await repairTable(options, limits, observer, table, keys);
      tables.push({ table: tableKey(table), ...counts });
    }
    return { dryRun: options.dryRun, ...tables.reduce<RepairCounts>(sum, NONE), tables };
  } finally {
    await observer.close();
  }
}

/** Batches that are refused as a whole are tried again key by key, for as long as any of them is taken. */
async function repairTable(
  options: RepairOptions,
  limits: DiffLimits,
  observer: Connection,
  table: TableName,
  keys: TableKeys["keys"],
): Promise<RepairCounts> {
  let counts = NONE;
  let waiting = keys;
  const keyless = rowKey(await readTableShape(observer, table)) === undefined;
  for (let size = keyless ? BATCH_CONTENTS : BATCH_KEYS; waiting.length > 0; size = 1) {
    const refused: (readonly Buffer[])[] = [];
    for (let at = 0; at < waiting.length; ) {
      const batch = waiting.slice(at, at + size);
      const { taken, ...done } = await repairBatch(options, limits, observer, table, batch);
      if (done.refused) refused.push(...batch.slice(0, taken));
      else counts = sum(counts, { ...done, refused: 0 });
      at += taken;
    }
    if (size === 1 && refused.length === waiting.length) return { ...counts, refused: refused.length };
    waiting = refused;
  }
  return counts;
}

async function repairBatch(
  options: RepairOptions,
  limits: DiffLimits,
  observer: Connection,
  table: TableName,
  keys: TableKeys["keys"],
): ReturnType<RepairPort["repair"]> {
  const shape = await readTableShape(observer, table);
  return await atOneMoment(options, limits, table, async (home) => {
    const plan = planMapped(options, home.shape, shape);
    return await options.port.repair({
      home: home.reader,
      carried: plan.carried,
      fields: { home: plan.home.fields, other: plan.other.fields },
      conditions: keys.map((key) => ({ home: plan.home.condition(key), other: plan.other.condition(key) })),
      dryRun: options.dryRun,
    });
  });
}

/** Runs `work` while the stream stands at the position of a snapshot of the home. */
async function atOneMoment<T>(
  options: DiffOptions,
  limits: DiffLimits,
  table: TableName,
  work: (home: TableSide) => Promise<T>,
): Promise<T> {
  const { signal, stream } = options;
  return await whileBusy(options, limits, table, async () => {
    const opened: Connection[] = [];
    const cut = (): void => {
      for (const connection of opened) connection.destroy();
    };
    signal.addEventListener("abort", cut, { once: true });
    try {
      return await work(await standAtHome(options, limits, table, opened));
    } finally {
      signal.removeEventListener("abort", cut);
      stream.continue();
      await Promise.all(opened.map((connection) => connection.close()));
    }
  });
}

function sum(a: RepairCounts, b: RepairCounts): RepairCounts {
  return {
    inserted: a.inserted + b.inserted,
    deleted: a.deleted + b.deleted,
    rewritten: a.rewritten + b.rewritten,
    equal: a.equal + b.equal,
    refused: a.refused + b.refused,
  };
}
