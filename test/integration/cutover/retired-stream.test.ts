import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import { claimLedger, retireLedger } from "../../../src/replication/ledger.ts";
import { ensureSidecar } from "../../../src/replication/sidecar-format.ts";
import { writeStartPosition } from "../../../src/replication/start-position.ts";
import { ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";

const UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const set = (range: string): GtidSet => GtidSet.parse(`${UUID}:${range}`);

/*
 * 1. A controller rolls back under token t1 and is stopped just before it starts the stream back.
 * 2. Another one takes over, starts the stream under t1, and later switches (t2) and rolls back again (t3).
 * 3. The first one wakes and starts "its" stream: from t1's position, all of which has been applied long since.
 */
describe("a stream whose tables have left the home that it followed", () => {
  let servers: { target: TestServer };
  let connection: Connection;

  beforeAll(async () => {
    servers = await startServers(["target"]);
    connection = await Connection.connect(await ownEndpoint(servers.target, "target-writer", []), { foundRows: true });
    await ensureSidecar(connection);
  }, 60_000);
  afterAll(async () => {
    await connection?.close();
    await stopServers(servers);
  });

  test("cannot be begun again by a process that was asleep while the tables moved there and back", async () => {
    await writeStartPosition(connection, "m1", "forward", "t1", set("1-10"));
    await claimLedger(connection, "m1", "forward", "t1");
    await retireLedger(connection, "m1", "forward", "t1");
    await writeStartPosition(connection, "m1", "forward", "t3", set("1-99"));
    expect((await claimLedger(connection, "m1", "forward", "t3")).executed.toString()).toBe(set("1-99").toString());
    await expect(claimLedger(connection, "m1", "forward", "t1")).rejects.toMatchObject({
      code: "REPLICATION_START_MISSING",
    });
    const still = await claimLedger(connection, "m1", "forward", "t3");
    expect(still.executed.toString()).toBe(set("1-99").toString());
  });

  test("cannot be claimed again between the switch and the next rollback, by token or as the first stream", async () => {
    await claimLedger(connection, "m2", "forward");
    await retireLedger(connection, "m2", "forward", undefined);
    await expect(claimLedger(connection, "m2", "forward")).rejects.toMatchObject({ code: "REPLICATION_LEDGER_TAKEN" });
    await writeStartPosition(connection, "m2", "reverse", "t1", set("1-10"));
    await claimLedger(connection, "m2", "reverse", "t1");
    await retireLedger(connection, "m2", "reverse", "t1");
    await expect(claimLedger(connection, "m2", "reverse", "t1")).rejects.toMatchObject({
      code: "REPLICATION_START_MISSING",
    });
  });

  test("is left alone by a process that wakes late and retires what it knew, once it has begun anew", async () => {
    await claimLedger(connection, "m3", "forward");
    await writeStartPosition(connection, "m3", "forward", "t2", set("1-20"));
    const claim = await claimLedger(connection, "m3", "forward", "t2");
    await retireLedger(connection, "m3", "forward", undefined);
    await retireLedger(connection, "m3", "forward", "t1");
    const next = await claimLedger(connection, "m3", "forward", "t2");
    expect(next.epoch).toBe(claim.epoch + 1n);
    expect(next.executed.toString()).toBe(set("1-20").toString());
  });
});
