import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { messageOf, SwitchyardError } from "../base/errors.ts";

/** Holds a directory for one process. */
export interface DirectoryLock {
  release(): void;
}

const SQLITE_BUSY = 5;

/**
 * Takes the directory for this process alone, until {@link DirectoryLock.release} or the end of the process however
 * it comes. Node has no file locks of its own; SQLite takes the kernel's, which outlive nothing and need no clean-up.
 *
 * @throws {SwitchyardError} `STORE_LOCKED`, `STORE_DIRECTORY_UNUSABLE`
 */
export function lockDirectory(directory: string): DirectoryLock {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(join(directory, "lock"), { timeout: 0 });
    database.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if ((error as { errcode?: unknown }).errcode === SQLITE_BUSY) {
      throw new SwitchyardError("STORE_LOCKED", {
        what: `the data directory ${directory} is in use by another Switchyard process`,
        changed: "Nothing was changed.",
        fix: "Stop that process first, or give this one a directory of its own with `dataDirectory`.",
        cause: error,
      });
    }
    throw unusableDirectory(directory, error);
  }
  const held = database;
  return { release: () => held.close() };
}

/** The error for a data directory that cannot be made, read or written. */
export function unusableDirectory(directory: string, cause: unknown): SwitchyardError {
  return new SwitchyardError("STORE_DIRECTORY_UNUSABLE", {
    what: `the data directory ${directory} cannot be used: ${messageOf(cause)}`,
    changed: "Nothing was changed.",
    fix: "Make it writable for this user, or name another with `dataDirectory` in the configuration.",
    cause,
  });
}
