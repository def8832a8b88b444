import { crc32 } from "node:zlib";
import { SwitchyardError } from "../base/errors.ts";
import type { StoreEntry } from "./store.ts";
import type { DurableChange } from "./store-state.ts";

/** The newest form of the journal that this version reads and writes. */
export const JOURNAL_FORMAT = 1;

/** The present form, and by the form that it begins with what makes a record of it one of the next. */
export interface JournalFormats {
  readonly present: number;
  /** Steps are pure; headers do not pass them. Forms without a step are not read any more. */
  readonly steps: Readonly<Record<number, (record: JournalRecord) => JournalRecord>>;
}

export const JOURNAL_FORMATS: JournalFormats = { present: JOURNAL_FORMAT, steps: {} };

/**
 * One line of the journal. `batch` holds the transactions that were made durable by one fsync, in order;
 * `entries` are those of a snapshot, at the start of a compacted file.
 */
export type JournalRecord =
  | { readonly header: { readonly kind: "switchyard-store"; readonly format: number; readonly revision: number } }
  | { readonly entries: readonly StoreEntry[] }
  | { readonly batch: readonly { readonly revision: number; readonly changes: readonly DurableChange[] }[] };

/** What a journal holds, and up to which byte it can be trusted. */
export interface JournalContents {
  /** The form in which it is on disk; the records are in the present one. */
  readonly format: number;
  readonly records: readonly JournalRecord[];
  /** Everything after this byte is the torn end of a write that was never acknowledged. */
  readonly goodBytes: number;
}

const CRC_DIGITS = 8;

/** A line: CRC-32 of the text in hexadecimal, the text as JSON, a newline. JSON has no raw newline and no NUL. */
export function encodeRecord(record: JournalRecord): Buffer {
  const text = JSON.stringify(record);
  return Buffer.from(`${crc32(text).toString(16).padStart(CRC_DIGITS, "0")} ${text}\n`, "utf8");
}

/**
 * Reads a journal. A write that was cut off is told from damage by what a cut can leave behind: since a batch is one
 * line and the next is written only after its fsync, only the last line can be short or have holes of NUL bytes.
 *
 * @throws {SwitchyardError} `STORE_CORRUPT`, `STORE_FORMAT_NEWER`
 */
export function parseJournal(file: string, bytes: Buffer, formats: JournalFormats = JOURNAL_FORMATS): JournalContents {
  const records: JournalRecord[] = [];
  let format = formats.present;
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf(0x0a, at);
    if (end === -1) break;
    const line = bytes.subarray(at, end);
    const record = parseLine(line);
    if (record === undefined) {
      const last = end + 1 >= bytes.length;
      if (last && line.includes(0)) break;
      throw corrupt(file, at, `${line.length} bytes do not match their checksum`);
    }
    if (records.length === 0) format = formatOf(file, record, formats);
    records.push(inPresentForm(record, format, formats));
    at = end + 1;
  }
  return { format, records, goodBytes: at };
}

function parseLine(line: Buffer): JournalRecord | undefined {
  const expected = line.toString("latin1", 0, CRC_DIGITS);
  const text = line.subarray(CRC_DIGITS + 1);
  if (line[CRC_DIGITS] !== 0x20 || crc32(text).toString(16).padStart(CRC_DIGITS, "0") !== expected) return undefined;
  return JSON.parse(text.toString("utf8")) as JournalRecord;
}

function inPresentForm(record: JournalRecord, from: number, { present, steps }: JournalFormats): JournalRecord {
  if ("header" in record) return { header: { ...record.header, format: present } };
  let led: JournalRecord = record;
  for (let format = from; format < present; format += 1) led = steps[format]?.(led) ?? led;
  return led;
}

/** The form that a header names, if it is one that is read. */
function formatOf(file: string, record: JournalRecord, { present, steps }: JournalFormats): number {
  if (!("header" in record) || record.header.kind !== "switchyard-store") {
    throw corrupt(file, 0, "it does not begin with the header of a Switchyard store");
  }
  const { format } = record.header;
  if (Number.isSafeInteger(format) && format > present) {
    throw new SwitchyardError("STORE_FORMAT_NEWER", {
      what: `${file} was written by a newer version of Switchyard`,
      details: [`format ${format}, this version knows ${present}`],
      changed: "Nothing was changed.",
      fix: "Start the version that wrote it, or a newer one.",
    });
  }
  for (let at = format; at !== present; at += 1) {
    if (typeof steps[at] !== "function") throw corrupt(file, 0, `no version writes format ${String(format)}`);
  }
  return format;
}

function corrupt(file: string, at: number, observed: string): SwitchyardError {
  return new SwitchyardError("STORE_CORRUPT", {
    what: `${file} is damaged at byte ${at}: ${observed}`,
    changed: "Nothing was changed.",
    fix: "Restore the data directory from a backup. Do not delete the file: it says where each table's home is.",
  });
}
