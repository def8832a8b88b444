import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../../demo/random.ts";
import { CLIENT_KINDS, type ClientSession, type KindOfClient, WrongRead } from "./client-kinds.ts";
import { WriteLedger } from "./write-ledger.ts";

const RECONNECT_MS = 50;
const ERRORS_KEPT_MAX = 200;

export interface SwitchClientsOptions {
  /** One for each proxy; clients are spread over them. */
  readonly urls: readonly string[];
  readonly clients: number;
  readonly thinkMs: number;
  readonly seed: number;
}

/** An error that a client was told, or that its connection was lost. */
export interface ClientError {
  readonly at: string;
  readonly client: number;
  readonly kind: string;
  /** Which of the proxies it is connected to. */
  readonly proxy: number;
  readonly text: string;
}

/**
 * Clients of every kind that write through the proxies without end, and note in a ledger what they were told. One that is
 * told an error connects again and goes on with its next write.
 */
export class SwitchClients {
  readonly ledger = new WriteLedger();
  /** Errors that nothing excuses. */
  readonly errors: ClientError[] = [];
  /** How many errors were excused. */
  excused = 0;
  readonly #options: SwitchClientsOptions;
  readonly #excuses = new Set<(error: ClientError) => boolean>();
  readonly #busy = new Map<number, string>();
  #longestMs = 0;
  #stopped = false;
  #paused: PromiseWithResolvers<void> | undefined;
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: SwitchClientsOptions) {
    this.#options = options;
  }

  /** Lets all of them begin; resolves once each has connected. */
  async start(): Promise<void> {
    const clients = Array.from({ length: this.#options.clients }, (_, client) => {
      const name = kindOf(client);
      const made = CLIENT_KINDS[name]?.();
      if (made === undefined) throw new Error(`there is no kind of client ${name}`);
      return { client, name, kind: made, url: this.#options.urls[this.#proxyOf(client)] ?? "" };
    });
    const sessions = await Promise.all(clients.map(({ kind, url }) => kind.open(url)));
    this.#work = Promise.all(clients.map((one, index) => this.#run(one, sessions[index])));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.resume();
    await this.#work;
  }

  /** Resolves once nothing is under way. @throws {Error} naming those that do not come to an end. */
  async pause(withinMs = 30_000): Promise<void> {
    this.#paused ??= Promise.withResolvers();
    const deadlineMs = performance.now() + withinMs;
    while (this.#busy.size > 0) {
      if (performance.now() > deadlineMs) {
        throw new Error(`these clients wait for an answer: ${[...this.#busy].map((one) => one.join(" ")).join(", ")}`);
      }
      await sleep(2);
    }
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  /** Errors that it covers are counted, and are no finding, until what is given back is called. */
  excuse(covers: (error: ClientError) => boolean): () => void {
    // A new function each time: the same may be in force twice.
    const excuse = (error: ClientError): boolean => covers(error);
    this.#excuses.add(excuse);
    return () => void this.#excuses.delete(excuse);
  }

  /** The kinds of which no client was acknowledged anything. */
  kindsWithoutWrites(): readonly string[] {
    const wrote = new Set<string>();
    for (let client = 0; client < this.#options.clients; client += 1) {
      if (this.ledger.writesOf(client).some(({ state }) => state === "acknowledged")) wrote.add(kindOf(client));
    }
    return Object.keys(CLIENT_KINDS).filter((kind) => !wrote.has(kind));
  }

  /** The longest that a write of one statement has taken since the last time. */
  takeLongestMs(): number {
    const longest = this.#longestMs;
    this.#longestMs = 0;
    return longest;
  }

  #proxyOf(client: number): number {
    return client % this.#options.urls.length;
  }

  async #run(
    { client, name, kind, url }: { client: number; name: string; kind: KindOfClient; url: string },
    first: ClientSession | undefined,
  ): Promise<void> {
    const random = new Random(this.#options.seed * 1000 + client);
    let session = first;
    while (!this.#stopped) {
      await sleep(this.#options.thinkMs * (0.5 + random.next()));
      await this.#paused?.promise;
      if (this.#stopped) break;
      this.#busy.set(client, name);
      try {
        session ??= await kind.open(url);
        const startedMs = performance.now();
        await session.write((plan) => this.ledger.begin(client, plan));
        if (kind.single) this.#longestMs = Math.max(this.#longestMs, performance.now() - startedMs);
      } catch (error) {
        session?.close();
        session = undefined;
        this.#told(client, name, error);
        await sleep(RECONNECT_MS);
      } finally {
        this.#busy.delete(client);
      }
    }
    session?.close();
  }

  #told(client: number, kind: string, thrown: unknown): void {
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    const error = { at: new Date().toISOString(), client, kind, proxy: this.#proxyOf(client), text };
    const excused = !(thrown instanceof WrongRead) && [...this.#excuses].some((covers) => covers(error));
    if (excused) this.excused += 1;
    else if (this.errors.length < ERRORS_KEPT_MAX) this.errors.push(error);
  }
}

/** Neighbours are of one kind, so that each kind comes to each proxy. */
function kindOf(client: number): string {
  const kinds = Object.keys(CLIENT_KINDS);
  return kinds[Math.floor(client / 2) % kinds.length] ?? "";
}
