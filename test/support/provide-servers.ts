import { providePrograms } from "../../servers/programs.ts";

/** Fetches the servers once, before the first file that needs them; a file's own limit is too short for a download. */
export async function setup(): Promise<void> {
  await providePrograms((line) => process.stderr.write(`${line}\n`));
}
