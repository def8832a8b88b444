import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownEndpoint, schemasOf } from "./own-account.ts";
import type { TestServer } from "./servers.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");

/** Runs `switchyard check` on two servers, with the account that is printed for it, without any running process. */
export async function runCheck(
  source: TestServer,
  target: TestServer,
  tables: string,
): Promise<{ readonly exit: number; readonly stdout: string; readonly stderr: string }> {
  const folder = mkdtempSync(join(tmpdir(), "switchyard-check-"));
  const entry = async (server: TestServer): Promise<string> => {
    const { host, port, user, password } = await ownEndpoint(server, "serve", schemasOf(tables.split(",")));
    return JSON.stringify({ host, port, user, password });
  };
  const config = join(folder, "switchyard.yaml");
  writeFileSync(
    config,
    `backends:\n  source: ${await entry(source)}\n  target: ${await entry(target)}\ndefault: source\n`,
  );
  try {
    const child = spawn(process.execPath, [MAIN, "check", "--config", config, "--tables", tables], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk: Buffer) => {
      output.stdout += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      output.stderr += chunk.toString();
    });
    const exit = await new Promise<number>((resolve) => child.on("close", (code) => resolve(code ?? -1)));
    return { exit, ...output };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
