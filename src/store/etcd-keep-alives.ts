import type { Clock } from "../base/clock.ts";
import { deadlineIn } from "../base/deadline.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { EtcdFailure, GRPC } from "./etcd-failure.ts";
import type { EtcdLink, EtcdStream } from "./etcd-link.ts";
import type { EtcdLinks } from "./etcd-links.ts";

interface KeepAliveAnswer {
  readonly ID: string;
  readonly TTL: string;
}

interface OpenStream {
  readonly link: EtcdLink;
  readonly stream: EtcdStream;
  /** By lease; etcd answers in the order of the questions. */
  readonly waiting: Map<string, Deferred<boolean>[]>;
}

/** A keep-alive without an answer for this long; several fit into the shortest lease that is of use. */
const ANSWER_MS_MAX = 1500;

/**
 * Sends keep-alives over one stream and matches each with its own answer, so that the sender knows which of those it
 * has sent was answered.
 */
export class EtcdKeepAlives {
  readonly #links: EtcdLinks;
  readonly #clock: Clock;
  #opening: Promise<OpenStream> | undefined;
  #open: OpenStream | undefined;

  constructor(links: EtcdLinks, clock: Clock) {
    this.#links = links;
    this.#clock = clock;
  }

  /** False when etcd says that the lease has ended; throws when it does not say. */
  async send(lease: string): Promise<boolean> {
    const open = await this.#stream();
    const answer = deferred<boolean>();
    const waiting = open.waiting.get(lease) ?? [];
    open.waiting.set(lease, waiting);
    waiting.push(answer);
    open.stream.write({ ID: lease });
    const answered = new AbortController();
    void this.#clock.sleep(ANSWER_MS_MAX, answered.signal).then(
      () => this.#drop(open, `no answer to a keep-alive in ${ANSWER_MS_MAX} ms`),
      () => undefined,
    );
    try {
      return await answer.promise;
    } finally {
      answered.abort();
    }
  }

  close(): void {
    if (this.#open !== undefined) this.#drop(this.#open, "the store has been closed");
  }

  #stream(): Promise<OpenStream> {
    if (this.#open !== undefined) return Promise.resolve(this.#open);
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #connect(): Promise<OpenStream> {
    const link = await this.#links.usable(deadlineIn(this.#clock, ANSWER_MS_MAX));
    const waiting = new Map<string, Deferred<boolean>[]>();
    const early: { why?: string } = {};
    const stream = await link.open<KeepAliveAnswer>("Lease", "leaseKeepAlive", {
      message: (answer) => {
        this.#links.answered();
        waiting
          .get(answer.ID)
          ?.shift()
          ?.resolve(Number(answer.TTL) > 0);
      },
      ended: (why) => {
        early.why = why;
        if (this.#open?.waiting === waiting) this.#drop(this.#open, why);
      },
    });
    if (early.why !== undefined) throw new EtcdFailure(GRPC.unavailable, early.why);
    this.#open = { link, stream, waiting };
    return this.#open;
  }

  #drop(open: OpenStream, why: string): void {
    if (this.#open === open) this.#open = undefined;
    open.stream.cancel();
    this.#links.doubt(open.link);
    for (const answers of open.waiting.values()) {
      for (const answer of answers.splice(0)) answer.reject(new EtcdFailure(GRPC.unavailable, why));
    }
  }
}
