import type { StoreEntry, StoreEvent, WatchHandler } from "../../src/store/store.ts";

/** What a watcher knows: the keys as it was told of them, and how it was told. */
export class StoreMirror implements WatchHandler {
  readonly known = new Map<string, string>();
  readonly reasons: string[] = [];
  /** Changes told at a revision that was not above all told before, which would turn truth back. */
  readonly disordered: string[] = [];
  resets = 0;
  #revision = 0;

  reset(entries: readonly StoreEntry[], revision: number): void {
    this.resets += 1;
    if (revision < this.#revision) this.disordered.push(`reset at ${revision} after ${this.#revision}`);
    this.#revision = revision;
    this.known.clear();
    for (const { key, value } of entries) this.known.set(key, value);
  }

  change(events: readonly StoreEvent[]): void {
    const [first] = events;
    if (first !== undefined && first.revision <= this.#revision) {
      this.disordered.push(`${first.key} at ${first.revision} after ${this.#revision}`);
    }
    for (const { key, value, revision } of events) {
      this.#revision = revision;
      if (value === undefined) this.known.delete(key);
      else this.known.set(key, value);
    }
  }

  stale(reason: string): void {
    this.reasons.push(reason);
  }
}
