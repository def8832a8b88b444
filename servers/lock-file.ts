import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** A lock of another machine (a home folder on a network) cannot be asked whether it lives; it counts as dead after this. */
const FOREIGN_LOCK_MINUTES_MAX = 30;

/**
 * Runs `work` while this process holds the lock file `path`, waiting for whoever holds it.
 *
 * A lock whose process is gone is broken. Breaking can race so that, rarely, two hold it at once: the lock saves
 * double work, and the work itself must stay right without it (fill beside, rename into place).
 */
export async function withLockFile<T>(path: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), nonce: randomUUID() });
  let told = false;
  while (!take(path, mine)) {
    const holder = read(path);
    if (holder !== undefined && isDead(path, holder)) {
      breakLock(path, holder);
      continue;
    }
    if (!told) onWait();
    told = true;
    await sleep(200);
  }
  try {
    return await work();
  } finally {
    if (read(path) === mine) rmSync(path, { force: true });
  }
}

/** The lock appears with its content in one step: written beside, then linked, which fails where one exists. */
function take(path: string, content: string): boolean {
  const beside = `${path}.${process.pid}.${randomUUID()}`;
  writeFileSync(beside, content);
  try {
    linkSync(beside, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(beside, { force: true });
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function isDead(path: string, content: string): boolean {
  let holder: { pid?: unknown; host?: unknown };
  try {
    holder = JSON.parse(content) as typeof holder;
  } catch {
    return true;
  }
  if (holder.host !== hostname()) return ageMinutes(path) > FOREIGN_LOCK_MINUTES_MAX;
  return typeof holder.pid !== "number" || !isAlive(holder.pid);
}

function ageMinutes(path: string): number {
  try {
    return (Date.now() - statSync(path).mtimeMs) / 60_000;
  } catch {
    return 0;
  }
}

/** Whether a process with this id runs, whoever owns it. One that has ended but was not waited for does not count. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function isZombie(pid: number): boolean {
  try {
    // `pid (name) state …`; the name may contain anything, so the last parenthesis counts.
    return /\) Z [^)]*$/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Moves the dead lock away; if another process has taken the lock meanwhile, its lock is put back. */
function breakLock(path: string, dead: string): void {
  const aside = `${path}.${process.pid}.${randomUUID()}.dead`;
  try {
    renameSync(path, aside);
    if (read(aside) !== dead) linkSync(aside, path);
  } catch {
    // Somebody else was faster; the next round looks again.
  } finally {
    rmSync(aside, { force: true });
  }
}
