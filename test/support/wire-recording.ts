import { readFileSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";

/** Bytes of one side of a connection, in the order in which a relay between the two saw them. */
export interface Spoken {
  readonly from: "client" | "server";
  readonly bytes: Buffer;
}

/** A conversation between a client and a server that are not ours, and how it came about. */
export interface Recording {
  /** The command that made it, and the server: lines for people. */
  readonly origin: readonly string[];
  readonly spoken: readonly Spoken[];
}

/** A relay to a server's port that hands out every byte, of one connection after another. */
export interface Relay {
  readonly port: number;
  close(): void;
}

export async function openRelay(serverPort: number, hear: (spoken: Spoken) => void): Promise<Relay> {
  const sockets = new Set<Socket>();
  const relay = createServer((client) => {
    const server = connect(serverPort, "127.0.0.1");
    client.on("data", (bytes) => {
      hear({ from: "client", bytes: Buffer.from(bytes) });
      server.write(bytes);
    });
    server.on("data", (bytes) => {
      hear({ from: "server", bytes: Buffer.from(bytes) });
      client.write(bytes);
    });
    for (const [one, two] of [[client, server] as const, [server, client] as const]) {
      sockets.add(one);
      one.on("error", () => two.destroy());
      one.on("end", () => two.end());
      one.on("close", () => sockets.delete(one));
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const close = (): void => {
    relay.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: (relay.address() as { port: number }).port, close };
}

/** One line for each turn: `C` or `S` and the bytes in hex; lines of origin begin with `#`. */
export function writeRecording(file: string, { origin, spoken }: Recording): void {
  const turns: { from: Spoken["from"]; parts: Buffer[] }[] = [];
  for (const { from, bytes } of spoken) {
    const last = turns.at(-1);
    if (last?.from === from) last.parts.push(bytes);
    else turns.push({ from, parts: [bytes] });
  }
  const lines = turns.map(
    ({ from, parts }) => `${from === "client" ? "C" : "S"} ${Buffer.concat(parts).toString("hex")}`,
  );
  writeFileSync(file, `${[...origin.map((line) => `# ${line}`), ...lines].join("\n")}\n`);
}

export function readRecording(file: string): Recording {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const spoken = lines
    .filter((line) => !line.startsWith("#"))
    .map((line): Spoken => {
      return { from: line.startsWith("C") ? "client" : "server", bytes: Buffer.from(line.slice(2), "hex") };
    });
  return { origin: lines.filter((line) => line.startsWith("#")).map((line) => line.slice(2)), spoken };
}
