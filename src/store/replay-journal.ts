import { readFile } from "node:fs/promises";
import { unusableDirectory } from "./directory-lock.ts";
import { journalPath } from "./journal-file.ts";
import { type JournalRecord, parseJournal } from "./journal-format.ts";
import type { StoreEntry } from "./store.ts";
import { StoreState } from "./store-state.ts";

/** Does again what a record of the journal says. */
export function replay(state: StoreState, record: JournalRecord): void {
  if ("header" in record) state.raiseRevision(record.header.revision);
  else if ("entries" in record) for (const entry of record.entries) state.restore(entry);
  else for (const { revision, changes } of record.batch) state.replay(revision, changes);
}

/**
 * All entries of an embedded store that nobody need have open, without its lock and without changing anything; undefined where
 * there is none. Keys under leases are not on disk. While a process writes to it, what is read is of some moment of late.
 *
 * @throws {SwitchyardError} `STORE_CORRUPT`, `STORE_FORMAT_NEWER`, `STORE_DIRECTORY_UNUSABLE`
 */
export async function readStoredEntries(directory: string): Promise<readonly StoreEntry[] | undefined> {
  const file = journalPath(directory);
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unusableDirectory(directory, error);
  }
  const state = new StoreState();
  for (const record of parseJournal(file, bytes).records) replay(state, record);
  return state.list("");
}
