import { backoffMs } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { deadlineIn } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { certainly, EtcdFailure } from "./etcd-failure.ts";
import type { EtcdKeys } from "./etcd-keys.ts";
import type { EtcdLinks } from "./etcd-links.ts";
import { type EtcdEvent, WatchStream } from "./etcd-watch-stream.ts";
import type { StoreEntry, Watch, WatchHandler } from "./store.ts";

export interface EtcdWatchesOptions {
  readonly links: EtcdLinks;
  readonly keys: EtcdKeys;
  readonly clock: Clock;
  readonly log: Logger;
  readonly list: (prefix: string) => Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }>;
  /** How often the stream is asked whether it still lives. */
  readonly pingMs: number;
  readonly openTimeoutMs: number;
}

interface OpenWatch {
  readonly prefix: string;
  readonly handler: WatchHandler;
  /** Grows with each beginning: what an earlier one still has to say is not told any more. */
  beginning: number;
  /** Its id on the present stream. */
  id: string | undefined;
}

/** A stream that leaves this many pings unanswered is dead, whatever TCP thinks. */
const PINGS_UNANSWERED_MAX = 3;
const REOPEN = { firstMs: 50, maxMs: 1000 };

/**
 * All watches of a store, over one stream.
 *
 * A watch begins with a list and goes on from the very next revision, so nothing lies between the two. Whenever the
 * stream has ended or fallen silent, or etcd has compacted what a watch was to go on from, it begins again: its handler
 * gets the whole truth rather than a part of the changes.
 */
export class EtcdWatches {
  readonly #options: EtcdWatchesOptions;
  readonly #watches = new Set<OpenWatch>();
  readonly #closed = new AbortController();
  #stream: WatchStream | undefined;
  #opening: Promise<WatchStream> | undefined;
  #recovering = false;
  #pinging = false;
  /** When the ping was sent that nothing has followed yet. */
  #unheardSinceMs: number | undefined;

