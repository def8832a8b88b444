import { Socket } from "node:net";
import type { HandedClients } from "../proxy/proxy-config.ts";

/** Topic of what the two sides say to each other, see `store/message-channel.ts`; a client comes along with its message. */
const CLIENTS_TOPIC = "clients";
const A_CLIENT = { topic: CLIENTS_TOPIC, body: "client" };
const TAKEN = { topic: CLIENTS_TOPIC, body: "taken" };

/** The parts of `process` that a child needs for it, and of a forked process that its parent needs. */
export interface HandingProcess {
  readonly connected: boolean;
  send?:
    | ((
        message: object,
        socket: Socket | undefined,
        options: { readonly keepOpen?: boolean },
        callback: (error: Error | null) => void,
      ) => boolean)
    | undefined;
  on(event: "message", listener: (message: unknown, socket?: unknown) => void): unknown;
}

/** In a child: the clients that the primary hands to it, and says each time when it can take the next. */
export function clientsFrom(primary: HandingProcess): HandedClients {
  return {
    to: (take) => {
      primary.on("message", (message, socket) => {
        if (!isAbout(message)) return;
        primary.send?.(TAKEN, undefined, {}, () => undefined);
        // One that has left on the way has no socket any more.
        if (socket instanceof Socket) take(socket);
      });
    },
  };
}

/** In the primary: calls `taken` for each client that the child has taken, one at a time. */
export function heedTaken(child: HandingProcess, taken: () => void): void {
  child.on("message", (message) => {
    if (isAbout(message)) taken();
  });
}

/**
 * Gives a client to a child. This process has it, too, until it destroys its own, which a client does not notice once the child
 * has taken it. False where the child is known to be gone.
 */
export function handOver(child: HandingProcess, socket: Socket): boolean {
  if (!child.connected || child.send === undefined) return false;
  // An error here means that the child is going; its end settles what becomes of the client.
  child.send(A_CLIENT, socket, { keepOpen: true }, () => undefined);
  return true;
}

function isAbout(message: unknown): boolean {
  return typeof message === "object" && message !== null && "topic" in message && message.topic === CLIENTS_TOPIC;
}
