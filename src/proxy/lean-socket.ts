import { Socket } from "node:net";
import { copyOf } from "./chunk-memory.ts";

/** What one read takes from a socket at most. */
const READ_BYTES_MAX = 64 * 1024;

/**
 * All lean sockets of the process read into it: reading, and copying what was read, are one call from the event loop.
 */
const SHARED = Buffer.allocUnsafeSlow(READ_BYTES_MAX);

/** The part of a socket that Node has under a name of its own. */
interface WithHandle {
  _handle: object | null;
}

/**
 * Takes a connection over from a socket, which is of no use afterwards, and answers one that reads and writes like it
 * at half the cost: what arrives is read into a buffer that is there already, and handed to the listeners of `data`
 * without a pass through the queue of a stream. It begins paused: no byte is missed until the caller has listeners.
 * Chunks are the listeners' to keep; whoever has kept nothing of one may give it back with `giveBack`.
 *
 * Only right behind a login, in a turn in which the caller has all bytes that have arrived. Where that is not so, or
 * there is TLS or a socket file, the socket itself is the answer, as it was.
 */
export function leanSocket(socket: Socket): Socket {
  const { _handle: handle } = socket as unknown as WithHandle;
  const plain = Object.getPrototypeOf(socket) === Socket.prototype && socket.remoteAddress !== undefined;
  const quiet = socket.readableLength === 0 && socket.writableLength === 0 && !socket.readableEnded;
  if (!plain || !quiet || handle === null || handle === undefined || socket.destroyed) return socket;
  (socket as unknown as WithHandle)._handle = null;
  socket.destroy();
  const lean: Socket = new Socket({
    handle,
    pauseOnCreate: true,
    onread: { buffer: SHARED, callback: (length: number) => lean.emit("data", copyOf(SHARED, length)) },
  } as ConstructorParameters<typeof Socket>[0]);
  return lean;
}
