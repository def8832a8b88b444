import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isAlive } from "../../../servers/lock-file.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";

let servers: Record<"a" | "b", TestServer>;

beforeAll(async () => {
  servers = await startServers(["a", "b"]);
});

afterAll(() => stopServers(servers));

describe("servers for tests", () => {
  test("are two, each with an identity of its own and no history", async () => {
    const [a] = await servers.a.root("SELECT @@server_uuid AS uuid, @@server_id AS id, @@gtid_executed AS gtids");
    const [b] = await servers.b.root("SELECT @@server_uuid AS uuid, @@server_id AS id, @@gtid_executed AS gtids");
    expect(a?.["uuid"]).not.toBe(b?.["uuid"]);
    expect(a?.["id"]).not.toBe(b?.["id"]);
    expect([a?.["gtids"], b?.["gtids"]]).toEqual(["", ""]);
  });

  test("keep their data and their port over a restart and over a crash", async () => {
    const { a } = servers;
    await a.root("CREATE DATABASE kept; CREATE TABLE kept.t (id INT PRIMARY KEY); INSERT INTO kept.t VALUES (1)");
    const port = a.port;
    await a.restart();
    await a.root("INSERT INTO kept.t VALUES (2)");
    await a.kill9();
    await a.start();
    expect(a.port).toBe(port);
    expect(await a.root("SELECT id FROM kept.t ORDER BY id")).toEqual([{ id: "1" }, { id: "2" }]);
  });

  test("give the rows of the last statement that has any", async () => {
    expect(await servers.b.root("SELECT 1 AS x; SELECT NULL AS y; SET @z = 1")).toEqual([{ y: null }]);
    expect(await servers.b.root("SELECT 1 AS x WHERE FALSE")).toEqual([]);
  });

  test("die with a process that is killed outright, and leave no files", async () => {
    const script = join(import.meta.dirname, "start-and-wait.ts");
    const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
    const { pid, folder } = await firstLine(child);
    expect(isAlive(pid)).toBe(true);
    child.kill("SIGKILL");
    await once(child, "exit");
    for (let i = 0; i < 200 && (existsSync(folder) || isAlive(pid)); i++) await sleep(25);
    expect(existsSync(folder)).toBe(false);
    expect(isAlive(pid)).toBe(false);
  });
});

async function firstLine(child: ChildProcess): Promise<{ pid: number; folder: string }> {
  let text = "";
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.includes("\n")) break;
  }
  return JSON.parse(text) as { pid: number; folder: string };
}
