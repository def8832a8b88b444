import type { TableName } from "../base/table-name.ts";
import type { SchemaDifference, TableResult } from "./diff-report.ts";

/** How far the comparison of one table is, as far as it has been kept. */
export interface KeptTable {
  /** Tells whether the definitions, of both sides, are the ones by which it was compared. */
  readonly definitions: string;
  /** The home's transactions as of which its first rows were compared, and the wall clock just before that: later ones are newer. */
  readonly verifiedAt: string;
  readonly verifiedTime: string;
  /** What the other side's server had executed then; absent in what earlier versions have kept. */
  readonly otherAt?: string;
  /** All rows up to this key have been compared, given as the fields of its comparison; none yet where left out. */
  readonly through?: readonly Buffer[];
  /** All rows have been. */
  readonly done: boolean;
  readonly rows: number;
  readonly bytes: number;
  readonly differences: number;
  /** Keys of differences that were kept, and whether these are all. */
  readonly keys: number;
  readonly keysBytes: number;
  readonly keysComplete: boolean;
  readonly notCompared?: TableResult["notCompared"];
  readonly notFast?: string;
  /** See `counterDifferences`; absent in what earlier versions have kept. */
  readonly counters?: readonly SchemaDifference[];
  /** What the file of its differences has. */
  readonly fileBytes: number;
  /** Why it has not all of them. */
  readonly fileEnded?: string;
}

/**
 * Where a diff keeps what it has compared and found, so that it outlives the process: the next goes on behind it, and a
 * repair knows the keys.
 */
export interface DiffKeeper {
  /** What earlier processes have kept of this diff. */
  load(): Promise<ReadonlyMap<string, KeptTable>>;
  /** Keeps a table's state, with the keys of the differences since the last time, in one step that is durable once it resolves. */
  keep(table: TableName, state: KeptTable, keys: readonly (readonly Buffer[])[]): Promise<void>;
  /** A table is compared from its beginning again: what was kept of it does not count. */
  forget(table: TableName): Promise<void>;
}
