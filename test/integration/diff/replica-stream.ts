import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { DiffStreamPort } from "../../../src/diff/diff-options.ts";
import type { TestServer } from "../../support/servers.ts";

/** The applier of a native replica as a stream, which can be stopped exactly after a set of transactions. */
export class ReplicaStream implements DiffStreamPort {
  readonly #replica: () => TestServer;
  /** The applier runs again. */
  continued: Promise<unknown> = Promise.resolve();

  constructor(replica: () => TestServer) {
    this.#replica = replica;
  }

  pauseIntake = async (): Promise<void> => {
    await this.continued;
    await this.#replica().root("STOP REPLICA SQL_THREAD");
  };

  closeIntake = (): Promise<void> => this.pauseIntake();

  stopAt = async (position: string): Promise<void> => {
    const replica = this.#replica();
    await replica.root(`START REPLICA SQL_THREAD UNTIL SQL_AFTER_GTIDS = '${position}'`);
    const [waited] = await replica.root(`SELECT WAIT_FOR_EXECUTED_GTID_SET('${position}', 30) w`);
    expect(waited).toEqual({ w: "0" });
    // The thread stops by itself behind the last of them.
    for (;;) {
      const [state] = await replica.root("SELECT SERVICE_STATE s FROM performance_schema.replication_applier_status");
      if (state?.["s"] === "OFF") return;
      await sleep(5);
    }
  };

  continue = (): void => {
    this.continued = this.#replica().root("START REPLICA SQL_THREAD");
  };
}
