import { providePeers } from "../../servers/peer-programs.ts";
import { providePrograms } from "../../servers/programs.ts";

/**
 * Fetches the servers, and what makes load on them, once, before the first file that needs them; a file's own limit is
 * too short for a download.
 */
export async function setup(): Promise<void> {
  const say = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  await providePrograms(say);
  await providePeers(say);
}
