import type { ErrPacket } from "../wire/err-packet.ts";

/** What a {@link Reply} may do with the connection that it is read from. */
export interface ReplyContext {
  readonly capabilities: number;
  /** Name of the server, for errors. */
  readonly server: string;
  /** Tells the last status flags. */
  status(status: number): void;
  /** Sends a packet that the reply calls for, with back-pressure. */
  send(payload: Buffer, sequence: number): Promise<void>;
  /** From now on bytes come uncut to {@link Reply.chunk}; call again with `false` and what was read too far. */
  uncut(on: boolean, unread?: Buffer): void;
}

/**
 * Reads the reply to one command, packet by packet. It settles its own promise: with the result, or with the
 * server's error; and rejects it from {@link lost}.
 */
export interface Reply {
  /** Answers whether the reply is complete. What it throws ends the connection. */
  packet(payload: Buffer, sequence: number, context: ReplyContext): boolean | Promise<boolean>;
  /** Bytes as they come, after the reply has asked for them. Answers whether the reply is complete. */
  chunk?(bytes: Buffer, context: ReplyContext): boolean | Promise<boolean>;
  /** The server answered with an error, which completes the reply. */
  failed(error: ErrPacket, context: ReplyContext): void;
  /** The connection has ended before the reply was complete, or the reply itself has thrown `error`. */
  lost(error: unknown): void;
}
