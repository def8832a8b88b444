import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { inspectFormer } from "../../../src/controller/repoint-checks.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import { withKeyBuilders } from "../../../src/replication/key-builders.ts";
import {
  APPLIER_ATTRIBUTE,
  adoptSource,
  applierName,
  claimLedger,
  closeLedger,
  type LedgerClaim,
  ledgerUpdate,
  proveEpoch,
  readLedgerSource,
  recordSource,
  returnSource,
} from "../../../src/replication/ledger.ts";
import { ensureSidecar } from "../../../src/replication/sidecar-format.ts";
import { readStartPosition, writeStartPosition } from "../../../src/replication/start-position.ts";
import { ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";

const UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const set = (range: string): GtidSet => GtidSet.parse(`${UUID}:${range}`);

describe("the ledger on the server that a stream writes to", () => {
  let servers: { target: TestServer };
  let connection: Connection;
  let sequence = 0;
  let migration = "";

  const connect = async (attributes: Record<string, string> = {}): Promise<Connection> =>
    Connection.connect(await ownEndpoint(servers.target, "target-writer", []), { foundRows: true, attributes });
  const apply = async (on: Connection, claim: LedgerClaim, gtids: string): Promise<number> => {
    await on.query("START TRANSACTION");
    const { affectedRows } = await on.query(
      ledgerUpdate(claim, set(gtids).toString(), { gtid: `${UUID}:9`, commitUs: 7n }),
    );
    await on.query(affectedRows === 1 ? "COMMIT" : "ROLLBACK");
    return affectedRows;
  };

  beforeAll(async () => {
    servers = await startServers(["target"]);
    connection = await connect();
    await ensureSidecar(connection);
  }, 60_000);
  afterAll(async () => {
    await connection?.close();
    await stopServers(servers);
  });
  beforeEach(() => {
    migration = `m${++sequence}`;
  });

  test("can be set up again and again", async () => {
    await ensureSidecar(connection);
  });

  test("keeps all that any epoch has applied, gaps included", async () => {
    const first = await claimLedger(connection, migration, "forward");
    expect(first.executed.toString()).toBe("");
    await apply(connection, first, "1-5:9");
    const second = await claimLedger(connection, migration, "forward");
    expect(second.executed.toString()).toBe(set("1-5:9").toString());
    await apply(connection, second, "6-8");
    const third = await claimLedger(connection, migration, "forward");
    expect(third.executed.toString()).toBe(set("1-9").toString());
    expect(third.newest).toEqual({ gtid: `${UUID}:9`, commitUs: 7n });
  });

  test("a session that comes after its stream was replaced, too late to be ended, adds no keys", async () => {
    const target = await ownEndpoint(servers.target, "target-writer", []);
    const { signal } = new AbortController();
    const worked: number[] = [];
    const build = (claim: LedgerClaim): Promise<void> =>
      withKeyBuilders({ target, claim, signal }, 2, async (builders) => {
        worked.push(builders.length);
      });
    const zombie = await claimLedger(connection, migration, "forward", undefined, { copiers: 2 });
    await build(zombie);
    const successor = await claimLedger(connection, migration, "forward", undefined, { copiers: 2 });
    await expect(build(zombie)).rejects.toMatchObject({ code: "REPLICATION_LEDGER_TAKEN" });
    expect(worked).toEqual([2]);
    await build(successor);
    expect(worked).toEqual([2, 2]);
  });

  test("an applier that was stopped and replaced cannot commit when it wakes up", async () => {
    const zombie = await claimLedger(connection, migration, "forward");
    const successor = await claimLedger(connection, migration, "forward");
    expect(await apply(connection, zombie, "1-5")).toBe(0);
    expect(await apply(connection, successor, "1-5")).toBe(1);
    await expect(proveEpoch(connection, zombie)).rejects.toThrow(/REPLICATION_LEDGER_TAKEN/);
    await proveEpoch(connection, successor);
  });

  test("a stream that claims again may do so though the answer to its last claim was lost, unless it was replaced", async () => {
    // 1. the claim commits; 2. its answer is lost, so that the stream knows only of the claim before; 3. it claims again.
    const first = await claimLedger(connection, migration, "forward", undefined, { holder: "a" });
    await claimLedger(connection, migration, "forward", undefined, { holder: "a", again: first });
    await claimLedger(connection, migration, "forward", undefined, { holder: "a", again: first });
    await claimLedger(connection, migration, "forward", undefined, { holder: "b" });
    const again = { holder: "a", again: first };
    await expect(claimLedger(connection, migration, "forward", undefined, again)).rejects.toThrow(/LEDGER_TAKEN/);
    const third = await claimLedger(connection, migration, "forward", undefined, { holder: "c" });
    await closeLedger(connection, migration, "forward");
    const closed = { holder: "c", again: third };
    await expect(claimLedger(connection, migration, "forward", undefined, closed)).rejects.toThrow(/LEDGER_TAKEN/);
  });

  test("no applier can commit once the direction is closed, and the other direction does not mind", async () => {
    const forward = await claimLedger(connection, migration, "forward");
    const reverse = await claimLedger(connection, migration, "reverse");
    await closeLedger(connection, migration, "forward");
    expect(await apply(connection, forward, "1-5")).toBe(0);
    expect(await apply(connection, reverse, "1-5")).toBe(1);
  });

  test("the same values again still count as one row, so that they are not taken for a lost epoch", async () => {
    const claim = await claimLedger(connection, migration, "forward");
    expect(await apply(connection, claim, "1-5")).toBe(1);
    expect(await apply(connection, claim, "1-5")).toBe(1);
  });

  test("closing waits for a commit that is under way, so that what it applied is seen afterwards", async () => {
    // 1. an applier has written its row and not yet committed; 2. the direction is closed; 3. the applier commits.
    const claim = await claimLedger(connection, migration, "forward");
    const applier = await connect();
    await applier.query("START TRANSACTION");
    await applier.query(ledgerUpdate(claim, set("1-7").toString(), undefined));
    let closed = false;
    const closing = closeLedger(connection, migration, "forward").then(() => {
      closed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(closed).toBe(false);
    await applier.query("COMMIT");
    await closing;
    const next = await claimLedger(connection, migration, "forward");
    expect(next.executed.toString()).toBe(set("1-7").toString());
    await applier.close();
  });

  test("a claim ends the connection of a dead applier, whose locks would last for hours", async () => {
    const claim = await claimLedger(connection, migration, "forward");
    const dead = await connect({ [APPLIER_ATTRIBUTE]: applierName(migration, "forward") });
    const other = await connect({ [APPLIER_ATTRIBUTE]: applierName("another", "forward") });
    await dead.query("START TRANSACTION");
    await dead.query(ledgerUpdate(claim, set("1-7").toString(), undefined));
    const next = await claimLedger(connection, migration, "forward");
    expect(next.executed.toString()).toBe("");
    await dead.closed;
    expect(other.isClosed).toBe(false);
    await other.close();
  });

  test("a claim waits for a commit that is under way, counts what it applied, and ends appliers that have come meanwhile", async () => {
    // 1. an applier's COMMIT is under way and cannot be ended; 2. the ledger is claimed; 3. another session of the former
    // stream comes, behind the look for such sessions; 4. the commit is done.
    const former = await claimLedger(connection, migration, "forward");
    const committing = await connect();
    await committing.query("START TRANSACTION");
    await committing.query(ledgerUpdate(former, set("1-7").toString(), undefined));
    const claiming = claimLedger(connection, migration, "forward");
    await new Promise((resolve) => setTimeout(resolve, 200));
    const late = await connect({ [APPLIER_ATTRIBUTE]: applierName(migration, "forward") });
    await committing.query("COMMIT");
    expect((await claiming).executed.toString()).toBe(set("1-7").toString());
    await late.closed;
    await committing.close();
  });

  test("a position that an aborted attempt left behind is never used", async () => {
    await writeStartPosition(connection, migration, "reverse", "aborted", set("1-100"));
    await writeStartPosition(connection, migration, "reverse", "swapped", set("1-50"));
    const claim = await claimLedger(connection, migration, "reverse", "swapped");
    expect(claim.executed.toString()).toBe(set("1-50").toString());
    await expect(claimLedger(connection, migration, "reverse", "unheard-of")).rejects.toThrow(
      /REPLICATION_START_MISSING/,
    );
    expect((await readStartPosition(connection, migration, "reverse", "aborted"))?.toString()).toBe(
      set("1-100").toString(),
    );
  });

  test("a stream begins at its start position once, and goes on from its ledger after that", async () => {
    await writeStartPosition(connection, migration, "reverse", "t1", set("1-50"));
    const first = await claimLedger(connection, migration, "reverse", "t1");
    await apply(connection, first, "51-60");
    const restarted = await claimLedger(connection, migration, "reverse", "t1");
    expect(restarted.executed.toString()).toBe(set("1-60").toString());
    await writeStartPosition(connection, migration, "reverse", "t2", set("1-200"));
    const afterNextSwitch = await claimLedger(connection, migration, "reverse", "t2");
    expect(afterNextSwitch.executed.toString()).toBe(set("1-200").toString());
  });

  test("a server that was adopted is given back, unless a stream has claimed the ledger since", async () => {
    const source = async (): Promise<string | undefined> => await readLedgerSource(connection, migration, "forward");
    expect(await source()).toBeUndefined();
    await recordSource(connection, await claimLedger(connection, migration, "forward"), "former");
    const failed = await adoptSource(connection, migration, "forward", "next");
    expect(await source()).toBe("next");
    await returnSource(connection, migration, "forward", { sourceUuid: "former", epoch: failed });
    expect(await source()).toBe("former");
    const committed = await adoptSource(connection, migration, "forward", "next");
    await claimLedger(connection, migration, "forward");
    await returnSource(connection, migration, "forward", { sourceUuid: "former", epoch: committed });
    expect(await source()).toBe("next");
  });

  test("a former server takes no more only where it refuses writes of SUPER as well", async () => {
    const [row] = await servers.target.root("SELECT @@server_uuid AS uuid");
    const context = { backends: { former: await ownEndpoint(servers.target, "target-writer", []) } };
    const ask = async (from: string, formerUuid = row?.["uuid"] ?? ""): Promise<unknown> => {
      const change = {
        end: "source",
        from,
        to: "next",
        other: "o",
        formerUuid,
        direction: "forward",
        isHome: true,
      } as const;
      const objections: string[] = [];
      const { note } = await inspectFormer(context, change, objections);
      return { note, objections };
    };
    try {
      await servers.target.root("SET GLOBAL read_only = ON");
      const open = { note: undefined, objections: [expect.stringContaining("still takes writes")] };
      expect(await ask("former")).toEqual(open);
      await servers.target.root("SET GLOBAL super_read_only = ON");
      expect(await ask("former")).toEqual({ note: undefined, objections: [] });
    } finally {
      await servers.target.root("SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF");
    }
    const unseen = { note: expect.stringMatching(/could not be asked.*takes no writes/), objections: [] };
    expect(await ask("former", UUID)).toEqual(unseen);
    expect(await ask("next")).toEqual(unseen);
  });
});
