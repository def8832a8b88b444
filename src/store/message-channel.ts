/**
 * A way to another process for JSON messages, in order. A message arrives once or, where the other side has gone,
 * not at all.
 */
export interface MessageChannel {
  /** Hands a message over. False when the other side is known to be gone: then it was certainly not sent. */
  send(message: object): boolean;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once, when nothing can be sent or received any more; at once where that is so already. */
  onClose(listener: (reason: string) => void): void;
}

/** The parts of `process` (in a child) and of a forked process (in its parent) that messages need. */
export interface MessageProcess {
  readonly connected: boolean;
  send?: ((message: object, callback: (error: Error | null) => void) => boolean) | undefined;
  on(event: "message", listener: (message: unknown) => void): unknown;
  once(event: "disconnect", listener: () => void): unknown;
}

/**
 * The messages of one topic between a process and its parent, over the channel that Node opens at `fork`.
 * Several topics share it; each hears its own.
 */
export function processChannel(peer: MessageProcess, topic: string): MessageChannel {
  return {
    send(message) {
      if (!peer.connected || peer.send === undefined) return false;
      // An error here means that the other side is going; `disconnect` follows and settles what is open.
      peer.send({ topic, body: message }, () => undefined);
      return true;
    },
    onMessage(listener) {
      peer.on("message", (message) => {
        if (isEnvelope(message) && message.topic === topic) listener(message.body);
      });
    },
    onClose(listener) {
      if (peer.connected) peer.once("disconnect", () => listener("the other process has gone"));
      else listener("the other process has gone");
    },
  };
}

function isEnvelope(message: unknown): message is { readonly topic: string; readonly body: unknown } {
  return typeof message === "object" && message !== null && "topic" in message && "body" in message;
}
