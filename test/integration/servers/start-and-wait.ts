import { startServers } from "../../support/servers.ts";

// Run as a process of its own by the test beside it, which kills it.
const { doomed } = await startServers(["doomed"]);
process.stdout.write(`${JSON.stringify({ pid: doomed.pid, folder: doomed.folder })}\n`);
setInterval(() => undefined, 60_000);
