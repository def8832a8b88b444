import type { EtcdRange } from "./etcd-keys.ts";
import type { EtcdLink, EtcdStream } from "./etcd-link.ts";

/** A key as etcd stores it. Numbers of 64 bits come as texts. */
export interface EtcdKeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly mod_revision: string;
}

interface WatchAnswer {
  readonly watch_id: string;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: string;
  readonly cancel_reason: string;
  readonly events: readonly { readonly type: "Put" | "Delete"; readonly kv: EtcdKeyValue }[];
}

/** One change as etcd tells it; `value` is absent for a deletion. */
export interface EtcdEvent {
  readonly key: Buffer;
  readonly value?: Buffer;
  readonly revision: number;
}

/** What is told of one watch on the stream. */
export interface WatchListener {
  /** The changes of one revision, whole and in order. */
  changed(events: readonly EtcdEvent[]): void;
  /** etcd has ended this watch alone: what it was to start from is compacted, or it may not look there. */
  cancelled(why: string): void;
}

/** The watch id of {@link WatchStream.ping}. */
const PING_ID = 1;

/** One stream to one etcd that carries many watches. */
export class WatchStream {
  readonly link: EtcdLink;
  readonly #listeners = new Map<string, WatchListener>();
  #stream: EtcdStream | undefined;
  #nextId = PING_ID + 1;
  #ended: string | undefined;
  #pinged = false;

  private constructor(link: EtcdLink) {
    this.link = link;
  }

  /** `heard` is called at each message, `ended` once. @throws {EtcdFailure} when it cannot be opened */
  static async open(link: EtcdLink, events: { heard(): void; ended(why: string): void }): Promise<WatchStream> {
    const opened = new WatchStream(link);
    opened.#stream = await link.open<WatchAnswer>("Watch", "watch", {
      message: (answer) => {
        events.heard();
        opened.#receive(answer);
      },
      ended: (why) => {
        opened.#ended = why;
        events.ended(why);
      },
    });
    return opened;
  }

  /** Why it has ended, if it has. */
  get ended(): string | undefined {
    return this.#ended;
  }

  /** Watches a range from a revision on, inclusive. Gives what {@link remove} takes. */
  add(range: EtcdRange, fromRevision: number, listener: WatchListener): string {
    const id = String(this.#nextId++);
    this.#listeners.set(id, listener);
    this.#stream?.write({ create_request: { ...range, start_revision: String(fromRevision), watch_id: id } });
    return id;
  }

  remove(id: string): void {
    if (this.#listeners.delete(id)) this.#stream?.write({ cancel_request: { watch_id: id } });
  }

  /**
   * Asks for a message on this very stream. etcd's own progress messages do not serve: it sends none while a watch waits
   * for the first change after the revision that it started from. It does always confirm that a watch was made.
   */
  ping(key: Buffer): void {
    if (this.#pinged) return;
    this.#pinged = true;
    this.#stream?.write({ create_request: { key, watch_id: String(PING_ID) } });
  }

  cancel(): void {
    this.#stream?.cancel();
  }

  #receive(answer: WatchAnswer): void {
    if (answer.watch_id === String(PING_ID)) {
      if (answer.created) this.#stream?.write({ cancel_request: { watch_id: answer.watch_id } });
      if (answer.canceled) this.#pinged = false;
      return;
    }
    const listener = this.#listeners.get(answer.watch_id);
    if (listener === undefined) return;
    if (answer.canceled) {
      this.#listeners.delete(answer.watch_id);
      const compacted = Number(answer.compact_revision);
      listener.cancelled(compacted > 0 ? `revisions before ${compacted} are compacted` : answer.cancel_reason);
      return;
    }
    for (const events of byRevision(answer)) listener.changed(events);
  }
}

/** One list for each revision: etcd may tell of several at once, but never of a part of one. */
function byRevision({ events }: WatchAnswer): EtcdEvent[][] {
  const lists: EtcdEvent[][] = [];
  for (const { type, kv } of events) {
    const revision = Number(kv.mod_revision);
    const event = type === "Put" ? { key: kv.key, value: kv.value, revision } : { key: kv.key, revision };
    const last = lists.at(-1);
    if (last?.[0]?.revision === revision) last.push(event);
    else lists.push([event]);
  }
  return lists;
}
