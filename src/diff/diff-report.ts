import type { WrittenDifferences } from "./difference-files.ts";

/** A row as people can read it, by column. Binary values are hexadecimal, NULL is null, long values are cut. */
export type ReadableRow = Readonly<Record<string, string | null>>;

export type DifferenceKind = "missing-on-target" | "missing-on-source" | "different";

/** A column in which two rows with the same key differ. */
export interface DifferingColumn {
  readonly column: string;
  /** The first byte of its value that differs, from 0; also the length of the shorter value. */
  readonly atByte: number;
}

/** One difference, with both rows where there are two. */
export interface DifferenceSample {
  readonly table: string;
  /** `id=7`, or `region=eu, id=7`. */
  readonly key: string;
  readonly kind: DifferenceKind;
  /** Where the kind is `different`: by these, also where what is shown of a long value is equal. */
  readonly columns?: readonly DifferingColumn[];
  readonly source?: ReadableRow;
  readonly target?: ReadableRow;
}

export interface TableResult {
  readonly table: string;
  /** The home's transactions as of which the first rows of both sides of this table were compared; the others as of these or later. */
  readonly verifiedAt: string;
  /** The wall clock just before that, ISO 8601. */
  readonly verifiedTime: string;
  /** What the other side's server had executed then: rows that either has changed since are to be compared again. Absent where that does not tell which. */
  readonly otherAt?: string;
  /** Keys looked at, on either side. */
  readonly rows: number;
  /** Those of them that had been compared by a process that ended then, and were not read again. */
  readonly rowsBefore?: number;
  /** Bytes of rows read, of both sides. */
  readonly bytes: number;
  readonly differences: number;
  /** Why a fast diff has read all rows of this table, or all from some key on, instead of comparing sums. */
  readonly notFast?: string;
  /** Columns that one side alone has, as the migration's mapping says. */
  readonly notCompared?: { readonly source: readonly string[]; readonly target: readonly string[] };
}

/** What is defined otherwise on the two sides: an object with all its properties where one side lacks it, else those that differ. */
export interface SchemaDifference {
  readonly table: string;
  /** `column price`, `key by_client`, `check positive`, `table`, `counter`, `trigger shop.stamp`, `view shop.open`. */
  readonly what: string;
  readonly source: Readonly<Record<string, string | null>> | null;
  readonly target: Readonly<Record<string, string | null>> | null;
  /** What is to be known of it, as that it is so by design. */
  readonly note?: string;
}

/** How long the stream stood, so long later than it would have come the changes of that time. */
export interface DiffPauses {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** What a diff has found. Source and target are those of the migration, whichever is the home now. */
export interface DiffReport {
  /** Sums of ranges of rows were compared, computed by the servers, and rows where these differed. */
  readonly fast?: true;
  /** The home's transactions that every table was compared with; most were compared a little later than that. */
  readonly verifiedAt: string;
  /** The wall clock just before the first of these comparisons, ISO 8601. */
  readonly verifiedTime: string;
  /** What the other side's server had executed at the first of them; absent where that is not known of all tables. */
  readonly otherAt?: string;
  /** For how long the stream stood for snapshots; absent where none was opened. */
  readonly pauses?: DiffPauses;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly tables: readonly TableResult[];
  readonly rows: number;
  readonly differences: number;
  /** Definitions that differ, as they are when the diff begins; they are not counted among {@link differences}. */
  readonly schema: readonly SchemaDifference[];
  /** The first differences found, at most a hundred; of those that the process which ended the diff has found. */
  readonly samples: readonly DifferenceSample[];
  /** Where all of them are, whole; absent where none was found. */
  readonly files?: WrittenDifferences;
}

export interface TableProgress {
  readonly table: string;
  readonly rowsCompared: number;
  readonly rowsEstimated: number;
  readonly done: boolean;
}

export interface DiffProgress {
  readonly step: "waiting for the stream" | "comparing";
  readonly rowsCompared: number;
  readonly rowsEstimated: number;
  readonly differences: number;
  /** Of the last seconds; 0 until that can be told. */
  readonly rowsPerSecond: number;
  /** What is left at that rate, as far as the servers' estimates of their rows go. */
  readonly leftMs?: number;
  readonly tables: readonly TableProgress[];
}
