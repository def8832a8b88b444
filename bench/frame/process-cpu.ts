import { readFileSync } from "node:fs";

/** Linux counts the processor time of a process in hundredths of a second, whatever its kernel's own clock. */
const TICKS_PER_SECOND = 100;
/** Fields of /proc/PID/stat behind the name of the program, which may have blanks in it. */
const USER_FIELD = 11;
const SYSTEM_FIELD = 12;

/** The processor time that a process has taken so far, in its own code and in the kernel's on its behalf. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[USER_FIELD]) + Number(fields[SYSTEM_FIELD])) / TICKS_PER_SECOND;
}
