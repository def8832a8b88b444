import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import { runs, SwitchyardRun } from "../../support/switchyard-run.ts";

const SECRET = "s3cret-of-the-backend";

let folder: string;
let started: SwitchyardRun[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "switchyard-serve-"));
  started = [];
});

afterEach(async () => {
  await Promise.all(started.map((run) => run.kill("SIGKILL")));
  rmSync(folder, { recursive: true, force: true });
});

function configure(changes: Readonly<Record<string, string>> = {}): string {
  const keys: Record<string, string> = {
    listen: "127.0.0.1:0",
    admin: '{ listen: "127.0.0.1:0" }',
    dataDirectory: "data",
    // Nothing listens there: serving must not depend on a backend being up.
    backends: `{ old: { host: 127.0.0.1, port: 1, user: switchyard, password: ${SECRET} } }`,
    default: "old",
    ...changes,
  };
  const file = join(folder, "switchyard.yaml");
  writeFileSync(
    file,
    Object.entries(keys)
      .map(([key, value]) => `${key}: ${value}\n`)
      .join(""),
  );
  return file;
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): SwitchyardRun {
  const one = new SwitchyardRun(args, { cwd: folder, env });
  started.push(one);
  return one;
}

const serve = (env: Readonly<Record<string, string>> = {}): SwitchyardRun =>
  run(["serve", "--config", "switchyard.yaml"], env);

/** Where clients come in. */
async function portOf(one: SwitchyardRun): Promise<number> {
  const { listen } = await one.line("switchyard serves");
  return Number(/:(\d+)$/.exec(String(listen))?.[1]);
}

async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("did not come about within 10 s");
}

async function occupied(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as { port: number }).port, server };
}

