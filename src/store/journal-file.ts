import { type FileHandle, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../base/logger.ts";
import { type DirectoryLock, lockDirectory, unusableDirectory } from "./directory-lock.ts";
import {
  encodeRecord,
  JOURNAL_FORMAT,
  JOURNAL_FORMATS,
  type JournalFormats,
  type JournalRecord,
  parseJournal,
} from "./journal-format.ts";
import type { StoreEntry } from "./store.ts";

const FILE_NAME = "store.journal";

/** The journal of the store in a directory. */
export function journalPath(directory: string): string {
  return join(directory, FILE_NAME);
}

/** Entries in one line of a snapshot. */
const SNAPSHOT_ENTRIES_MAX = 100;

/** The append-only file of the embedded store, and the lock on its directory. */
export class JournalFile {
  readonly #directory: string;
  readonly #lock: DirectoryLock;
  #handle: FileHandle;
  #bytes: number;

  private constructor(directory: string, lock: DirectoryLock, handle: FileHandle, bytes: number) {
    this.#directory = directory;
    this.#lock = lock;
    this.#handle = handle;
    this.#bytes = bytes;
  }

  /**
   * Locks the directory, makes it where it is missing, reads the journal, and cuts off the torn end of a last write. A
   * journal of an older form is first written beside itself in the present one and renamed: it is in one form or the other.
   *
   * @throws {SwitchyardError} `STORE_LOCKED`, `STORE_DIRECTORY_UNUSABLE`, `STORE_CORRUPT`, `STORE_FORMAT_NEWER`
   */
  static async open(
    directory: string,
    log: Logger,
    formats: JournalFormats = JOURNAL_FORMATS,
  ): Promise<{ readonly journal: JournalFile; readonly records: readonly JournalRecord[] }> {
    await mkdir(directory, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      throw unusableDirectory(directory, error);
    });
    const lock = lockDirectory(directory);
    try {
      const file = journalPath(directory);
      await rm(`${file}.new`, { force: true });
      const bytes = await readFile(file).catch(emptyWhereMissing);
      const contents = parseJournal(file, bytes, formats);
      const { format, records } = contents;
      let { goodBytes } = contents;
      if (goodBytes < bytes.length) {
        log.warn(
          { file, cutBytes: bytes.length - goodBytes },
          "cut off the end of a write that was never acknowledged",
        );
      }
      if (format < formats.present) {
        goodBytes = await rewrite(file, records);
        await syncDirectory(directory);
        log.info({ file, from: format, to: formats.present }, "the journal is in the present format now");
      }
      const handle = await open(file, goodBytes === 0 ? "w+" : "r+", 0o600);
      const journal = new JournalFile(directory, lock, handle, goodBytes);
      await handle.truncate(goodBytes);
      if (goodBytes === 0) await journal.append(header(0));
      else await handle.datasync();
      await syncDirectory(directory);
      return { journal, records };
    } catch (error) {
      lock.release();
      throw (error as { syscall?: unknown }).syscall === undefined ? error : unusableDirectory(directory, error);
    }
  }

  /** Size of the file. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Writes one record at the end. It is on the disk when this resolves; when it throws, it may or may not be. */
  async append(record: JournalRecord): Promise<void> {
    this.#bytes += await writeAll(this.#handle, encodeRecord(record), this.#bytes);
    await this.#handle.datasync();
  }

  /**
   * Replaces the journal by a snapshot of `entries`, written beside it and renamed. When it throws before the
   * rename, the old file is still whole and in use.
   */
  async compact(entries: readonly StoreEntry[], revision: number): Promise<void> {
    const file = journalPath(this.#directory);
    const next = await open(`${file}.new`, "w", 0o600);
    let bytes = 0;
    try {
      bytes += await writeAll(next, encodeRecord(header(revision)), bytes);
      for (let at = 0; at < entries.length; at += SNAPSHOT_ENTRIES_MAX) {
        const record = { entries: entries.slice(at, at + SNAPSHOT_ENTRIES_MAX) };
        bytes += await writeAll(next, encodeRecord(record), bytes);
      }
      await next.datasync();
      await rename(`${file}.new`, file);
    } catch (error) {
      await next.close();
      await rm(`${file}.new`, { force: true });
      throw error;
    }
    const old = this.#handle;
    this.#handle = next;
    this.#bytes = bytes;
    await old.close();
    await syncDirectory(this.#directory);
  }

  async close(): Promise<void> {
    await this.#handle.close();
    this.#lock.release();
  }
}

/** Replaces a file by one of these records. Gives its size. */
async function rewrite(file: string, records: readonly JournalRecord[]): Promise<number> {
  const next = await open(`${file}.new`, "w", 0o600);
  let bytes = 0;
  try {
    for (const record of records) bytes += await writeAll(next, encodeRecord(record), bytes);
    await next.datasync();
  } finally {
    await next.close();
  }
  await rename(`${file}.new`, file);
  return bytes;
}

function header(revision: number): JournalRecord {
  return { header: { kind: "switchyard-store", format: JOURNAL_FORMAT, revision } };
}

async function writeAll(handle: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    const { bytesWritten } = await handle.write(buffer, done, buffer.length - done, position + done);
    done += bytesWritten;
  }
  return done;
}

/** Makes the names in a directory durable, so that a new or renamed file is still there after a power cut. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function emptyWhereMissing(error: NodeJS.ErrnoException): Buffer {
  if (error.code === "ENOENT") return Buffer.alloc(0);
  throw error;
}
