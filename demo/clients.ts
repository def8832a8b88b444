import { setTimeout as sleep } from "node:timers/promises";
import { browse, readOwnCart, readOwnOrder } from "./client-reads.ts";
import { ClientSession, type SessionOptions, StatementError } from "./client-session.ts";
import {
  type AfterWrite,
  advanceOrder,
  cancelOrder,
  dropCart,
  placeOrder,
  restock,
  saveCart,
  transfer,
  type WorkContext,
} from "./client-work.ts";
import type { LatencyLog } from "./latency-log.ts";
import type { Ledger, Outcome } from "./ledger.ts";
import { Random } from "./random.ts";

type Work =
  | {
      readonly weight: number;
      readonly write: (context: WorkContext) => Promise<AfterWrite>;
      readonly transaction: boolean;
    }
  /** A transaction that the client itself takes back. */
  | { readonly weight: number; readonly abandon: (context: WorkContext) => Promise<AfterWrite> }
  | { readonly weight: number; readonly read: (context: WorkContext) => Promise<void> };

const WORK: readonly Work[] = [
  { weight: 20, write: restock, transaction: false },
  { weight: 15, write: transfer, transaction: true },
  { weight: 10, write: placeOrder, transaction: true },
  { weight: 10, write: advanceOrder, transaction: false },
  { weight: 3, write: cancelOrder, transaction: true },
  { weight: 15, write: saveCart, transaction: false },
  { weight: 3, write: dropCart, transaction: false },
  { weight: 3, abandon: transfer },
  { weight: 12, read: readOwnCart },
  { weight: 8, read: readOwnOrder },
  { weight: 10, read: browse },
];

const ERRORS_KEPT_MAX = 50;

export interface ClientsOptions {
  /** Connection strings, one for each proxy; clients are spread over them. */
  readonly urls: readonly string[];
  readonly count: number;
  readonly ledger: Ledger;
  readonly latencies: LatencyLog;
  /** A client thinks between 0.5 and 1.5 of this long between two pieces of work. */
  readonly thinkMs: number;
  readonly seed: number;
}

/** The applications of the demo: each client has one connection and one thing under way at a time. */
export class Clients {
  readonly #options: ClientsOptions;
  readonly #clients: ShopClient[];
  readonly #stop = { requested: false };
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#clients = Array.from({ length: options.count }, (_, index) => new ShopClient(index + 1, options, this.#stop));
  }

  /** Errors that clients saw, and reads that did not show what the client had written. */
  get errors(): number {
    return this.#clients.reduce((sum, client) => sum + client.errors, 0);
  }

  /** The first errors, in words. */
  get errorTexts(): string[] {
    return this.#clients.flatMap((client) => client.errorTexts).slice(0, ERRORS_KEPT_MAX);
  }

  /** Connects all of them, then lets them work until {@link stop}. */
  async start(): Promise<void> {
    for (const client of this.#clients) await client.connect();
    this.#running = Promise.all(this.#clients.map((client) => client.run()));
  }

  /** Lets each client finish what it has under way, and waits for that. */
  async stop(): Promise<void> {
    this.#stop.requested = true;
    await this.#running;
    this.#options.ledger.close();
  }
}

class ShopClient {
  errors = 0;
  readonly errorTexts: string[] = [];
  readonly #client: number;
  readonly #options: ClientsOptions;
  readonly #stop: { readonly requested: boolean };
  readonly #session: ClientSession;
  readonly #random: Random;
  readonly #carts: WorkContext["carts"] = new Map();
  readonly #orders: WorkContext["orders"] = [];
  #sequence = 0;

  constructor(client: number, options: ClientsOptions, stop: { readonly requested: boolean }) {
    this.#client = client;
    this.#options = options;
    this.#stop = stop;
    this.#random = new Random(options.seed * 1_000 + client);
    const url = options.urls[client % options.urls.length] ?? "";
    const session: SessionOptions = { url, tls: client % 4 === 0 };
    this.#session = new ClientSession(session, options.latencies);
  }

  async connect(): Promise<void> {
    await this.#session.open();
  }

  async run(): Promise<void> {
    while (!this.#stop.requested) {
      await sleep(this.#options.thinkMs * (0.5 + this.#random.next()));
      await this.#work(this.#choose());
    }
    await this.#session.close();
  }

  #choose(): Work {
    let left = this.#random.below(WORK.reduce((sum, work) => sum + work.weight, 0));
    const chosen = WORK.find((work) => {
      left -= work.weight;
      return left < 0;
    });
    return chosen ?? { weight: 0, read: browse };
  }

  async #work(work: Work): Promise<void> {
    if ("read" in work) {
      await work.read(this.#context()).catch((error: unknown) => this.#failed(error));
      return;
    }
    this.#sequence++;
    if ("abandon" in work) await this.#abandon(work.abandon);
    else if (work.transaction) await this.#transaction(work.write);
    else await this.#autocommit(work.write);
  }

  #context(): WorkContext {
    return {
      client: this.#client,
      session: this.#session,
      random: this.#random,
      sequence: this.#sequence,
      carts: this.#carts,
      orders: this.#orders,
      effects: [],
    };
  }

  async #autocommit(write: (context: WorkContext) => Promise<AfterWrite>): Promise<void> {
    const context = this.#context();
    try {
      const after = await write(context);
      this.#record("acknowledged", context);
      after();
    } catch (error) {
      this.#record(error instanceof StatementError && error.sure ? "refused" : "unknown", context);
      await this.#failed(error);
    }
  }

  async #transaction(write: (context: WorkContext) => Promise<AfterWrite>): Promise<void> {
    const context = this.#context();
    let committing = false;
    try {
      await this.#session.text("BEGIN");
      const after = await write(context);
      committing = true;
      await this.#session.text("COMMIT");
      this.#record("acknowledged", context);
      after();
    } catch (error) {
      // Before its COMMIT was sent, a broken connection leaves nothing behind.
      const sure = !committing || (error instanceof StatementError && error.sure);
      this.#record(sure ? "refused" : "unknown", context);
      await this.#failed(error);
    }
  }

  async #abandon(write: (context: WorkContext) => Promise<AfterWrite>): Promise<void> {
    const context = this.#context();
    try {
      await this.#session.text("START TRANSACTION");
      await write(context);
      await this.#session.text("ROLLBACK");
      this.#record("refused", context);
    } catch (error) {
      this.#record("refused", context);
      await this.#failed(error);
    }
  }

  #record(outcome: Outcome, { effects }: WorkContext): void {
    this.#options.ledger.record({ client: this.#client, sequence: this.#sequence, outcome, effects });
  }

  /** Counts an error, and starts over on a new connection, as an application's pool would. */
  async #failed(error: unknown): Promise<void> {
    this.errors++;
    const text = error instanceof Error ? error.message : String(error);
    this.errorTexts.push(`${new Date().toISOString()} client ${this.#client}, write ${this.#sequence}: ${text}`);
    this.#session.drop();
    // What an unanswered write has left of the own rows is not known.
    this.#carts.clear();
    this.#orders.length = 0;
    while (!this.#stop.requested) {
      try {
        await this.#session.open();
        return;
      } catch (again) {
        this.errors++;
        this.errorTexts.push(`client ${this.#client} cannot connect: ${again instanceof Error ? again.message : ""}`);
        await sleep(200);
      }
    }
  }
}
