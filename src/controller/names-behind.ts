import { messageOf } from "../base/errors.ts";
import { openAdmin } from "../mysql/admin-connection.ts";
import { DefinitionsOfServer } from "../preflight/read-behind.ts";
import { ServerView } from "../preflight/server-view.ts";
import type { NamesBehind, RulesDocument } from "../rules/rules-document.ts";
import { withBehind } from "../rules/rules-edits.ts";
import { changeRulesTogether, readRules } from "../rules/rules-store.ts";
import type { Compare } from "../store/store.ts";
import { type ControllerBase, endpointOf } from "./controller-context.ts";

/** How old what is known of a name may become. */
const READ_EVERY_MS = 30_000;

export type BehindByBackend = Readonly<Record<string, NamesBehind>>;

/**
 * Asks servers what stands behind their views, triggers and routines, as far as tables with rules are concerned.
 *
 * @throws {SwitchyardError} what the connections throw
 */
export async function readBehind(
  context: Pick<ControllerBase, "backends">,
  backends: readonly string[],
  rules: RulesDocument,
): Promise<BehindByBackend> {
  const ruled = new Set(Object.keys(rules.tables).map((key) => key.toLowerCase()));
  const found: Record<string, NamesBehind> = {};
  for (const backend of backends) {
    const endpoint = endpointOf(context, backend);
    const connection = await openAdmin(endpoint);
    try {
      const definitions = await DefinitionsOfServer.read(new ServerView("source", endpoint, connection));
      found[backend] = definitions.behind(ruled);
    } finally {
      await connection.close();
    }
  }
  return found;
}

/**
 * Keeps the rules' knowledge of names young while tables live on several servers, in the controller that leads. A server
 * that does not answer keeps what is known of it.
 */
export class NamesWatch {
  readonly #context: ControllerBase;
  #lastMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(context: ControllerBase) {
    this.#context = context;
  }

  /** Called often; reads when it is time. Does not wait. */
  follow(leadership: readonly Compare[]): void {
    const now = this.#context.clock.monotonicMs();
    if (this.#reading !== undefined || now - this.#lastMs < READ_EVERY_MS) return;
    this.#lastMs = now;
    this.#reading = this.#read(leadership)
      .catch((error: unknown) => {
        this.#context.log.warn({ error: messageOf(error) }, "views, triggers and routines could not be looked at");
      })
      .finally(() => {
        this.#reading = undefined;
      });
  }

  async close(): Promise<void> {
    await this.#reading;
  }

  async #read(leadership: readonly Compare[]): Promise<void> {
    const { store } = this.#context;
    const { rules } = await readRules(store);
    const homes = new Set([rules.default, ...Object.values(rules.tables).map(({ to }) => to)]);
    if (homes.size < 2) return;
    const backends = [...homes].filter((backend) => this.#context.backends[backend] !== undefined);
    const found = await readBehind(this.#context, backends, rules);
    await changeRulesTogether(store, async (present) => {
      // Nothing is added to the time for which clients are held; the next look comes soon.
      const next = Object.keys(present.holds).length > 0 ? undefined : withBehind(present, found);
      return next === undefined ? undefined : { rules: next, conditions: leadership, writes: [] };
    });
  }
}
