import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import type { Programs } from "../../servers/programs.ts";
import { runCommand } from "../../servers/run-command.ts";

const GIB = 1024 ** 3;

/** What the figures were measured on, and how busy it was at the start. */
export function describeMachine(): string[] {
  const processors = cpus();
  return [
    `cores   ${processors.length} × ${processors[0]?.model.trim() ?? "unknown"}`,
    `memory  ${(totalmem() / GIB).toFixed(1)} GiB`,
    `kernel  ${type()} ${release()}${distribution()}`,
    `load    ${loadavg()[0]?.toFixed(2)} (mean of the last minute, before the run)`,
    `node    ${process.versions.node}`,
  ];
}

/** The server's version, as it says itself. */
export async function mysqldVersion({ mysqld }: Programs): Promise<string> {
  const text = await runCommand(mysqld.command, [...mysqld.args, "--version"]);
  return `mysqld  ${/Ver (.*)/.exec(text)?.[1]?.trim() ?? text.trim()}`;
}

function distribution(): string {
  try {
    const name = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
    return name === undefined ? "" : `, ${name}`;
  } catch {
    return "";
  }
}