  constructor(options: EtcdWatchesOptions) {
    this.#options = options;
    options.links.onMove((link) => {
      if (this.#stream !== undefined && this.#stream.link !== link) this.#lose(this.#stream, "another etcd is used");
    });
  }

  /** Resolves after the first `reset`. @throws {SwitchyardError} `STORE_UNAVAILABLE` */
  async open(prefix: string, handler: WatchHandler): Promise<Watch> {
    const watch: OpenWatch = { prefix, handler, beginning: 0, id: undefined };
    this.#watches.add(watch);
    try {
      await this.#begin(watch, await this.#connected());
    } catch (error) {
      this.#watches.delete(watch);
      throw error instanceof EtcdFailure ? certainly(error) : error;
    }
    if (!this.#pinging) void this.#ping();
    return { close: () => this.#end(watch) };
  }

  close(): void {
    this.#closed.abort();
    this.#watches.clear();
    this.#stream?.cancel();
    this.#stream = undefined;
  }

  #end(watch: OpenWatch): Promise<void> {
    this.#watches.delete(watch);
    if (watch.id !== undefined) this.#stream?.remove(watch.id);
    return Promise.resolve();
  }

  #connected(): Promise<WatchStream> {
    if (this.#stream !== undefined) return Promise.resolve(this.#stream);
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #connect(): Promise<WatchStream> {
    const { links, clock, openTimeoutMs } = this.#options;
    const link = await links.usable(deadlineIn(clock, openTimeoutMs));
    const opened = deferred<WatchStream>();
    const stream = await WatchStream.open(link, {
      heard: () => {
        links.answered();
        this.#unheardSinceMs = undefined;
      },
      ended: (why) => void opened.promise.then((ended) => this.#lose(ended, why)),
    });
    this.#stream = stream;
    this.#unheardSinceMs = undefined;
    opened.resolve(stream);
    return stream;
  }

  /** Tells the handler all that there is, and from then on each change. */
  async #begin(watch: OpenWatch, stream: WatchStream): Promise<void> {
    const { list, keys } = this.#options;
    const beginning = ++watch.beginning;
    watch.id = undefined;
    const { entries, revision } = await list(watch.prefix);
    if (!this.#watches.has(watch) || watch.beginning !== beginning) return;
    this.#guarded(() => watch.handler.reset(entries, revision));
    // Where the stream has ended meanwhile, all its watches begin again.
    if (this.#stream !== stream || !this.#watches.has(watch)) return;
    watch.id = stream.add(keys.range(watch.prefix), revision + 1, {
      changed: (events) => {
        if (this.#watches.has(watch)) this.#guarded(() => watch.handler.change(events.map((one) => this.#event(one))));
      },
      cancelled: (why) => void this.#beginAgain(watch, stream, why),
    });
  }

  #event({ key, value, revision }: EtcdEvent): { key: string; value?: string; revision: number } {
    const name = this.#options.keys.key(key);
    return value === undefined ? { key: name, revision } : { key: name, value: value.toString(), revision };
  }

  /** One watch was ended by etcd, the stream goes on. */
  async #beginAgain(watch: OpenWatch, stream: WatchStream, why: string): Promise<void> {
    if (!this.#watches.has(watch)) return;
    this.#options.log.info({ prefix: watch.prefix, why }, "etcd has ended a watch; it begins again");
    this.#guarded(() => watch.handler.stale?.(why));
    for (let attempt = 0; this.#stream === stream && this.#watches.has(watch); attempt++) {
      try {
        await this.#begin(watch, stream);
        return;
      } catch {
        await this.#pause(attempt);
      }
    }
  }

  #lose(stream: WatchStream, why: string): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    stream.cancel();
    this.#options.links.doubt(stream.link);
    if (this.#closed.signal.aborted) return;
    for (const watch of this.#watches) {
      watch.id = undefined;
      this.#guarded(() => watch.handler.stale?.(why));
    }
    void this.#recover(why);
  }

  /** Opens a stream again and begins all watches on it. */
  async #recover(why: string): Promise<void> {
    if (this.#recovering || this.#watches.size === 0) return;
    this.#recovering = true;
    this.#options.log.warn({ why, watches: this.#watches.size }, "the watch of etcd is lost and is opened again");
    for (let attempt = 0; !this.#closed.signal.aborted && this.#watches.size > 0; attempt++) {
      try {
        const stream = await this.#connected();
        await Promise.all([...this.#watches].map((watch) => this.#begin(watch, stream)));
        if (this.#stream === stream) break;
      } catch (error) {
        this.#options.log.debug({ error: messageOf(error) }, "the watch of etcd cannot be opened yet");
      }
      await this.#pause(attempt);
    }
    this.#recovering = false;
  }

  async #ping(): Promise<void> {
    const { clock, pingMs, keys } = this.#options;
    this.#pinging = true;
    while (!this.#closed.signal.aborted && this.#watches.size > 0) {
      await clock.sleep(pingMs, this.#closed.signal).catch(() => undefined);
      const stream = this.#stream;
      if (stream === undefined) continue;
      const silentMs = clock.monotonicMs() - (this.#unheardSinceMs ?? clock.monotonicMs());
      if (silentMs >= pingMs * PINGS_UNANSWERED_MAX)
        this.#lose(stream, `etcd is silent for ${Math.round(silentMs)} ms`);
      else {
        this.#unheardSinceMs ??= clock.monotonicMs();
        stream.ping(keys.unused);
      }
    }
    this.#pinging = false;
  }

  async #pause(attempt: number): Promise<void> {
    const ms = backoffMs(attempt, REOPEN, Math.random());
    await this.#options.clock.sleep(ms, this.#closed.signal).catch(() => undefined);
  }

  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.log.error({ error: messageOf(error) }, "a watcher of the store failed");
    }
  }
}
