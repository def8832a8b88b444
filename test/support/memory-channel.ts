import type { MessageChannel } from "../../src/store/message-channel.ts";

/** One end of a {@link channelPair}. */
export interface ChannelEnd extends MessageChannel {
  /** Messages that this end sends are lost until it is set back. */
  silent: boolean;
  /** Both ends hear that the other has gone. */
  cut(): void;
}

/** Two ends of a message channel within one process; messages pass through JSON and arrive in a later turn. */
export function channelPair(): [ChannelEnd, ChannelEnd] {
  const ends: [MemoryEnd, MemoryEnd] = [new MemoryEnd(), new MemoryEnd()];
  ends[0].other = ends[1];
  ends[1].other = ends[0];
  return ends;
}

class MemoryEnd implements ChannelEnd {
  silent = false;
  other: MemoryEnd | undefined;
  readonly #messages: ((message: unknown) => void)[] = [];
  readonly #closes: ((reason: string) => void)[] = [];
  #closed = false;

  send(message: object): boolean {
    if (this.#closed) return false;
    if (this.silent) return true;
    const text = JSON.stringify(message);
    const { other } = this;
    setImmediate(() => other?.deliver(text));
    return true;
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#messages.push(listener);
  }

  onClose(listener: (reason: string) => void): void {
    this.#closes.push(listener);
  }

  cut(): void {
    for (const end of [this, this.other]) end?.close();
  }

  deliver(text: string): void {
    if (!this.#closed) for (const listener of this.#messages) listener(JSON.parse(text));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const listener of this.#closes) listener("the channel was cut");
  }
}
