import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Sends SIGSTOP and resolves once no thread of the process runs any more: until then it may still answer. */
export async function stopProcess(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  // The state follows the name, which is in parentheses and may hold anything.
  while (!/^T/.test(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1) ?? "")) await sleep(1);
}
