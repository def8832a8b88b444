import type { MigrationDocument } from "../cutover/migration-document.ts";
import type { ControllerBase } from "./controller-context.ts";
import { MigrationRunner } from "./migration-runner.ts";
import { streamKey } from "./stream-claims.ts";

/** A migration that this controller has claimed, until it is given back or lost. */
export class OwnedMigration {
  readonly id: string;
  readonly token: number;
  readonly runner: MigrationRunner;
  /** Orders about it that are being carried out here. */
  orders = 0;
  /** It is being given back or was lost: no order about it is taken any more. */
  leaving = false;
  readonly #ended = new AbortController();

  /** @throws {SwitchyardError} `MIGRATION_REQUEST_INVALID` where the configuration lacks one of its backends */
  constructor(base: ControllerBase, document: MigrationDocument, token: number) {
    this.id = document.id;
    this.token = token;
    this.runner = new MigrationRunner(
      {
        ...base,
        leadership: () => [{ key: streamKey(document.id), revision: token }],
        signal: AbortSignal.any([base.signal, this.#ended.signal]),
      },
      document,
    );
  }

  /** Whether nothing is under way that another controller would have to begin anew. */
  get mayLeave(): boolean {
    return !this.leaving && this.orders === 0 && this.runner.isAtRest;
  }

  /** Orders wait until what an earlier controller left is settled; a finished migration has nothing to settle. */
  get mayTakeOrders(): boolean {
    return !this.leaving && (this.isFinished || this.runner.isReady);
  }

  get isFinished(): boolean {
    return isFinished(this.runner.document);
  }

  /** Ends its streams in this process, and enters into the journal what they have found last. */
  async handOver(): Promise<void> {
    await this.runner.close({ tell: true });
    this.#ended.abort();
  }

  /** Ends its streams in this process. Whoever claims it next goes on from what servers and store say. */
  async close(): Promise<void> {
    await this.runner.close();
    this.#ended.abort();
  }

  /** Stops whatever is under way: the claim is somebody else's. */
  async lost(): Promise<void> {
    this.leaving = true;
    this.#ended.abort();
    await this.runner.close();
  }
}

export function isFinished(document: Pick<MigrationDocument, "phase">): boolean {
  return document.phase === "completed" || document.phase === "cancelled";
}
