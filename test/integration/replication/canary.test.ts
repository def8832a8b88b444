import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Endpoint } from "../../../src/mysql/endpoint.ts";
import { proveStream } from "../../../src/replication/canary.ts";
import { ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";

/**
 * 1. The tables switch to the new home. 2. The stream back cannot read its log, or cannot write to the old home. 3. There is
 *    no way back for anything that clients have written since.
 */
describe("the stream that would lead back", () => {
  let servers: Record<"old" | "fresh", TestServer>;
  let source: Endpoint;
  let target: Endpoint;
  const prove = (timeoutMs = 10_000): Promise<number> =>
    proveStream({ name: { migration: "m1", direction: "reverse" }, source, target, timeoutMs });

  beforeAll(async () => {
    servers = await startServers(["old", "fresh"]);
    source = await ownEndpoint(servers.fresh, "serve", ["shop"]);
    target = await ownEndpoint(servers.old, "serve", ["shop"]);
  });
  afterAll(() => stopServers(servers));

  test("is proven by a row that comes, among transactions of others, and leaves nothing in the ledger", async () => {
    await servers.fresh.root(
      "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY); INSERT INTO shop.t VALUES (1)",
    );
    expect(await prove()).toBeLessThan(10_000);
    expect(await prove()).toBeLessThan(10_000);
    expect(await servers.old.root("SELECT * FROM _switchyard.ledger")).toEqual([]);
  });

  test("is refused where the new home lets us not read its log", async () => {
    await servers.fresh.root(`REVOKE REPLICATION SLAVE ON *.* FROM '${source.user}'@'%'`);
    await expect(prove()).rejects.toThrow(/REPLICATION SLAVE/);
    await servers.fresh.root(`GRANT REPLICATION SLAVE ON *.* TO '${source.user}'@'%'`);
    await prove();
  });

  test("is refused where the old home takes no writes", async () => {
    await servers.old.root("SET GLOBAL super_read_only = ON");
    await expect(prove()).rejects.toThrow(/super-read-only/);
    await servers.old.root("SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF");
    await prove();
  });

  test("is refused in time where a server does not answer", async () => {
    const lock = servers.fresh.root("LOCK TABLES _switchyard.heartbeat WRITE; SELECT SLEEP(3)");
    await expect.poll(() => prove(700).catch((error: unknown) => String(error))).toContain("TIMEOUT");
    await lock;
  });
});