describe("serve that cannot start says why in one error, leaves nothing running, and exits", () => {
  async function refused(
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly code: number | null; readonly text: string }> {
    const one = serve(env);
    const { code } = await one.ended;
    const text = one.stderr
      .split("\n")
      .filter((line) => !line.startsWith("{"))
      .join("\n");
    expect(text.match(/^[A-Z][A-Z_]+: /gm), one.stderr).toHaveLength(1);
    expect(text).not.toMatch(/^ +at /m);
    expect([...one.children().values()].filter(runs)).toEqual([]);
    return { code, text };
  }

  test("2 for an unknown configuration key, with its line", async () => {
    configure({ defualt: "old" });
    const { code, text } = await refused();
    expect(code).toBe(2);
    expect(text).toMatch(/CONFIG_INVALID[\s\S]*defualt \(line 6\)[\s\S]*default, perhaps/);
  });

  test("2 for a configuration that is not there", async () => {
    const { code, text } = await refused();
    expect(code).toBe(2);
    expect(text).toMatch(/CONFIG_UNREADABLE[\s\S]*--config/);
  });

  test("2 for a failpoint that does not exist", async () => {
    configure();
    const file = join(folder, "failpoint");
    writeFileSync(file, "no-such-point");
    const { code, text } = await refused({ SWITCHYARD_FAILPOINT_FILE: file });
    expect([code, text.includes("CONFIG_FAILPOINT_INVALID")]).toEqual([2, true]);
  });

  test("1 for a data directory that cannot be made", async () => {
    writeFileSync(join(folder, "file"), "");
    configure({ dataDirectory: "file/data" });
    const { code, text } = await refused();
    expect(code).toBe(1);
    expect(text).toMatch(/STORE_DIRECTORY_UNUSABLE[\s\S]*dataDirectory/);
  });

  test("1 for a data directory that another serve uses", async () => {
    configure();
    const first = serve();
    await first.adminUrl();
    const { code, text } = await refused();
    expect(code).toBe(1);
    expect(text).toMatch(/STORE_LOCKED[\s\S]*dataDirectory/);
    expect(first.child.exitCode).toBeNull();
  });

  test("1 for a data directory whose journal is damaged", async () => {
    configure();
    mkdirSync(join(folder, "data"));
    writeFileSync(join(folder, "data", "store.journal"), "not a journal\n");
    const { code, text } = await refused();
    expect([code, text.includes("STORE_CORRUPT")]).toEqual([1, true]);
  });

  test.each([
    ["/switchyard/rules", 1, 2],
    ["/switchyard/orders/o", 1, 1],
    ["/switchyard/migrations/orders", 3, 3],
  ])("for a store whose %s a newer version wrote, which it leaves as it is", async (key, exit, format) => {
    configure();
    const open = () => EmbeddedStore.open({ directory: join(folder, "data"), clock: systemClock, log: silentLogger });
    const before = await open();
    await before.transact([], [{ put: "/switchyard/proxies/ended", value: '{"format":1}' }]);
    await before.transact([], [{ put: key, value: `{"format":${format + 1},"whatever":"a later version's"}` }]);
    const { entries } = await before.list("/");
    await before.close();
    const { code, text } = await refused();
    expect(code).toBe(exit);
    expect(text).toContain(`_FORMAT_NEWER: ${key} has format ${format + 1}; this version reads up to ${format}`);
    expect(text).toContain("Run a version of Switchyard that is at least as new as the one that wrote it.");
    const after = await open();
    expect((await after.list("/")).entries).toEqual(entries);
    await after.close();
  });

  test("1 for an admin port in use", async () => {
    const { port, server } = await occupied();
    configure({ admin: `{ listen: "127.0.0.1:${port}" }` });
    const { code, text } = await refused();
    server.close();
    expect(code).toBe(1);
    expect(text).toMatch(/ADMIN_LISTEN_FAILED[\s\S]*in use[\s\S]*admin: \{ listen/);
  });

  test("1 for a proxy port in use", async () => {
    const { port, server } = await occupied();
    configure({ listen: `127.0.0.1:${port}` });
    const { code, text } = await refused();
    server.close();
    expect(code).toBe(1);
    expect(text).toMatch(
      new RegExp(`PROXY_LISTEN_FAILED[\\s\\S]*127\\.0\\.0\\.1:${port}[\\s\\S]*IN ?USE[\\s\\S]*listen:`, "i"),
    );
  });
});

describe("the processes of serve", () => {
  test("are a primary, its proxy workers and one controller, seen in one scrape", async () => {
    configure({ workers: "2" });
    const one = serve();
    const url = await one.adminUrl();
    expect([...one.children().keys()].sort()).toEqual(["controller", "proxy-1", "proxy-2"]);
    const text = await (await fetch(`${url}/metrics`)).text();
    for (const process of ["primary", "controller", "proxy-1", "proxy-2"]) {
      expect(text).toContain(`switchyard_process_up{process="${process}"} 1`);
    }
    expect(text).toContain("switchyard_build_info{version=");
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  test("end with the primary when it is killed, and the next start goes on from the same data", async () => {
    configure();
    const first = serve();
    await first.adminUrl();
    const children = [...first.children().values()];
    expect(children.filter(runs)).toHaveLength(2);
    await first.kill("SIGKILL");
    await eventually(() => children.filter(runs).length === 0);
    const second = serve();
    expect(await second.adminUrl()).toContain("http://127.0.0.1:");
  });

  test.each(["controller", "proxy-1"])("are started again: %s is killed", async (name) => {
    configure();
    const one = serve();
    const url = await one.adminUrl();
    const before = Number(one.children().get(name));
    // A client on its way to a process that stands still and then ends is not left waiting for a greeting.
    process.kill(before, "SIGSTOP");
    const client = name === "proxy-1" ? connect(await portOf(one), "127.0.0.1") : undefined;
    const [left, arrived] = [client && once(client, "close"), client && once(client, "connect")];
    client?.on("error", () => undefined);
    await arrived;
    process.kill(before, "SIGKILL");
    await left;
    await eventually(() => one.children().get(name) !== before);
    await eventually(async () =>
      (await (await fetch(`${url}/metrics`)).text()).includes(`switchyard_process_restarts_total{process="${name}"} 1`),
    );
    const after = Number(one.children().get(name));
    expect([runs(before), runs(after)]).toEqual([false, true]);
  });

  test("stop on SIGTERM, all of them, exit with 0, and have shown no secret on the way", async () => {
    configure({ log: "{ level: debug }" });
    const one = serve();
    await one.adminUrl();
    const children = [...one.children().values()];
    for (const pid of [Number(one.child.pid), ...children]) {
      expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain(SECRET);
      expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain(SECRET);
    }
    expect(await one.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    expect(children.filter(runs)).toEqual([]);
    expect(one.log.at(-1)).toMatchObject({ msg: "stopped", process: "primary" });
    expect(one.log).toHaveLength(one.stderr.trim().split("\n").length);
    for (const line of one.log) {
      expect(line).toMatchObject({
        level: expect.stringMatching(/^(debug|info|warn)$/),
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        process: expect.any(String),
      });
    }
    expect(one.stderr + one.stdout).not.toContain(SECRET);
  });

  test("stop on Ctrl-C, which a terminal sends to all of them at once", async () => {
    configure();
    const one = serve();
    await one.adminUrl();
    const children = [...one.children().values()];
    for (const pid of children) process.kill(pid, "SIGINT");
    expect(await one.kill("SIGINT")).toEqual({ code: 0, signal: null });
    expect(children.filter(runs)).toEqual([]);
    expect(one.log.filter((line) => line["level"] === "error")).toEqual([]);
  });
});

test("a command that finds no process says how to start one", async () => {
  const one = run(["migration", "list", "--server", "http://127.0.0.1:1", "--json"]);
  expect((await one.ended).code).toBe(1);
  expect(JSON.parse(one.stdout)).toMatchObject({ error: { code: "CLI_SERVER_UNREACHABLE", exit: 1 } });
  expect(one.stderr).toBe("");
});
