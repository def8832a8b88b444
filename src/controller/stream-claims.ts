import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { serializeStreamClaim } from "../rules/controller-documents.ts";
import { STREAMS_PREFIX } from "../rules/store-keys.ts";
import type { Compare, Store } from "../store/store.ts";
import type { FleetView } from "./fleet-view.ts";
import type { Membership } from "./membership.ts";

/** The key that says who runs a migration. */
export function streamKey(migration: string): string {
  return STREAMS_PREFIX + migration;
}

/**
 * The claims that this controller makes in the store and gives back. A claim is known by the revision of its key, its
 * fencing token: every write of whoever runs the migration has the condition that the key is still that one.
 */
export class StreamClaims {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #member: Membership;
  /** Claims that are given back, or are to be: never used again, and deleted until they are gone. */
  readonly #givenBack = new Map<string, number>();

  constructor(options: { readonly store: Store; readonly log: Logger; readonly member: Membership }) {
    this.#store = options.store;
    this.#log = options.log;
    this.#member = options.member;
  }

  /** Claims a migration that nobody runs: its fencing token, or nothing where somebody else was first. */
  async take(migration: string, conditions: readonly Compare[] = []): Promise<number | undefined> {
    try {
      const key = streamKey(migration);
      const value = serializeStreamClaim(this.#member);
      const { succeeded, revision } = await this.#store.transact(
        [{ key, revision: 0 }, ...conditions],
        [{ put: key, value, lease: this.#member.lease }],
      );
      return succeeded ? revision : undefined;
    } catch (error) {
      this.#log.warn({ migration, error: messageOf(error) }, "the store did not let this controller claim a migration");
      return undefined;
    }
  }

  /**
   * Lets others claim it. What the store does not confirm is repeated by {@link tidy}; the claim counts as given back all
   * the same, so nothing of the migration may be under way here any more.
   */
  async giveBack(migration: string, token: number): Promise<void> {
    this.#givenBack.set(migration, token);
    const key = streamKey(migration);
    await this.#store.transact([{ key, revision: token }], [{ delete: key }]).catch((error: unknown) => {
      this.#log.warn({ migration, error: messageOf(error) }, "a migration is not given back yet");
    });
  }

  /** Deletes what is given back and still there. */
  async tidy(view: FleetView): Promise<void> {
    for (const [migration, token] of this.#givenBack) {
      if (view.claimHasGone(migration, token)) this.#givenBack.delete(migration);
      else await this.giveBack(migration, token);
    }
  }

  /** Claims of ours that nobody here knows of, because the answer to the write was lost: migration and token. */
  *unknown(view: FleetView, known: (migration: string) => boolean): Generator<readonly [string, number]> {
    for (const [migration, { value, revision }] of view.claims) {
      if (value.nonce !== this.#member.nonce || known(migration)) continue;
      if (this.#givenBack.get(migration) !== revision) yield [migration, revision];
    }
  }
}
