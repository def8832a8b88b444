import type { Endpoint } from "../../src/mysql/endpoint.ts";
import { type CatchupServers, positionOf } from "../bulk/backlog.ts";
import { openOrder } from "../bulk/catchup-contenders.ts";
import { StreamProcess } from "../bulk/stream-process.ts";

/** Somebody who applies what the source commits, to a server of its own. */
export interface Follower {
  readonly name: "switchyard" | "native replica";
  /** Where its rows are read. */
  readonly reads: Endpoint;
  /** Begins to follow, and has caught up. */
  start(): Promise<void>;
  /** Resolves when it has applied all that the source has committed. */
  caughtUp(): Promise<void>;
  /** Ends to follow; takes nothing from the machine then. */
  stop(): Promise<void>;
}

export function switchyardFollower(servers: CatchupServers): Follower {
  let program: StreamProcess | undefined;
  const caughtUp = async (): Promise<void> => {
    await program?.ask({ order: "reach", position: await positionOf(servers) });
  };
  return {
    name: "switchyard",
    reads: servers.endpoint("target"),
    start: async () => {
      program = await StreamProcess.start();
      await program.ask(openOrder(servers));
      await program.ask({ order: "running" });
      await caughtUp();
    },
    caughtUp,
    stop: async () => {
      await program?.close();
      program = undefined;
    },
  };
}

export function nativeFollower(servers: CatchupServers): Follower {
  const replica = servers.get("replica");
  const caughtUp = async (): Promise<void> => {
    await replica.root(`SELECT WAIT_FOR_EXECUTED_GTID_SET('${await positionOf(servers)}', 600)`);
  };
  return {
    name: "native replica",
    reads: servers.endpoint("replica"),
    start: async () => {
      await replica.root("START REPLICA");
      await caughtUp();
    },
    caughtUp,
    stop: async () => {
      await replica.root("STOP REPLICA");
    },
  };
}
