import type { Clock } from "../base/clock.ts";
import type { ReachedServers } from "../rules/proxy-document.ts";
import type { BackendConnection } from "./backend-connection.ts";

/** What a connection is asked for its server. Any account may ask; one whose password has expired gets an error. */
export const SERVER_UUID = "@@global.server_uuid";

const UUID = /^[0-9a-f-]{36}$/;

/** A server stays listed for so long without a connection: clients that come and go one by one are no news to the store. */
const LINGER_MS = 1000;

/** What is kept of one backend. */
interface Reached {
  newest: string;
  /** How many connections are open to each server. */
  readonly open: Map<string, number>;
}

/**
 * Which servers this worker's connections lead to. An address may lead elsewhere than the controller's of the same name, or
 * to another server than before; connections that were made before stay where they are.
 */
export class ServersReached {
  readonly #backends = new Map<string, Reached>();
  readonly #known = new WeakSet<BackendConnection>();
  readonly #clock: Clock;
  readonly #stop: AbortSignal;
  readonly #changed: () => void;

  constructor(clock: Clock, stop: AbortSignal, changed: () => void) {
    this.#clock = clock;
    this.#stop = stop;
    this.#changed = changed;
  }

  /** A connection has been told where it leads; it is counted once, until it ends. What is no uuid is passed over. */
  tells(connection: BackendConnection, uuid: string | null | undefined): void {
    if (typeof uuid !== "string" || !UUID.test(uuid) || connection.isLost || this.#known.has(connection)) return;
    this.#known.add(connection);
    const known = this.#backends.get(connection.name);
    const reached = known ?? { newest: uuid, open: new Map<string, number>() };
    this.#backends.set(connection.name, reached);
    const isNews = !reached.open.has(uuid) || reached.newest !== uuid;
    reached.newest = uuid;
    reached.open.set(uuid, (reached.open.get(uuid) ?? 0) + 1);
    if (isNews) this.#changed();
    void connection.closed.then(() => this.#ended(reached, uuid));
  }

  /** What is told to the controller. */
  list(): Record<string, ReachedServers> {
    return Object.fromEntries(
      [...this.#backends].map(([backend, { newest, open }]) => [backend, { newest, open: [...open.keys()].sort() }]),
    );
  }

  #ended(reached: Reached, uuid: string): void {
    const left = (reached.open.get(uuid) ?? 1) - 1;
    reached.open.set(uuid, left);
    if (left > 0) return;
    const forget = (): void => {
      if (reached.open.get(uuid) === 0 && reached.open.delete(uuid)) this.#changed();
    };
    void this.#clock.sleep(LINGER_MS, this.#stop).then(forget, () => undefined);
  }
}
