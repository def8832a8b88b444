import { within } from "../base/deadline.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import { openAdmin } from "../mysql/admin-connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { DefinitionsOfServer } from "../preflight/read-behind.ts";
import { ServerView } from "../preflight/server-view.ts";
import { serializeRules } from "../rules/rules-codec.ts";
import type { NamesBehind, RulesDocument } from "../rules/rules-document.ts";
import { withBehind } from "../rules/rules-edits.ts";
import { readRules } from "../rules/rules-store.ts";
import { RULES_KEY } from "../rules/store-keys.ts";
import type { Compare } from "../store/store.ts";
import { type ControllerBase, endpointOf } from "./controller-context.ts";

/** How old what is known of a name may become. */
const READ_EVERY_MS = 30_000;
/** When to look again after a look that nothing could come of. */
const AGAIN_AFTER_MS = 1000;
/** In which a server must have said all; a frozen one would keep an arming waiting. */
const READ_TIMEOUT_MS = 10_000;

export type BehindByBackend = Readonly<Record<string, NamesBehind>>;

type AskingContext = Pick<ControllerBase, "backends" | "signal">;

/** What one server has behind names, for rules on these tables; see {@link namesOf}. */
export type AskNames = (context: AskingContext, backend: string, ruled: readonly string[]) => Promise<NamesBehind>;

/**
 * Asks servers what stands behind their views, triggers and routines, as far as tables with rules are concerned.
 *
 * @throws {SwitchyardError} what {@link namesOf} throws
 */
export async function readBehind(
  context: AskingContext,
  backends: readonly string[],
  rules: RulesDocument,
): Promise<BehindByBackend> {
  const ruled = Object.keys(rules.tables);
  const found = await Promise.all(backends.map((backend) => namesOf(context, backend, ruled)));
  return Object.fromEntries(found.map((names, at) => [backends[at] ?? "", names]));
}

/**
 * Asks one server. Its connection is cut when the context's signal aborts or the time is up.
 *
 * @throws {SwitchyardError} `TIMEOUT`, `CANCELLED`, and what the connection throws
 */
export async function namesOf(
  { backends, signal }: AskingContext,
  backend: string,
  ruled: readonly string[],
): Promise<NamesBehind> {
  const endpoint = endpointOf({ backends }, backend);
  const over = new AbortController();
  const end = (): void => over.abort();
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  try {
    const work = Promise.race([ask(endpoint, ruled, over.signal), cancelled(over.signal)]);
    return await within(work, READ_TIMEOUT_MS, `asking server "${backend}" for its views, triggers and routines`);
  } finally {
    end();
    signal.removeEventListener("abort", end);
  }
}

async function ask(endpoint: Endpoint, ruled: readonly string[], over: AbortSignal): Promise<NamesBehind> {
  const connection = await openAdmin(endpoint, { connectTimeoutMs: READ_TIMEOUT_MS });
  const cut = (): void => connection.destroy();
  if (over.aborted) cut();
  over.addEventListener("abort", cut, { once: true });
  try {
    const definitions = await DefinitionsOfServer.read(new ServerView("source", endpoint, connection), ruled);
    return definitions.behind(ruled);
  } finally {
    await connection.close();
    over.removeEventListener("abort", cut);
  }
}

/** Connecting itself is not cut short: nobody must wait for that. */
function cancelled(over: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(new SwitchyardError("CANCELLED", { what: "the servers were no longer asked" }));
    if (over.aborted) fail();
    else over.addEventListener("abort", fail, { once: true });
  });
}

/**
 * Keeps the rules' knowledge of names young while tables live on several servers, in the controller that leads. A server
 * that does not answer keeps what is known of it, and no other waits for it longer than its time.
 */
export class NamesWatch {
  readonly #context: ControllerBase;
  readonly #ask: AskNames;
  readonly #closing = new AbortController();
  #nextMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(context: ControllerBase, ask: AskNames = namesOf) {
    this.#context = context;
    this.#ask = ask;
  }

  /** Called often; reads when it is time. Does not wait. */
  follow(leadership: readonly Compare[]): void {
    const now = this.#context.clock.monotonicMs();
    if (this.#reading !== undefined || now < this.#nextMs || this.#closing.signal.aborted) return;
    this.#nextMs = now + READ_EVERY_MS;
    this.#reading = this.#read(leadership)
      .catch((error: unknown) => {
        this.#context.log.warn({ error: messageOf(error) }, "views, triggers and routines could not be looked at");
      })
      .finally(() => {
        this.#reading = undefined;
      });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#reading;
  }

  async #read(leadership: readonly Compare[]): Promise<void> {
    const { store } = this.#context;
    const { rules, revision } = await readRules(store);
    const homes = new Set([rules.default, ...Object.values(rules.tables).map(({ to }) => to)]);
    if (homes.size < 2) return;
    // Nothing is added to the time for which clients are held, and an arming has asked for itself.
    if (Object.keys(rules.holds).length > 0 || Object.keys(rules.armed).length > 0) {
      this.#lookSoon();
      return;
    }
    const backends = [...homes].filter((backend) => this.#context.backends[backend] !== undefined);
    const next = withBehind(rules, await this.#askEach(backends, Object.keys(rules.tables)));
    if (next === undefined) return;
    // Only if the rules are still those that were read: an arming meanwhile knows better.
    const conditions = [{ key: RULES_KEY, revision }, ...leadership];
    const result = await store.transact(conditions, [{ put: RULES_KEY, value: serializeRules(next) }]);
    if (!result.succeeded) this.#lookSoon();
  }

  async #askEach(backends: readonly string[], ruled: readonly string[]): Promise<BehindByBackend> {
    const { backends: endpoints, log, signal } = this.#context;
    const context = { backends: endpoints, signal: AbortSignal.any([signal, this.#closing.signal]) };
    const answers = await Promise.allSettled(backends.map((backend) => this.#ask(context, backend, ruled)));
    const found: Record<string, NamesBehind> = {};
    for (const [at, answer] of answers.entries()) {
      const backend = backends[at] ?? "";
      if (answer.status === "fulfilled") found[backend] = answer.value;
      else
        log.warn({ backend, error: messageOf(answer.reason) }, "views, triggers and routines could not be looked at");
    }
    return found;
  }

  #lookSoon(): void {
    this.#nextMs = this.#context.clock.monotonicMs() + AGAIN_AFTER_MS;
  }
}
