import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { serializeLeader } from "../rules/controller-documents.ts";
import { LEADER_KEY } from "../rules/store-keys.ts";
import type { Compare, Store } from "../store/store.ts";
import type { FleetView } from "./fleet-view.ts";
import type { Membership } from "./membership.ts";

/** Whether this controller leads: does what concerns no single migration. */
export class Leadership {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #member: Membership;
  #fencingToken: number | undefined;

  constructor(options: { readonly store: Store; readonly log: Logger; readonly member: Membership }) {
    this.#store = options.store;
    this.#log = options.log;
    this.#member = options.member;
  }

  /** Conditions that hold only while this controller leads; absent where it does not. */
  get conditions(): readonly Compare[] | undefined {
    return this.#fencingToken === undefined ? undefined : [{ key: LEADER_KEY, revision: this.#fencingToken }];
  }

  /**
   * Takes leadership where nobody has it, and sees where it was lost. True when this controller has just begun to lead.
   * A store that does not answer is asked again at the next look.
   */
  async seek(view: FleetView): Promise<boolean> {
    if (this.#fencingToken !== undefined) {
      if (view.leaderHasGone(this.#fencingToken)) {
        this.#fencingToken = undefined;
        this.#log.warn({}, "this controller leads no more");
      }
      return false;
    }
    const { id, nonce, lease } = this.#member;
    const { leader } = view;
    // The answer to an earlier write of ours may have been lost.
    if (leader !== undefined) return leader.value.nonce === nonce && this.#begin(leader.revision);
    try {
      const value = serializeLeader({ id, nonce });
      const result = await this.#store.transact(
        [{ key: LEADER_KEY, revision: 0 }],
        [{ put: LEADER_KEY, value, lease }],
      );
      return result.succeeded && this.#begin(result.revision);
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, "the store did not let this controller ask for leadership");
      return false;
    }
  }

  #begin(fencingToken: number): true {
    this.#fencingToken = fencingToken;
    this.#log.info({ fencingToken }, "this controller leads");
    return true;
  }
}
