import { existsSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { SwitchyardError } from "../base/errors.ts";
import { FAILPOINTS, type Failpoint, type FailpointHook, noFailpoints } from "../base/failpoints.ts";

/** What the line of a point says is done there. */
interface Armed {
  readonly point: Failpoint;
  readonly wait: boolean;
}

const WAIT = "wait ";
const WAIT_MS_MAX = 30_000;
const WAIT_LOOK_MS = 5;

/**
 * The failpoints that the environment arms: SWITCHYARD_FAILPOINT_FILE names a file with one of them on each line, which
 * may be written at any time.
 *
 * When the point of the first line is reached, that line is removed and the process kills itself. The line goes first,
 * so that the process that is started in its place gets past the point, and on to that of the next line.
 *
 * At a line `wait POINT` the process does not kill itself but announces the point by {@link reachedFile}, and waits there
 * until that file has been removed, for half a minute at most: whoever removes it has broken something else meanwhile.
 *
 * @throws {SwitchyardError} `CONFIG_FAILPOINT_INVALID`, also from the hook, where the file names a point that is none
 */
export function failpointFromEnvironment(env: Readonly<Record<string, string | undefined>>): FailpointHook {
  const file = env["SWITCHYARD_FAILPOINT_FILE"];
  if (!file) return noFailpoints;
  armed(file);
  return (point) => {
    const lines = armed(file);
    const [next] = lines;
    if (next?.point !== point) return Promise.resolve();
    return next.wait ? waitAt(point, file, lines.slice(1)) : die(file, lines.slice(1));
  };
}

/** Where a process says at which point it waits, as `POINT PID`; `file` is the one that armed it. */
export function reachedFile(file: string): string {
  return `${file}.reached`;
}

/** The points that are still to be reached; none where there is no such file. */
function armed(file: string): readonly Armed[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return [];
  }
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const wait = line.startsWith(WAIT);
    const point = wait ? line.slice(WAIT.length) : line;
    if (!isFailpoint(point)) throw unknown(point);
    return { point, wait };
  });
}

function isFailpoint(name: string): name is Failpoint {
  return (FAILPOINTS as readonly string[]).includes(name);
}

function unknown(name: string): SwitchyardError {
  return new SwitchyardError("CONFIG_FAILPOINT_INVALID", {
    what: `SWITCHYARD_FAILPOINT_FILE names "${name}", which is not a failpoint`,
    details: [`known: ${FAILPOINTS.join(", ")}`],
    fix: "Name one of these, or unset the variable. It is meant for tests only.",
  });
}

function die(file: string, later: readonly Armed[]): Promise<void> {
  leave(file, later);
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => undefined);
}

async function waitAt(point: Failpoint, file: string, later: readonly Armed[]): Promise<void> {
  leave(file, later);
  const reached = reachedFile(file);
  write(reached, `${point} ${process.pid}`);
  const endMs = performance.now() + WAIT_MS_MAX;
  while (existsSync(reached) && performance.now() < endMs) await sleep(WAIT_LOOK_MS);
}

function leave(file: string, later: readonly Armed[]): void {
  if (later.length === 0) unlinkSync(file);
  else write(file, later.map(({ point, wait }) => `${wait ? WAIT : ""}${point}`).join("\n"));
}

/** Whoever reads it meanwhile sees what stood there before or all that is written, never half of it. */
function write(file: string, text: string): void {
  writeFileSync(`${file}.next`, text);
  renameSync(`${file}.next`, file);
}
