import { SwitchyardError } from "../base/errors.ts";

/** A range of etcd's keys: from `key` on, without `range_end`. */
export interface EtcdRange {
  readonly key: Buffer;
  readonly range_end: Buffer;
}

/**
 * Where our keys lie in an etcd that others may use too: `root` at the beginning of each key is stored as `prefix`.
 * Nothing outside the prefix is ever read or written, so an account that may use nothing else suffices.
 */
export class EtcdKeys {
  readonly #root: string;
  readonly #prefix: string;

  constructor(root: string, prefix: string) {
    this.#root = root;
    this.#prefix = prefix;
  }

  /** @throws {SwitchyardError} `STORE_REQUEST_INVALID` for a key outside the root. */
  stored(key: string): Buffer {
    if (!key.startsWith(this.#root)) {
      throw new SwitchyardError("STORE_REQUEST_INVALID", {
        what: `a key must begin with ${this.#root}: ${JSON.stringify(key.slice(0, 80))}`,
        changed: "Nothing was written.",
      });
    }
    return Buffer.from(this.#prefix + key.slice(this.#root.length));
  }

  /** All keys that begin with `prefix`. @throws {SwitchyardError} as {@link stored} */
  range(prefix: string): EtcdRange {
    const key = this.stored(prefix);
    const end = Buffer.from(key);
    // The last byte of a text in UTF-8 is below 255, so one more is the end of all that begins with it.
    end[end.length - 1] = (end.at(-1) ?? 0) + 1;
    return { key, range_end: end };
  }

  /** A key that nobody writes, for asking whether etcd answers. */
  get unused(): Buffer {
    return Buffer.from(`${this.#prefix}/.unused`);
  }

  key(stored: Buffer): string {
    return this.#root + stored.toString().slice(this.#prefix.length);
  }
}
