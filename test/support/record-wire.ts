import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startServers, stopServers } from "./servers.ts";
import { openRelay, type Spoken, writeRecording } from "./wire-recording.ts";
import { prepareServer, WIRE_SESSIONS } from "./wire-sessions.ts";

const FOLDER = resolve(import.meta.dirname, "../golden/wire");

/** A TLS session cannot be read behind its first packets: the greeting and the request. */
const TLS_TURNS_MAX = 2;

/** `node scripts/record-wire.mjs`: writes test/golden/wire anew, from the clients and the server of this machine. */
export async function main(): Promise<void> {
  const servers = await startServers(["a"]);
  try {
    await prepareServer(servers.a);
    const [version] = await servers.a.root("SELECT VERSION() v");
    for (const session of WIRE_SESSIONS) {
      const spoken: Spoken[] = [];
      const relay = await openRelay(servers.a.port, (turn) => spoken.push(turn));
      await session.run(relay.port, servers.a);
      await sleep(200);
      relay.close();
      const kept = session.name.includes("tls") ? spoken.slice(0, TLS_TURNS_MAX) : spoken;
      const origin = [session.origin, `MySQL ${version?.["v"]}; script: test/support/wire-sessions.ts`];
      writeRecording(`${FOLDER}/${session.name}.txt`, { origin, spoken: kept });
      process.stdout.write(`${session.name}: ${kept.length} turns\n`);
    }
  } finally {
    await stopServers(servers);
  }
}
