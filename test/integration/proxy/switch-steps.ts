import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { abortInStore } from "../../../src/cutover/abort.ts";
import { type Attempt, newAttempt } from "../../../src/cutover/attempt.ts";
import { readState } from "../../../src/cutover/journal.ts";
import type { SwitchPorts } from "../../../src/cutover/ports.ts";
import { arm } from "../../../src/cutover/step-arm.ts";
import { awaitArmed, watchProxies } from "../../../src/cutover/step-armed.ts";
import { drain, hold } from "../../../src/cutover/step-hold.ts";
import { DEFAULT_SWITCH_LIMITS, type Insistence, type SwitchLimits } from "../../../src/cutover/switch-options.ts";
import { MIGRATIONS_PREFIX } from "../../../src/rules/store-keys.ts";
import { migrationDocument } from "../../unit/cutover/memory-store.ts";
import type { Harness } from "./proxy-harness.ts";

const MIGRATION = "orders";

/** How a switch treats sessions in its way, and for how long. */
export interface Insistent {
  readonly openTransactions?: Insistence;
  readonly pinned?: Insistence;
  readonly limits?: Partial<SwitchLimits>;
}

/** The part of a real switch in which it meets clients: from the arming until all is drained. What follows is not done. */
export class SwitchSteps {
  readonly #attempt: Attempt;

  private constructor(attempt: Attempt) {
    this.#attempt = attempt;
  }

  static async begin(harness: Harness, token: string, { limits, ...insistent }: Insistent): Promise<SwitchSteps> {
    const { store } = harness;
    // Of a journal that knows no servers, whatever the proxy reaches is right.
    const uuids = { sourceUuid: "", targetUuid: "" };
    const document = { ...migrationDocument(), ...uuids, id: MIGRATION, tables: ["shop.orders"] };
    await store.transact([], [{ put: MIGRATIONS_PREFIX + MIGRATION, value: JSON.stringify(document) }]);
    const ports = {
      store,
      clock: systemClock,
      log: silentLogger,
      failpoint: () => Promise.resolve(),
      leadership: () => [],
      newToken: () => token,
      progress: () => undefined,
      signal: new AbortController().signal,
    } as unknown as SwitchPorts;
    const options = {
      migration: MIGRATION,
      kind: "switch" as const,
      who: "test",
      limits: { ...DEFAULT_SWITCH_LIMITS, drainTimeoutMs: 150, armTimeoutMs: 400, ...limits },
      ...insistent,
    };
    const attempt = newAttempt(ports, options, await readState(store, MIGRATION), token);
    await watchProxies(attempt);
    return new SwitchSteps(attempt);
  }

  /** @throws {SwitchyardError} as the steps do */
  async toDrained(): Promise<void> {
    await arm(this.#attempt);
    await awaitArmed(this.#attempt);
    await hold(this.#attempt);
    await drain(this.#attempt);
  }

  /** Takes hold and arming back, as every attempt does that has not swapped. */
  async end(): Promise<void> {
    const { ports, ends, token } = this.#attempt;
    await abortInStore(ports, { ends, token, who: "test", reason: "the test is done" });
    await this.#attempt.proxies?.close();
  }
}
