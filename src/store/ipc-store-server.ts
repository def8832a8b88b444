import { messageOf, SwitchyardError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { EmbeddedStore } from "./embedded-store.ts";
import { type StoreAnswers, type StoreRequest, type ToChild, type ToHost, transportError } from "./ipc-messages.ts";
import type { MessageChannel } from "./message-channel.ts";
import type { Watch } from "./store.ts";

/** Requests of one child that may be open at once. */
const OPEN_REQUESTS_MAX = 2048;
/** Watch messages that a child may leave unconfirmed; past it the watch starts again from the whole truth. */
const UNCONFIRMED_MAX = 1024;

/** One watch of a child, and how far the child has followed it. */
interface ServedWatch {
  readonly prefix: string;
  sent: number;
  seen: number;
  /** Closed because the child did not keep up; opened anew when it has caught up. */
  lagging: boolean;
  closed: boolean;
  watch: Watch | undefined;
}

/** The child whose requests are answered. */
export interface ServedChild {
  /** The process has ended (not merely closed its channel): its leases end now. */
  ended(): Promise<void>;
}

/**
 * Answers the requests of one child from the embedded store.
 *
 * When the channel closes, watches end. Leases run out by their TTL, since a process whose channel is closed may
 * still be alive and trust them; {@link ServedChild.ended} ends them at once.
 */
export function serveStore(store: EmbeddedStore, channel: MessageChannel, log: Logger): ServedChild {
  const server = new IpcStoreServer(store, channel, log);
  channel.onMessage((message) => server.receive(message as ToHost));
  channel.onClose(() => server.closeWatches());
  return { ended: () => server.endLeases() };
}

class IpcStoreServer {
  readonly #store: EmbeddedStore;
  readonly #channel: MessageChannel;
  readonly #log: Logger;
  readonly #watches = new Map<number, ServedWatch>();
  readonly #leases = new Set<string>();
  #open = 0;

  constructor(store: EmbeddedStore, channel: MessageChannel, log: Logger) {
    this.#store = store;
    this.#channel = channel;
    this.#log = log;
  }

  receive(message: ToHost): void {
    if ("request" in message) void this.#serve(message.id, message.request);
    else this.#confirmed(message.watch, message.seen);
  }

  closeWatches(): void {
    for (const id of [...this.#watches.keys()]) void this.#unwatch(id);
  }

  async endLeases(): Promise<void> {
    this.closeWatches();
    const leases = [...this.#leases];
    this.#leases.clear();
    await Promise.all(leases.map((id) => this.#store.revokeLease(id)));
  }

  async #serve(id: number, request: StoreRequest): Promise<void> {
    this.#open++;
    try {
      if (this.#open > OPEN_REQUESTS_MAX) {
        throw new SwitchyardError("QUEUE_FULL", {
          what: `a process has ${OPEN_REQUESTS_MAX} requests to the store open`,
        });
      }
      this.#send({ id, answer: await this.#answer(request) });
    } catch (error) {
      this.#send({ id, error: transportError(error) });
    } finally {
      this.#open--;
    }
  }

  async #answer(request: StoreRequest): Promise<StoreAnswers[StoreRequest["op"]]> {
    switch (request.op) {
      case "get": {
        const entry = await this.#store.get(request.key);
        return entry === undefined ? {} : { entry };
      }
      case "list":
        return await this.#store.list(request.prefix);
      case "transact":
        return await this.#store.transactIdentified(request.conditions, request.writes);
      case "watch":
        await this.#watch(request.watch, request.prefix);
        return {};
      case "unwatch":
        await this.#unwatch(request.watch);
        return {};
      case "lease": {
        const lease = await this.#store.grantLease(request.ttlMs);
        this.#leases.add(lease);
        return { lease };
      }
      case "keep-alive": {
        const kept = await this.#store.keepAlive(request.lease);
        if (!kept) this.#leases.delete(request.lease);
        return { kept };
      }
      case "revoke":
        this.#leases.delete(request.lease);
        await this.#store.revokeLease(request.lease);
        return {};
      case "ping":
        return {};
    }
  }

  async #watch(id: number, prefix: string): Promise<void> {
    await this.#unwatch(id);
    const served: ServedWatch = { prefix, sent: 0, seen: 0, lagging: false, closed: false, watch: undefined };
    this.#watches.set(id, served);
    await this.#follow(id, served);
  }

  async #follow(id: number, served: ServedWatch): Promise<void> {
    const watch = await this.#store.watch(served.prefix, {
      reset: (reset, revision) => this.#report(id, served, { watch: id, reset, revision }),
      change: (change) => this.#report(id, served, { watch: id, change }),
      stale: (stale) => this.#report(id, served, { watch: id, stale }),
    });
    served.watch = watch;
    if (served.closed || served.lagging) await watch.close();
  }

  async #unwatch(id: number): Promise<void> {
    const served = this.#watches.get(id);
    if (served === undefined) return;
    this.#watches.delete(id);
    served.closed = true;
    await served.watch?.close();
  }

  #report(id: number, served: ServedWatch, message: ToChild): void {
    if (served.closed || served.lagging) return;
    if (served.sent - served.seen >= UNCONFIRMED_MAX) {
      served.lagging = true;
      void served.watch?.close();
      this.#log.warn({ watch: id, prefix: served.prefix }, "a process does not keep up with its watch of the store");
      return;
    }
    served.sent++;
    this.#send(message);
  }

  /** The child has handled `seen` messages of the watch. One that lagged and has caught up starts anew. */
  #confirmed(id: number, seen: number): void {
    const served = this.#watches.get(id);
    if (served === undefined) return;
    served.seen = Math.min(seen, served.sent);
    if (!served.lagging || served.seen < served.sent) return;
    served.lagging = false;
    this.#follow(id, served).catch((error: unknown) => {
      this.#log.warn({ watch: id, error: messageOf(error) }, "could not start a watch of the store again");
    });
  }

  #send(message: ToChild): void {
    this.#channel.send(message);
  }
}
