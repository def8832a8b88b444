import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { noFailpoints } from "../../../src/base/failpoints.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { DEFAULT_LIMITS } from "../../../src/config/limits.ts";
import type { ControllerContext } from "../../../src/controller/controller-context.ts";
import { dropFound, readFound } from "../../../src/controller/kept-diff.ts";
import type { MigrationRunner } from "../../../src/controller/migration-runner.ts";
import { endPorts } from "../../../src/controller/run-end.ts";
import { StreamKeeper, type StreamKeeperEvents } from "../../../src/controller/stream-keeper.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import { claimLedger, proveEpoch, retireLedger } from "../../../src/replication/ledger.ts";
import { sealLedger, unsealLedger } from "../../../src/replication/ledger-seal.ts";
import { SIDECAR } from "../../../src/replication/sidecar.ts";
import { ensureSidecar } from "../../../src/replication/sidecar-format.ts";
import { writeStartPosition } from "../../../src/replication/start-position.ts";
import { ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { migrationDocument } from "../../unit/cutover/memory-store.ts";
import { uuidOf } from "./fenced-server.ts";

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

  test("leaves what a diff has found since to it, when a repair ends that another controller had begun", async () => {
    const endpoint = await ownEndpoint(servers.target, "target-writer", []);
    const signal = new AbortController().signal;
    const found = async (): Promise<string | undefined> => (await readFound(endpoint, "m9", signal))?.run;
    const state = JSON.stringify({ differences: 1, keys: 1, keysComplete: true });
    await connection.query(
      `INSERT INTO ${SIDECAR.diffRun} VALUES ('m9', 'forward', 'later', '2026-01-01T00:00:00.000Z')`,
    );
    await connection.query(`INSERT INTO ${SIDECAR.diffTable} VALUES ('m9', 't.t', '${state}')`);
    await connection.query(`INSERT INTO ${SIDECAR.diffKey} VALUES ('m9', 't.t', 1, '31')`);
    expect(await found()).toBe("later");
    await dropFound(endpoint, "m9", "earlier", signal);
    expect(await found()).toBe("later");
    await dropFound(endpoint, "m9", "later", signal);
    const left = `SELECT migration FROM ${SIDECAR.diffRun} UNION ALL SELECT migration FROM ${SIDECAR.diffKey}`;
    expect(await connection.rows(left)).toEqual([]);
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

  /*
   * 1. A controller rolls back under token t1 and is stopped just before it starts the stream back.
   * 2. Another one takes over, starts the stream under t1, switches (t2) and seals its ledger; it is stopped after its swap.
   * 3. The first one wakes and starts "its" stream under t1, which the ledger still bears.
   */
  test("cannot be claimed once an attempt has sealed it, by the token that it bears or as the first stream", async () => {
    await writeStartPosition(connection, "m4", "forward", "t1", set("1-10"));
    await sealLedger(connection, await claimLedger(connection, "m4", "forward", "t1"), "t2");
    const sealed = { code: "REPLICATION_LEDGER_SEALED" };
    await expect(claimLedger(connection, "m4", "forward", "t1")).rejects.toMatchObject(sealed);
    await writeStartPosition(connection, "m4", "forward", "t3", set("1-20"));
    await expect(claimLedger(connection, "m4", "forward", "t3")).rejects.toMatchObject(sealed);
    await sealLedger(connection, await claimLedger(connection, "m5", "forward"), "t1");
    await expect(claimLedger(connection, "m5", "forward")).rejects.toMatchObject(sealed);
    // The attempt that swapped retires it; what begins anew after the next one is under no seal.
    await retireLedger(connection, "m4", "forward", "t1");
    expect((await claimLedger(connection, "m4", "forward", "t3")).executed.toString()).toBe(set("1-20").toString());
  });

  test("goes on after a crash between seal and swap: the next controller takes off the seal that the journal names", async () => {
    const before = await claimLedger(connection, "m6", "forward");
    await sealLedger(connection, before, "t1");
    const stream = { migration: "m6", direction: "forward" } as const;
    await unsealLedger(connection, stream, { attempt: "t1", startToken: undefined });
    await unsealLedger(connection, stream, { attempt: "t1", startToken: undefined });
    const next = await claimLedger(connection, "m6", "forward");
    await proveEpoch(connection, next);
    await expect(proveEpoch(connection, before)).rejects.toMatchObject({ code: "REPLICATION_LEDGER_TAKEN" });
  });

  test("stays sealed for the abort of another attempt, whose controller slept, and goes on for the right one", async () => {
    await writeStartPosition(connection, "m7", "forward", "t1", set("1-10"));
    const stream = { migration: "m7", direction: "forward" } as const;
    await sealLedger(connection, await claimLedger(connection, "m7", "forward", "t1"), "t3");
    await expect(unsealLedger(connection, stream, { attempt: "t2", startToken: "t1" })).rejects.toMatchObject({
      code: "REPLICATION_LEDGER_SEALED",
    });
    await expect(unsealLedger(connection, stream, { attempt: "t3", startToken: "t0" })).rejects.toMatchObject({
      code: "REPLICATION_LEDGER_TAKEN",
    });
    await unsealLedger(connection, stream, { attempt: "t3", startToken: "t1" });
    await claimLedger(connection, "m7", "forward", "t1");
  });

  /*
   * 1. A controller is stopped when it is about to seal the ledger.
   * 2. The next one aborts that attempt: it takes off a seal that is not there, and ends the attempt in the journal.
   * 3. The first one wakes and seals, before or after the stream has claimed its ledger again.
   */
  test("is not sealed by a controller that slept through its attempt's abort", async () => {
    const stream = { migration: "m8", direction: "forward" } as const;
    const late = await claimLedger(connection, "m8", "forward");
    await unsealLedger(connection, stream, { attempt: "t1", startToken: undefined });
    await expect(sealLedger(connection, late, "t1")).rejects.toMatchObject({ code: "REPLICATION_LEDGER_TAKEN" });
    const live = await claimLedger(connection, "m8", "forward");
    await expect(sealLedger(connection, late, "t1")).rejects.toMatchObject({ code: "REPLICATION_LEDGER_TAKEN" });
    await proveEpoch(connection, live);
  });

  /*
   * 1. An attempt has sealed the ledger; then the server that the stream follows goes away, and the attempt is aborted in the store.
   * 2. The stream is opened again and waits for that server: it has not claimed its ledger.
   * 3. The servers are cleared. A seal that was left would be without an attempt, and the stream would stand for good.
   */
  test("has no seal left behind the abort where it was opened again while a server was away", async () => {
    await sealLedger(connection, await claimLedger(connection, "m9", "forward"), "t9");
    const target = await ownEndpoint(servers.target, "target-writer", []);
    const context = {
      backends: { old: { ...target, name: "old", port: 1 }, new: target },
      clock: systemClock,
      log: silentLogger,
      failpoint: noFailpoints,
      limits: DEFAULT_LIMITS,
    } as unknown as ControllerContext;
    const events = {
      onDdl: () => "stop",
      afterDdl: () => undefined,
      readFrom: () => undefined,
    } as unknown as StreamKeeperEvents;
    const keeper = new StreamKeeper(context, { ...migrationDocument(), id: "m9" }, "forward", events);
    keeper.open(undefined);
    await keeper.resume("t9", undefined);
    expect(await servers.target.root("SELECT sealed_by FROM _switchyard.ledger WHERE migration = 'm9'")).toContainEqual(
      {
        sealed_by: "",
      },
    );
    expect(keeper.isOpen).toBe(true);
    await keeper.close();
  });

  test("has nothing ended or taken away on a server that has its own server's name since", async () => {
    await claimLedger(connection, "m10", "forward");
    const target = await ownEndpoint(servers.target, "target-writer", []);
    const context = { backends: { old: target, new: target }, limits: DEFAULT_LIMITS } as unknown as ControllerContext;
    const document = { ...migrationDocument(), id: "m10", targetUuid: "uuid-lost" };
    const ledger = (): Promise<unknown[]> =>
      servers.target.root("SELECT epoch FROM _switchyard.ledger WHERE migration = 'm10'");
    const before = await ledger();
    const keeper = new StreamKeeper(context, document, "forward", {} as unknown as StreamKeeperEvents);
    await expect(keeper.stop()).rejects.toMatchObject({ code: "STREAM_TARGET_CHANGED" });
    const { dropSidecarRows } = endPorts({ id: "m10", document, context } as unknown as MigrationRunner, () => {});
    await expect(dropSidecarRows("new", "uuid-lost")).rejects.toMatchObject({ code: "CUTOVER_SERVER_CHANGED" });
    expect(before).not.toEqual([]);
    expect(await ledger()).toEqual(before);
    await dropSidecarRows("new", await uuidOf(servers.target));
    expect(await ledger()).toEqual([]);
  });
});
