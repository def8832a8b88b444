import type { Clock } from "../base/clock.ts";
import { type Deadline, deadlineIn } from "../base/deadline.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { certainly, EtcdFailure } from "./etcd-failure.ts";
import { type EtcdAccess, EtcdLink } from "./etcd-link.ts";

export interface EtcdLinksOptions {
  readonly access: EtcdAccess;
  readonly clock: Clock;
  readonly log: Logger;
  /** Read to find out whether an etcd answers. */
  readonly probeKey: Buffer;
}

/** How long one endpoint may take to show that it can be used. */
const PROBE_MS_MAX = 1500;
/** Between two rounds over all endpoints. */
const ROUND_PAUSE_MS = 100;

/**
 * The endpoints of an etcd, of which one is used at a time.
 *
 * A link is used once a read that needs the cluster's agreement has been answered over it, and until something on it
 * has failed. So a write is sent only to an etcd that answered a moment ago, and outcomes that nobody knows are rare.
 */
export class EtcdLinks {
  readonly #links: readonly EtcdLink[];
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #probeKey: Buffer;
  #next = 0;
  #proven: EtcdLink | undefined;
  #last: EtcdLink | undefined;
  #round: Promise<void> | undefined;
  #closed = false;
  #answeredAtMs: number;
  #onMove: (link: EtcdLink) => void = () => undefined;

  constructor({ access, clock, log, probeKey }: EtcdLinksOptions) {
    this.#links = access.endpoints.map((endpoint) => new EtcdLink(endpoint, access, clock));
    this.#clock = clock;
    this.#log = log;
    this.#probeKey = probeKey;
    this.#answeredAtMs = clock.monotonicMs();
  }

  /** Called when another endpoint than before is used. */
  onMove(listener: (link: EtcdLink) => void): void {
    this.#onMove = listener;
  }

  /** How long ago etcd gave an answer of any kind. */
  get silentMs(): number {
    return this.#clock.monotonicMs() - this.#answeredAtMs;
  }

  answered(): void {
    this.#answeredAtMs = this.#clock.monotonicMs();
  }

  /** A link that works. @throws {SwitchyardError} `STORE_UNAVAILABLE` when there is none before `deadline`. */
  async usable(deadline: Deadline): Promise<EtcdLink> {
    let refusal = "no endpoint answers";
    for (;;) {
      if (this.#closed) throw unavailable("it has been closed");
      if (this.#proven !== undefined) return this.#proven;
      const late = new AbortController();
      const giveUp = this.#clock.sleep(deadline.leftMs(), late.signal).catch(() => undefined);
      this.#round ??= this.#prove();
      const failed = this.#round.then(
        () => undefined,
        (error: unknown) => error,
      );
      const error = await Promise.race([failed, giveUp]);
      late.abort();
      if (error instanceof EtcdFailure && error.refused) throw certainly(error);
      if (error !== undefined) refusal = messageOf(error);
      if (this.#proven !== undefined) continue;
      if (deadline.passed) throw unavailable(refusal);
      await this.#clock.sleep(Math.min(ROUND_PAUSE_MS, deadline.leftMs()));
    }
  }

  /** Something on this link has failed: before it is used again it must answer, and another is asked first. */
  doubt(link: EtcdLink): void {
    if (this.#proven !== link) return;
    this.#proven = undefined;
    this.#next = (this.#links.indexOf(link) + 1) % this.#links.length;
  }

  /**
   * Does something that may be done twice, on one link after the other until `timeoutMs` are over.
   *
   * @throws {SwitchyardError} `STORE_UNAVAILABLE`, `STORE_REQUEST_INVALID`
   */
  async repeatedly<T>(timeoutMs: number, work: (link: EtcdLink, attemptMs: number) => Promise<T>): Promise<T> {
    const deadline = deadlineIn(this.#clock, timeoutMs);
    for (;;) {
      const link = await this.usable(deadline);
      try {
        const result = await work(link, Math.min(PROBE_MS_MAX, Math.max(1, deadline.leftMs())));
        this.answered();
        return result;
      } catch (error) {
        if (!(error instanceof EtcdFailure)) throw error;
        if (error.refused) throw certainly(error);
        this.doubt(link);
        if (deadline.passed) throw certainly(error);
      }
    }
  }

  close(): void {
    this.#closed = true;
    this.#proven = undefined;
    for (const link of this.#links) link.close();
  }

  /** One round over all endpoints; ends with the first that answers, or with the failure of the last. */
  async #prove(): Promise<void> {
    let failure: unknown;
    try {
      for (let tried = 0; tried < this.#links.length && !this.#closed; tried++) {
        const link = this.#links[this.#next];
        if (link === undefined) break;
        try {
          await link.connected(PROBE_MS_MAX);
          await link.call("KV", "range", { key: this.#probeKey, count_only: true }, PROBE_MS_MAX);
          this.#use(link);
          return;
        } catch (error) {
          failure = error;
          this.#next = (this.#next + 1) % this.#links.length;
        }
      }
    } finally {
      this.#round = undefined;
    }
    throw failure;
  }

  #use(link: EtcdLink): void {
    if (this.#closed) return;
    this.answered();
    this.#proven = link;
    if (this.#last === link) return;
    const moved = this.#last !== undefined;
    this.#last = link;
    this.#log.info({ endpoint: link.endpoint }, moved ? "another etcd is used" : "etcd answers");
    if (moved) this.#onMove(link);
  }
}

function unavailable(reason: string): SwitchyardError {
  return new SwitchyardError("STORE_UNAVAILABLE", { what: `the store cannot be reached: ${reason}` });
}
