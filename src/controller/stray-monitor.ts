import { messageOf } from "../base/errors.ts";
import { readMigration } from "../cutover/journal.ts";
import type { Stray } from "../cutover/ports.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import { openHome } from "./homes.ts";
import type { MigrationRunner } from "./migration-runner.ts";

const LOOK_EVERY_MS = 2000;
const LOOK_TIMEOUT_MS = 30_000;
const STRAYS_SHOWN_MAX = 50;

/** Writes to the fenced old home that no stream of ours made. */
export interface StrayReport {
  readonly total: number;
  readonly strays: readonly Stray[];
}

/**
 * Looks through the binary log of the server that is not the tables' home, from the position of the cut on, for as
 * long as there is a way back: TRUNCATE, RENAME and DROP TRIGGER get past the lasting fence.
 */
export class StrayMonitor {
  readonly #runner: MigrationRunner;
  #token: string | undefined;
  #position: string | undefined;
  #lastLookMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;
  #closed = false;
  report: StrayReport | undefined;

  constructor(runner: MigrationRunner) {
    this.#runner = runner;
  }

  /** Called often; looks when it is time. Does not wait. */
  follow(): void {
    const { document, context } = this.#runner;
    if (this.#closed || this.#looking !== undefined || document.phase !== "switched") return;
    if (document.fenceToken === undefined || document.cutPosition === undefined) return;
    const now = context.clock.monotonicMs();
    if (now - this.#lastLookMs < LOOK_EVERY_MS) return;
    if (this.#token !== document.fenceToken) {
      this.#token = document.fenceToken;
      this.#position = document.cutPosition;
      this.report = undefined;
    }
    this.#lastLookMs = now;
    this.#looking = this.#look(this.#position ?? document.cutPosition, document.fenceToken)
      .catch((error: unknown) => {
        this.#runner.log.warn(
          { error: messageOf(error) },
          "the old home's binary log could not be searched for strays",
        );
      })
      .finally(() => {
        this.#looking = undefined;
      });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#looking;
  }

  async #look(from: string, token: string): Promise<void> {
    const { document, context, log } = this.#runner;
    const home = openHome(context, document, document.source);
    const to = await home.inspect((view) => view.executed());
    // Once a rollback has swapped, clients write there. What was executed before the journal still bears the fence's token was not theirs.
    const { document: now } = await readMigration(context.store, document.id);
    if (to === from || now.fenceToken !== token) return;
    const watch = await home.watchStrays(from);
    try {
      const strays = executedIn(to, await watch.upTo(to, { timeoutMs: LOOK_TIMEOUT_MS }));
      if (strays.length > 0) {
        const known = this.report ?? { total: 0, strays: [] };
        const shown = [...known.strays, ...strays].slice(0, STRAYS_SHOWN_MAX);
        this.report = { total: known.total + strays.length, strays: shown };
        log.error({ strays: strays.slice(0, 5) }, "somebody has written to the fenced tables of the old home");
        const first = strays[0];
        await this.#runner.record({
          who: "switchyard",
          what: `${strays.length} writes on the old home that are not ours, the first: ${first?.what} on ${first?.table} in ${first?.gtid}`,
        });
      }
      this.#position = to;
    } finally {
      await watch.close();
    }
  }
}

/** The log is read beyond the position that is waited for, where a rollback may have made the server the home again. */
export function executedIn(position: string, strays: readonly Stray[]): readonly Stray[] {
  const executed = GtidSet.parse(position);
  return strays.filter(({ gtid }) => executed.contains(GtidSet.parse(gtid)));
}
