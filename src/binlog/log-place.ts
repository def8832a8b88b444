import type { EventHeader } from "./binlog-event.ts";

const POSITIONS = 2 ** 32;

/**
 * Where a dump is in the source's log, for messages to people.
 *
 * Event headers hold the low 32 bits of a position only, and a single large transaction may take a file beyond 4 GiB.
 * The place counts on: positions within a file only grow, so a smaller number in a header is one more turn of these
 * bits. A heartbeat of version 2 tells the whole position and corrects a turn that was passed over unseen.
 */
export class LogPlace {
  #file = "";
  #position = 0;

  get file(): string {
    return this.#file;
  }

  /** End of the last event that had a position, in bytes from the beginning of the file. */
  get position(): number {
    return this.#position;
  }

  /** The log goes on at exactly this place. */
  set(file: string, position: number): void {
    this.#file = file;
    this.#position = position;
  }

  /** An event of the log has been seen. Made-up events and those inside of a compressed transaction have no position. */
  pass(header: Pick<EventHeader, "logPosition">): void {
    if (header.logPosition === 0) return;
    const turned = (header.logPosition - (this.#position % POSITIONS) + POSITIONS) % POSITIONS;
    this.#position += turned;
  }

  toString(): string {
    return `${this.#file === "" ? "(file unknown)" : this.#file}:${this.#position}`;
  }
}
