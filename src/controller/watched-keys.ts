import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Store, StoreEntry, Watch } from "../store/store.ts";

/** What stands under a key, with the revision of its last write. */
export interface Seen<T> {
  readonly value: T;
  readonly revision: number;
}

/** What is below a prefix, as far as its watch has told. */
export interface WatchedKeys<T> {
  /** By what follows the prefix. */
  readonly entries: ReadonlyMap<string, Seen<T>>;
  /** All changes up to this revision have been seen. */
  readonly revision: number;
  close(): Promise<void>;
}

/**
 * Follows the keys below `prefix`; `changed` is called after each change. A document that cannot be read is logged and
 * counts as absent.
 */
export async function watchKeys<T>(
  options: { readonly store: Store; readonly log: Logger; readonly changed: () => void },
  prefix: string,
  parse: (entry: StoreEntry) => T,
): Promise<WatchedKeys<T>> {
  const entries = new Map<string, Seen<T>>();
  let seen = 0;
  const put = (entry: StoreEntry): void => {
    const name = entry.key.slice(prefix.length);
    try {
      entries.set(name, { value: parse(entry), revision: entry.revision });
    } catch (error) {
      entries.delete(name);
      options.log.error({ key: entry.key, error: messageOf(error) }, "a document cannot be read and is left alone");
    }
  };
  const watch: Watch = await options.store.watch(prefix, {
    reset: (all, revision) => {
      entries.clear();
      for (const entry of all) put(entry);
      seen = revision;
      options.changed();
    },
    change: (events) => {
      for (const { key, value, revision } of events) {
        if (value === undefined) entries.delete(key.slice(prefix.length));
        else put({ key, value, revision });
        seen = Math.max(seen, revision);
      }
      options.changed();
    },
  });
  return {
    entries,
    get revision() {
      return seen;
    },
    close: () => watch.close(),
  };
}
