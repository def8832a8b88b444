import { createHash } from "node:crypto";
import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../base/errors.ts";
import type { KeptTable } from "./diff-keeper.ts";

/** Bytes that are written at a time. */
const WRITTEN_BYTES = 256 * 1024;

/** Where the differences of a diff are, and whether that is all of them. */
export interface WrittenDifferences {
  /** A directory on the machine of the controller, with a file of JSON lines for each table that has differences. */
  readonly directory: string;
  readonly bytes: number;
  /** Why some that were counted are not written; absent where all are. */
  readonly ended?: string;
}

/**
 * The differences of one diff, as files of JSON lines: one object a line, one file a table. Written as they are found;
 * whoever may read the tables' rows may read these, so they are for the owner of the process alone.
 *
 * A disk that is full does not end the diff: what is found from then on is counted, and said not to be written.
 */
export class DifferenceFiles {
  readonly #ofAll: string;
  readonly #directory: string;
  readonly #bytesMax: number;
  /** By table. */
  readonly #files = new Map<string, DifferenceFile>();
  #ended: string | undefined;

  /**
   * @param directory of the migration
   * @param run names the diff, which has a directory of its own in it: what another has written is never taken for its own
   * @param bytesMax of all files together
   */
  constructor(directory: string, run: string, bytesMax: number) {
    this.#ofAll = directory;
    this.#directory = join(directory, run);
    this.#bytesMax = bytesMax;
  }

  /** Removes those of the migration's earlier diffs. */
  clear(): void {
    rmSync(this.#ofAll, { recursive: true, force: true });
  }

  /** Removes those of this diff. */
  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Counts what another process has written for a table; false where it is not here, as on the machine of another controller. */
  adopt(table: string, { fileBytes, fileEnded }: Pick<KeptTable, "fileBytes" | "fileEnded">): boolean {
    const path = this.#path(table);
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) < fileBytes) return false;
    this.#ended ??= fileEnded;
    this.#files.set(table, this.#file(path, fileBytes));
    return true;
  }

  /** The file of a table, cut behind its first `bytes`. */
  open(table: string, bytes: number): DifferenceFile {
    const path = this.#path(table);
    const file = this.#file(path, bytes);
    if (bytes > 0) file.cut(bytes);
    else rmSync(path, { force: true });
    this.#files.set(table, file);
    return file;
  }

  /** The file of a table, behind what this process has written to it. */
  goOn(table: string): DifferenceFile {
    return this.open(table, this.#files.get(table)?.bytes ?? 0);
  }

  /** Undefined where nothing was to be written. */
  get written(): WrittenDifferences | undefined {
    if (this.#bytes === 0 && this.#ended === undefined) return undefined;
    return {
      directory: this.#directory,
      bytes: this.#bytes,
      ...(this.#ended === undefined ? {} : { ended: this.#ended }),
    };
  }

  get #bytes(): number {
    return [...this.#files.values()].reduce((sum, file) => sum + file.bytes, 0);
  }

  #file(path: string, bytes: number): DifferenceFile {
    return new DifferenceFile(path, bytes, {
      room: () => this.#bytesMax - this.#bytes,
      bytesMax: this.#bytesMax,
      ended: () => this.#ended,
      end: (why) => {
        this.#ended ??= why;
      },
    });
  }

  #path(table: string): string {
    const plain = /^[\w.$-]{1,200}$/.test(table);
    return join(
      this.#directory,
      `${plain ? table : `table-${createHash("sha256").update(table).digest("hex").slice(0, 16)}`}.jsonl`,
    );
  }
}

interface Shared {
  /** Bytes that all files together may still grow by. */
  room(): number;
  readonly bytesMax: number;
  /** Why nothing more is written to any of them. */
  ended(): string | undefined;
  end(why: string): void;
}

/** The differences of one table. */
export class DifferenceFile {
  readonly #path: string;
  readonly #shared: Shared;
  #lines: Buffer[] = [];
  #linesBytes = 0;
  #handle: number | undefined;
  /** Of the whole lines that it has, with those still to be written. */
  bytes: number;

  constructor(path: string, bytes: number, shared: Shared) {
    this.#path = path;
    this.bytes = bytes;
    this.#shared = shared;
  }

  get ended(): string | undefined {
    return this.#shared.ended();
  }

  /** Adds a line, unless there is no room any more: from the first that has none on, none is added to any file. */
  add(difference: object): void {
    if (this.#shared.ended() !== undefined) return;
    const line = Buffer.from(`${JSON.stringify(difference)}\n`);
    if (line.length > this.#shared.room()) {
      this.#shared.end(`they reached diffFileBytesMax, ${this.#shared.bytesMax} bytes`);
      return;
    }
    this.#lines.push(line);
    this.#linesBytes += line.length;
    this.bytes += line.length;
    if (this.#linesBytes >= WRITTEN_BYTES) this.flush();
  }

  /** Writes what is waiting. */
  flush(): void {
    if (this.#linesBytes === 0) return;
    const waiting = Buffer.concat(this.#lines);
    const before = this.bytes - this.#linesBytes;
    this.#lines = [];
    this.#linesBytes = 0;
    try {
      this.#handle ??= this.#open();
      for (let at = 0; at < waiting.length; ) at += writeSync(this.#handle, waiting, at, undefined, before + at);
    } catch (error) {
      this.bytes = before;
      this.#shared.end(messageOf(error));
    }
  }

  /** Takes back what was added behind the first `bytes`. */
  cut(bytes: number): void {
    this.flush();
    if (this.bytes < bytes) return;
    try {
      this.#handle ??= this.#open();
      if (fstatSync(this.#handle).size > bytes) ftruncateSync(this.#handle, bytes);
      this.bytes = bytes;
    } catch (error) {
      this.#shared.end(messageOf(error));
    }
  }

  close(): void {
    this.flush();
    if (this.#handle !== undefined) closeSync(this.#handle);
    this.#handle = undefined;
  }

  #open(): number {
    mkdirSync(join(this.#path, ".."), { recursive: true, mode: 0o700 });
    // Not for appending: Linux would write at the end whatever place is said.
    try {
      return openSync(this.#path, "r+");
    } catch {
      return openSync(this.#path, "w+", 0o600);
    }
  }
}
