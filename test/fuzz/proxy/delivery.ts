import { connect, type Socket } from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { TLSSocket } from "node:tls";
import type { Random } from "../random.ts";

/** Bytes that are sent one by one are at most so many: each is a packet of the network. */
const BYTE_BY_BYTE_MAX = 400;
const SLOW_PIECES_MAX = 6;

/** Connects to a port of this machine. Whatever happens to the socket later is no error of its owner's. */
export async function connectTo(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  socket.on("error", () => undefined);
  await new Promise<void>((resolve) => {
    socket.once("connect", () => resolve());
    socket.once("close", () => resolve());
  });
  return socket;
}

/** Sends bytes in one of the ways in which a network may cut them, or a peer that means ill. */
export async function deliver(socket: Socket, bytes: Buffer, random: Random): Promise<void> {
  const way = random.below(8);
  if (way === 0 && bytes.length <= BYTE_BY_BYTE_MAX) {
    for (const byte of bytes) {
      if (!write(socket, Buffer.from([byte]))) return;
      await nextTurn();
    }
  } else if (way === 1 || way === 2) {
    await inPieces(socket, bytes, random, way === 1 ? () => nextTurn() : () => sleep(random.below(30)));
  } else write(socket, bytes);
}

async function inPieces(socket: Socket, bytes: Buffer, random: Random, pause: () => Promise<unknown>): Promise<void> {
  let at = 0;
  for (let piece = 0; piece < SLOW_PIECES_MAX && at < bytes.length; piece++) {
    const last = piece === SLOW_PIECES_MAX - 1;
    const to = last ? bytes.length : at + 1 + random.below(bytes.length - at);
    if (!write(socket, bytes.subarray(at, to))) return;
    at = to;
    await pause();
  }
}

function write(socket: Socket, bytes: Buffer): boolean {
  if (socket.destroyed || socket.writableEnded) return false;
  socket.write(bytes);
  return true;
}

/** Leaves: politely, by halves, or with a reset. */
export function leave(socket: Socket, random: Random): void {
  const way = random.below(4);
  if (way === 0) socket.end();
  else if (way === 1 && !(socket instanceof TLSSocket)) socket.resetAndDestroy();
  else socket.destroy();
}

/** Until nothing has come for `quietMs`, the peer has closed, or `msMax` are over. */
export async function quiet(socket: Socket, quietMs: number, msMax: number): Promise<void> {
  const endsAtMs = performance.now() + msMax;
  let read = -1;
  while (!socket.destroyed && !socket.readableEnded && performance.now() < endsAtMs && socket.bytesRead !== read) {
    read = socket.bytesRead;
    await sleep(quietMs);
  }
}
