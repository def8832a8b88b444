import { spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { isAlive } from "./lock-file.ts";

/**
 * Started in a session of its own; ends when the pipe from its owner closes, however the owner ended. Only a process
 * that works inside the folder is killed: process ids are used again, and a command line can be rewritten.
 */
const WATCHDOG = `
trap '' INT TERM HUP
cat > /dev/null
for pidfile in "$0"/*/*.pid; do
  [ -f "$pidfile" ] || continue
  pid=$(cat "$pidfile")
  case "$(readlink "/proc/$pid/cwd")" in "$0"/*) kill -9 "$pid" ;; esac
done
rm -rf -- "$0"
`;

/**
 * Makes a folder for servers that must not outlive this process. A watchdog (a few lines of shell) waits for this
 * process to end, by whatever cause, and then kills the servers whose pid files lie in its subfolders and removes it.
 * Folders whose watchdog was killed as well are cleared here.
 */
export function makeRunFolder(): string {
  const base = serversFolder();
  sweep(base);
  const folder = mkdtempSync(join(base, "run-"));
  writeFileSync(join(folder, "owner"), String(process.pid));
  const watchdog = spawn("sh", ["-c", WATCHDOG, folder], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  watchdog.unref();
  // The pipe must not keep this process alive; it only has to close when the process ends.
  (watchdog.stdin as unknown as { unref(): void }).unref();
  return folder;
}

/** This user's folder for running servers. It is short: the path of a socket has 107 bytes at most. */
export function serversFolder(): string {
  const base = join(tmpdir(), `switchyard-${userInfo().uid}`);
  mkdirSync(base, { recursive: true, mode: 0o700 });
  // Processes are recognized by the folder that they work in, which the system names without symbolic links.
  return realpathSync(base);
}

function sweep(base: string): void {
  for (const name of readdirSync(base)) {
    const folder = join(base, name);
    const owner = readNumber(join(folder, "owner"));
    if (!name.startsWith("run-") || owner === undefined || isAlive(owner)) continue;
    for (const entry of readdirSync(folder)) killProcessesOf(join(folder, entry));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Kills the processes whose pid files lie in `folder`, if they are still those that were started there. */
function killProcessesOf(folder: string): void {
  for (const name of listOf(folder).filter((entry) => entry.endsWith(".pid"))) {
    const pid = readNumber(join(folder, name));
    if (pid !== undefined && isProcessOf(pid, folder)) process.kill(pid, "SIGKILL");
  }
}

function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The process id of the server that runs in `folder`, if one does. */
export function runningServerOf(folder: string): number | undefined {
  const pid = readNumber(join(folder, "mysqld.pid"));
  return pid !== undefined && isProcessOf(pid, folder) ? pid : undefined;
}

/** Whether process `pid` was started for `folder`: it works there. */
function isProcessOf(pid: number, folder: string): boolean {
  try {
    return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${folder}/`);
  } catch {
    return false;
  }
}

function readNumber(path: string): number | undefined {
  try {
    const number = Number(readFileSync(path, "utf8").trim());
    return Number.isInteger(number) && number > 1 ? number : undefined;
  } catch {
    return undefined;
  }
}
