import { INPUT_BYTES_MAX } from "./fuzz-target.ts";

/** The input that a campaign is at, where the thread that watches it can read it even while the other one hangs. */
export class SharedInput {
  readonly memory: SharedArrayBuffer;
  readonly #numbers: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(8 + INPUT_BYTES_MAX)) {
    this.memory = memory;
    this.#numbers = new Int32Array(memory, 0, 2);
    this.#bytes = new Uint8Array(memory, 8);
  }

  /** Executions begun. */
  get begun(): number {
    return Atomics.load(this.#numbers, 0);
  }

  set(input: Buffer, execution: number): void {
    this.#bytes.set(input);
    Atomics.store(this.#numbers, 1, input.length);
    Atomics.store(this.#numbers, 0, execution + 1);
  }

  get(): Buffer {
    return Buffer.from(this.#bytes.slice(0, Atomics.load(this.#numbers, 1)));
  }
}
