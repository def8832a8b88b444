import { messageOf } from "../base/errors.ts";
import { readMigration } from "../cutover/journal.ts";
import type { MigrationDocument } from "../cutover/migration-document.ts";
import type { Stray, StrayWatch } from "../cutover/ports.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import { withoutDiffs } from "./diff-run.ts";
import { openHome } from "./homes.ts";
import type { MigrationRunner } from "./migration-runner.ts";

const LOOK_EVERY_MS = 2000;
const LOOK_TIMEOUT_MS = 30_000;
const STRAYS_SHOWN_MAX = 50;

/** Writes to the fenced server that the tables have left which no stream of ours made. */
export interface StrayReport {
  readonly server: string;
  readonly total: number;
  readonly strays: readonly Stray[];
}

/** The server that the tables have left last, and that is fenced since; none where they have not moved, or are moving. */
export function fencedServer(
  document: Pick<MigrationDocument, "phase" | "fenceToken" | "source" | "target">,
): string | undefined {
  if (document.fenceToken === undefined) return undefined;
  if (document.phase === "switched") return document.source;
  return document.phase === "running" ? document.target : undefined;
}

/** Of strays in the order of the log, those behind the last one that the history names. */
export function untold(strays: readonly Stray[], history: MigrationDocument["history"]): readonly Stray[] {
  const told = strays.findLastIndex(({ gtid }) => history.some(({ what }) => what.endsWith(lastIn(gtid))));
  return strays.slice(told + 1);
}

function lastIn(gtid: string): string {
  return `, the last in ${gtid}`;
}

/**
 * Looks through the binary log of the server that is not the tables' home, from the position of the cut on, for as
 * long as there is a way there: TRUNCATE, RENAME and DROP TRIGGER get past the lasting fence, and anything does where a
 * crash has taken the lock before that fence stood.
 *
 * What is found is shown, goes into the history, and no diff of before opens a gate any more.
 *
 * One connection follows the log from look to look: a server that is asked anew reads its newest log from the beginning.
 */
export class StrayMonitor {
  readonly #runner: MigrationRunner;
  #token: string | undefined;
  #position: string | undefined;
  #watch: StrayWatch | undefined;
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
    const server = fencedServer(document);
    if (this.#closed || this.#looking !== undefined) return;
    if (server === undefined || document.cutPosition === undefined) {
      this.#endWatch();
      return;
    }
    const now = context.clock.monotonicMs();
    if (now - this.#lastLookMs < LOOK_EVERY_MS) return;
    if (this.#token !== document.fenceToken) {
      this.#token = document.fenceToken;
      this.#position = document.cutPosition;
      this.report = undefined;
      this.#endWatch();
    }
    this.#lastLookMs = now;
    this.#looking = this.#look(server, this.#position ?? document.cutPosition)
      .catch((error: unknown) => {
        this.#runner.log.warn(
          { server, error: messageOf(error) },
          "the binary log of the server that the tables have left could not be searched for strays",
        );
      })
      .finally(() => {
        this.#looking = undefined;
      });
  }

  /** Looks, and waits for it. What is found has been told then; a look that fails is made again when it is time. */
  async lookNow(): Promise<void> {
    await this.#looking;
    this.#lastLookMs = Number.NEGATIVE_INFINITY;
    this.follow();
    await this.#looking;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#looking;
    this.#endWatch();
  }

  async #look(server: string, from: string): Promise<void> {
    const { document, context } = this.#runner;
    const home = openHome(context, document, server);
    const to = await home.inspect((view) => view.executed());
    // Once the tables have moved back, clients write there. What was executed before the journal still bears the fence's token was not theirs.
    const { document: now } = await readMigration(context.store, document.id);
    if (to === from || now.fenceToken !== document.fenceToken) return;
    try {
      this.#watch ??= await home.watchStrays(from);
      const found = await this.#watch.upTo(to, { timeoutMs: LOOK_TIMEOUT_MS, after: from });
      const strays = executedIn(to, found);
      if (strays.length > 0) {
        // First the journal: where it cannot be told now, the next look finds the same again.
        await this.#tell(server, untold(strays, now.history));
        const known = this.report ?? { server, total: 0, strays: [] };
        const shown = [...known.strays, ...strays].slice(0, STRAYS_SHOWN_MAX);
        this.report = { server, total: known.total + strays.length, strays: shown };
      }
      this.#position = to;
    } catch (error) {
      this.#endWatch();
      throw error;
    }
  }

  #endWatch(): void {
    this.#watch?.close().catch(() => undefined);
    this.#watch = undefined;
  }

  /** A controller that takes the migration over reads the log from the cut on again, and finds what has been told. */
  async #tell(server: string, strays: readonly Stray[]): Promise<void> {
    const [first, last] = [strays[0], strays.at(-1)];
    if (first === undefined || last === undefined) return;
    this.#runner.log.error(
      { server, strays: strays.slice(0, 5) },
      "somebody has written to the fenced tables of the server that they have left",
    );
    const what = `${strays.length} writes on ${server} that are not ours, the first: ${first.what} on ${first.table} in ${first.gtid}`;
    await this.#runner.record({ who: "switchyard", what: what + lastIn(last.gtid) }, withoutDiffs);
  }
}

/** The log is read beyond the position that is waited for, where a rollback may have made the server the home again. */
export function executedIn(position: string, strays: readonly Stray[]): readonly Stray[] {
  const executed = GtidSet.parse(position);
  return strays.filter(({ gtid }) => executed.contains(GtidSet.parse(gtid)));
}
