/**
 * The kernels of both sides keep less than this of a connection: whoever has gone has left no more behind what was read.
 */
const AHEAD_BYTES_MAX = 16 * 1024 ** 2;
/** What a chunk takes beside its bytes, which may be a single one. */
const CHUNK_BYTES = 128;

/** Places of chunks that have been taken, from which on they are forgotten once they are half of all. */
const TAKEN_MAX = 1024;

/** Bytes that were read of the clients of one worker beyond what each of them may send ahead, together. */
export class ReadAhead {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isFull(): boolean {
    return this.#bytes >= this.#bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  change(by: number): void {
    this.#bytes += by;
  }
}

/**
 * What has come of one client and nobody has asked for yet.
 *
 * It is full beyond `pipelineBytesMax`: the client is then not read, and is slowed down. But that a client has gone shows
 * only behind all that it had sent. Where its statement takes long its socket is therefore to be read
 * {@link further}, as far as a client that is no more can have sent, and all of them together `ReadAhead` allows.
 */
export class ClientBacklog {
  readonly #pipelineBytesMax: number;
  readonly #ahead: ReadAhead;
  #chunks: (Buffer | undefined)[] = [];
  /** The first that has not been taken: to take from the front of a long list would move all that follows, each time. */
  #first = 0;
  #bytes = 0;
  /** As many of them as count in {@link #ahead}. */
  #beyond = 0;
  #further = false;

  constructor(pipelineBytesMax: number, ahead: ReadAhead) {
    this.#pipelineBytesMax = pipelineBytesMax;
    this.#ahead = ahead;
  }

  get isFull(): boolean {
    if (this.#bytes <= this.#pipelineBytesMax) return false;
    return !this.#further || this.#bytes >= AHEAD_BYTES_MAX || this.#ahead.isFull;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length + CHUNK_BYTES;
    if (this.#bytes > this.#pipelineBytesMax) this.#count();
  }

  take(): Buffer | undefined {
    const chunk = this.#chunks[this.#first];
    if (chunk === undefined) return undefined;
    this.#chunks[this.#first] = undefined;
    this.#first += 1;
    if (this.#first === this.#chunks.length) this.#empty();
    else if (this.#first >= TAKEN_MAX) this.#forgetTaken();
    this.#bytes -= chunk.length + CHUNK_BYTES;
    if (this.#beyond > 0) this.#count();
    return chunk;
  }

  takeAll(): Buffer[] {
    const chunks = this.#chunks.slice(this.#first) as Buffer[];
    this.#empty();
    this.#bytes = 0;
    this.#count();
    return chunks;
  }

  /** Is not full any more until it has been emptied, where that is allowed. Answers whether it is. */
  further(): boolean {
    if (this.#beyond > 0) this.#further = true;
    return !this.isFull;
  }

  #forgetTaken(): void {
    if (this.#first < this.#chunks.length / 2) return;
    this.#chunks = this.#chunks.slice(this.#first);
    this.#first = 0;
  }

  #empty(): void {
    this.#chunks = [];
    this.#first = 0;
  }

  #count(): void {
    const beyond = Math.max(0, this.#bytes - this.#pipelineBytesMax);
    this.#ahead.change(beyond - this.#beyond);
    this.#beyond = beyond;
    if (beyond === 0) this.#further = false;
  }
}
