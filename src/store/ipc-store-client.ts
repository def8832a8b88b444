import type { Clock } from "../base/clock.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { receivedError, type StoreAnswers, type StoreRequest, type ToChild, type ToHost } from "./ipc-messages.ts";
import { KeptLease } from "./kept-lease.ts";
import type { MessageChannel } from "./message-channel.ts";
import type { Compare, Lease, Store, StoreEntry, StoreWrite, TransactionResult, Watch, WatchHandler } from "./store.ts";
import { checkTransaction, identify } from "./store-limits.ts";

export interface IpcStoreOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** A request that is not answered within it is given up. */
  readonly requestTimeoutMs?: number;
  /** How often the host is asked whether it still answers, while something is watched. */
  readonly pingMs?: number;
}

const REQUEST_TIMEOUT_MS = 10_000;
const PING_MS = 1000;
/** Requests that may be open at once. */
const OPEN_REQUESTS_MAX = 1024;

interface OpenRequest {
  readonly answer: Deferred<never>;
  readonly write: boolean;
  readonly done: AbortController;
}

interface OpenWatch {
  readonly prefix: string;
  readonly handler: WatchHandler;
  seen: number;
}

/**
 * The embedded store of the parent process, reached by messages.
 *
 * A request that was never handed over, and every read without an answer, fails with `STORE_UNAVAILABLE`. A write
 * that was handed over and got no answer fails with `STORE_OUTCOME_UNKNOWN`, whether the parent died or is silent.
 */
export class IpcStore implements Store {
  readonly #channel: MessageChannel;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #requestTimeoutMs: number;
  readonly #pingMs: number;
  readonly #requests = new Map<number, OpenRequest>();
  readonly #watches = new Map<number, OpenWatch>();
  readonly #leases = new Set<KeptLease>();
  readonly #closed = new AbortController();
  #nextId = 1;
  #gone: string | undefined;
  #pinging = false;

