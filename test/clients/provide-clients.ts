import { setup as provideServers } from "../support/provide-servers.ts";
import { CLIENTS } from "./catalogue.ts";

/**
 * Fetches what client programs run in, and compiles those that must be, before the time of a test begins to count. What
 * cannot be had is said here, and fails the tests of the clients that need it.
 */
export async function setup(): Promise<void> {
  await provideServers();
  for (const client of CLIENTS) {
    await client.command(say).catch((error: Error) => say(`${client.name} cannot be run: ${error.message}`));
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
