import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { STATUS_PREFIX } from "../rules/store-keys.ts";
import type { Lease, Store } from "../store/store.ts";

/** Progress of a migration for people to look at: never read for a decision. */
export interface LiveStatus {
  readonly format: 1;
  readonly migration: string;
  readonly at: string;
  readonly [field: string]: unknown;
}

/**
 * Puts the live status of each migration under a lease, so that it vanishes with this process. At most one write
 * is under way; a status that came meanwhile replaces any that still waits.
 */
export class StatusPublisher {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #leaseTtlMs: number;
  readonly #waiting = new Map<string, LiveStatus | undefined>();
  #lease: Lease | undefined;
  #busy = false;
  #closed = false;

  constructor(options: { store: Store; log: Logger; leaseTtlMs: number }) {
    this.#store = options.store;
    this.#log = options.log;
    this.#leaseTtlMs = options.leaseTtlMs;
  }

  /** Shows `status` soon; failures are logged and forgotten, since the next status follows. */
  publish(status: LiveStatus): void {
    this.#waiting.set(status.migration, status);
    this.#flush();
  }

  /** Takes a migration's status away. */
  remove(migration: string): void {
    this.#waiting.set(migration, undefined);
    this.#flush();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#lease?.revoke().catch(() => undefined);
  }

  #flush(): void {
    if (this.#busy || this.#closed) return;
    const next = this.#waiting.entries().next();
    if (next.done === true) return;
    const [migration, status] = next.value;
    this.#waiting.delete(migration);
    this.#busy = true;
    this.#write(migration, status)
      .catch((error: unknown) => {
        this.#lease = undefined;
        this.#log.debug({ migration, error: messageOf(error) }, "live status could not be published");
      })
      .finally(() => {
        this.#busy = false;
        this.#flush();
      });
  }

  async #write(migration: string, status: LiveStatus | undefined): Promise<void> {
    const key = STATUS_PREFIX + migration;
    if (status === undefined) {
      await this.#store.transact([], [{ delete: key }]);
      return;
    }
    if (this.#lease === undefined || this.#lease.lost.aborted) {
      this.#lease = await this.#store.lease(this.#leaseTtlMs);
    }
    await this.#store.transact([], [{ put: key, value: JSON.stringify(status), lease: this.#lease }]);
  }
}
