import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestServer } from "./servers.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");

/** Runs `switchyard check` on two servers, as their administrator, without any running process. */
export async function runCheck(
  source: TestServer,
  target: TestServer,
  tables: string,
): Promise<{ readonly exit: number; readonly stdout: string; readonly stderr: string }> {
  const folder = mkdtempSync(join(tmpdir(), "switchyard-check-"));
  const entry = (server: TestServer): string =>
    `{ host: ${server.host}, port: ${server.port}, user: root, password: "" }`;
  const config = join(folder, "switchyard.yaml");
  writeFileSync(config, `backends:\n  source: ${entry(source)}\n  target: ${entry(target)}\ndefault: source\n`);
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
