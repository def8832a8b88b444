import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { provideSystemd } from "../../../servers/systemd-programs.ts";
import { SwitchyardRun } from "../../support/switchyard-run.ts";

const DOWNLOAD_MS = 600_000;
const UNIT = resolve(import.meta.dirname, "../../../packaging/systemd/switchyard@.service");

/** Stands for systemd: binds the socket and prints each datagram as one line. Perl is part of every Debian. */
const LISTENER = `use Socket; use IO::Socket::UNIX; $| = 1;
my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die $!;
while (defined $s->recv(my $b, 4096)) { $b =~ s/\\n/ /g; print "$b\\n" }`;

let folder: string;
let tools: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "switchyard-systemd-"));
  tools = await provideSystemd(join(folder, "tools"), (line) => void process.stderr.write(`${line}\n`));
}, DOWNLOAD_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a service of Type=notify", () => {
  let listener: ChildProcess;
  let serve: SwitchyardRun;
  let told = "";

  afterEach(async () => {
    await serve.kill("SIGKILL");
    listener.kill("SIGKILL");
  });

  async function listen(): Promise<string> {
    const socket = join(folder, "notify.sock");
    rmSync(socket, { force: true });
    told = "";
    listener = spawn("perl", ["-e", LISTENER, socket], { stdio: ["ignore", "pipe", "inherit"] });
    listener.stdout?.on("data", (chunk: Buffer) => {
      told += chunk.toString();
    });
    await until(() => existsSync(socket));
    return socket;
  }

  function start(env: Readonly<Record<string, string>>, listenOn = "127.0.0.1:0"): void {
    const backends = "backends: { old: { host: 127.0.0.1, port: 1, user: switchyard, password: p } }";
    writeFileSync(
      join(folder, "switchyard.yaml"),
      `listen: ${listenOn}\nadmin: { listen: "127.0.0.1:0" }\ndataDirectory: data\n${backends}\ndefault: old\n`,
    );
    const path = `${tools}:${process.env["PATH"] ?? ""}`;
    serve = new SwitchyardRun(["serve"], { cwd: folder, env: { PATH: path, ...env } });
  }

  test("says READY when it accepts clients and not before, tells the watchdog, and says STOPPING when told to stop", async () => {
    start({ NOTIFY_SOCKET: await listen(), WATCHDOG_USEC: "600000" });
    await until(() => told.includes("READY=1"));
    expect(told.trim().split("\n")[0]).toBe("READY=1 STATUS=serving");
    expect(serve.log.map((line) => line["msg"])).toContain("switchyard serves");
    await until(() => (told.match(/^WATCHDOG=1$/gm) ?? []).length >= 3);
    expect(told).not.toContain("STOPPING");
    expect(await serve.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    expect(told).toMatch(/^STOPPING=1 /m);
    expect(serve.stderr).not.toContain("systemd-notify");
  });

  test("never says READY when it cannot start", async () => {
    start({ NOTIFY_SOCKET: await listen() }, "192.0.2.1:3306");
    expect((await serve.ended).code).toBe(1);
    expect(told).toBe("");
  });

  test("serves on where systemd-notify is missing, and says so once", async () => {
    start({ NOTIFY_SOCKET: await listen(), WATCHDOG_USEC: "300000", PATH: join(folder, "nothing") });
    await serve.line("systemd-notify failed, so systemd does not know how this service is");
    await new Promise((done) => setTimeout(done, 500));
    expect(serve.stderr.match(/systemd-notify failed/g)).toHaveLength(1);
    expect((await fetch(`${await serve.adminUrl()}/readyz`)).status).toBe(200);
  });
});

describe("the unit", () => {
  /** The unit with programs of this machine, since systemd looks whether they are there. */
  function installed(): string {
    const place = join(folder, "switchyard@.service");
    writeFileSync(place, readFileSync(UNIT, "utf8").replace("/usr/bin/node", process.execPath));
    return place;
  }

  test.each(["serve", "proxy", "controller"])(
    "is one that systemd accepts without a word, as switchyard@%s",
    (kind) => {
      installed();
      const place = join(folder, `switchyard@${kind}.service`);
      const { status, stdout, stderr } = analyze(["verify", "--man=no", place]);
      const ours = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("switchyard"));
      expect({ status, ours }).toEqual({ status: 0, ours: [] });
    },
  );

  test("is open to less than 2 of the 10 points that systemd counts", () => {
    const said = analyze(["security", "--offline=yes", installed()]).stdout;
    const exposure = Number(/Overall exposure level for .*: ([0-9.]+)/.exec(said)?.[1]);
    expect(exposure).toBeGreaterThan(0);
    expect(exposure).toBeLessThan(2);
  });

  test("starts the program that the build makes, by commands that it has", () => {
    const [, main = "", config] = /^ExecStart=\S+ (\S+) %i --config (\S+)$/m.exec(readFileSync(UNIT, "utf8")) ?? [];
    expect([main.endsWith("/dist/main.js"), config]).toEqual([true, "/etc/switchyard/switchyard.yaml"]);
    const source = resolve(import.meta.dirname, "../../../src/main.ts");
    for (const kind of ["serve", "proxy", "controller"]) {
      const help = execFileSync(process.execPath, [source, kind, "--help"], { encoding: "utf8" });
      expect(help).toContain(`switchyard ${kind} [options]`);
    }
  });

  function analyze(args: readonly string[]): { readonly status: number | null; stdout: string; stderr: string } {
    return spawnSync(join(tools, "systemd-analyze"), [...args], { encoding: "utf8", cwd: folder });
  }
});

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (holds()) return;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error("did not come about within 10 s");
}