  constructor(channel: MessageChannel, options: IpcStoreOptions) {
    this.#channel = channel;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#requestTimeoutMs = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    this.#pingMs = options.pingMs ?? PING_MS;
    channel.onMessage((message) => this.#receive(message as ToChild));
    channel.onClose((reason) => this.#lose(reason));
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    return (await this.#ask({ op: "get", key })).entry;
  }

  list(prefix: string): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }> {
    return this.#ask({ op: "list", prefix });
  }

  async transact(conditions: readonly Compare[], writes: readonly StoreWrite[]): Promise<TransactionResult> {
    const identified = identify(writes);
    checkTransaction(conditions, identified);
    return await this.#ask({ op: "transact", conditions, writes: identified });
  }

  async watch(prefix: string, handler: WatchHandler): Promise<Watch> {
    const id = this.#nextId++;
    this.#watches.set(id, { prefix, handler, seen: 0 });
    try {
      await this.#ask({ op: "watch", watch: id, prefix });
    } catch (error) {
      await this.#unwatch(id);
      throw error;
    }
    if (!this.#pinging) void this.#ping();
    return { close: () => this.#unwatch(id) };
  }

  async lease(ttlMs: number): Promise<Lease> {
    const sentAtMs = this.#clock.monotonicMs();
    const { lease: id } = await this.#ask({ op: "lease", ttlMs });
    const keeper = {
      keepAlive: async (lease: string) => (await this.#ask({ op: "keep-alive", lease })).kept,
      revokeLease: async (lease: string) => {
        this.#leases.delete(kept);
        await this.#ask({ op: "revoke", lease });
      },
    };
    const kept = new KeptLease(this.#clock, keeper, { id, ttlMs, sentAtMs });
    this.#leases.add(kept);
    kept.lost.addEventListener("abort", () => this.#leases.delete(kept), { once: true });
    return kept;
  }

  /** Ends watches and keep-alives here; leases that were not revoked run out by their TTL. */
  async close(): Promise<void> {
    await Promise.all([...this.#watches.keys()].map((id) => this.#unwatch(id)));
    this.#lose("the store has been closed");
  }

  async #unwatch(id: number): Promise<void> {
    if (!this.#watches.delete(id) || this.#gone !== undefined) return;
    await this.#ask({ op: "unwatch", watch: id }).catch(() => undefined);
  }

  #ask<Request extends StoreRequest>(request: Request): Promise<StoreAnswers[Request["op"]]> {
    if (this.#gone !== undefined) return Promise.reject(unavailable(this.#gone));
    if (this.#requests.size >= OPEN_REQUESTS_MAX) {
      return Promise.reject(
        new SwitchyardError("QUEUE_FULL", { what: `${OPEN_REQUESTS_MAX} requests to the store are open already` }),
      );
    }
    const id = this.#nextId++;
    const open = { answer: deferred<never>(), write: request.op === "transact", done: new AbortController() };
    const message: ToHost = { id, request };
    if (!this.#channel.send(message)) return Promise.reject(unavailable("the process that hosts it has gone"));
    this.#requests.set(id, open);
    void this.#giveUpLater(id, open);
    return open.answer.promise;
  }

  async #giveUpLater(id: number, open: OpenRequest): Promise<void> {
    try {
      await this.#clock.sleep(this.#requestTimeoutMs, open.done.signal);
    } catch {
      return;
    }
    this.#requests.delete(id);
    open.answer.reject(noAnswer(open.write, `no answer in ${this.#requestTimeoutMs} ms`));
  }

  #receive(message: ToChild): void {
    if ("watch" in message) this.#deliver(message);
    else {
      const open = this.#requests.get(message.id);
      if (open === undefined) return;
      this.#requests.delete(message.id);
      open.done.abort();
      if ("error" in message) open.answer.reject(receivedError(message.error));
      else open.answer.resolve(message.answer as never);
    }
  }

  #deliver(message: Extract<ToChild, { readonly watch: number }>): void {
    const watch = this.#watches.get(message.watch);
    if (watch === undefined) return;
    this.#guarded(() => {
      if ("reset" in message) watch.handler.reset(message.reset, message.revision);
      else if ("change" in message) watch.handler.change(message.change);
      else watch.handler.stale?.(message.stale);
    });
    watch.seen++;
    this.#channel.send({ watch: message.watch, seen: watch.seen } satisfies ToHost);
  }

  /** While something is watched: tells the watchers when the host falls silent, and starts anew when it is back. */
  async #ping(): Promise<void> {
    this.#pinging = true;
    let stale = false;
    while (!this.#closed.signal.aborted && this.#watches.size > 0) {
      await this.#clock.sleep(this.#pingMs, this.#closed.signal).catch(() => undefined);
      const answered = await this.#answersInTime();
      if (this.#closed.signal.aborted) break;
      if (!answered && !stale) this.#tellStale("the process that hosts the store does not answer");
      if (answered && stale) await this.#watchAnew();
      stale = !answered;
    }
    this.#pinging = false;
  }

  async #answersInTime(): Promise<boolean> {
    const given = new AbortController();
    const late = this.#clock.sleep(this.#pingMs * 3, given.signal).then(
      () => false,
      () => false,
    );
    const answer = this.#ask({ op: "ping" }).then(
      () => true,
      () => false,
    );
    const inTime = await Promise.race([late, answer]);
    given.abort();
    return inTime;
  }

  async #watchAnew(): Promise<void> {
    for (const [id, watch] of this.#watches) {
      watch.seen = 0;
      await this.#ask({ op: "watch", watch: id, prefix: watch.prefix }).catch(() => undefined);
    }
  }

  #lose(reason: string): void {
    if (this.#gone !== undefined) return;
    this.#gone = reason;
    this.#closed.abort();
    for (const open of this.#requests.values()) {
      open.done.abort();
      open.answer.reject(noAnswer(open.write, reason));
    }
    this.#requests.clear();
    for (const lease of this.#leases) lease.abandon();
    this.#leases.clear();
    this.#tellStale(reason);
    this.#watches.clear();
  }

  #tellStale(reason: string): void {
    for (const { handler } of this.#watches.values()) this.#guarded(() => handler.stale?.(reason));
  }

  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#log.error({ error: messageOf(error) }, "a watcher of the store failed");
    }
  }
}

function noAnswer(write: boolean, reason: string): SwitchyardError {
  return write
    ? new SwitchyardError("STORE_OUTCOME_UNKNOWN", {
        what: `the store did not say whether a write was applied: ${reason}`,
        changed: "The write was sent once and not again.",
      })
    : unavailable(reason);
}

function unavailable(reason: string): SwitchyardError {
  return new SwitchyardError("STORE_UNAVAILABLE", { what: `the store cannot be reached: ${reason}` });
}
