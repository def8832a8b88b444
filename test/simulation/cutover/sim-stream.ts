import { SwitchyardError } from "../../../src/base/errors.ts";
import type { StreamHealth, StreamPort } from "../../../src/cutover/ports.ts";
import { indexOf } from "./sim-home.ts";
import type { SimServer } from "./sim-server.ts";
import type { SimProcess } from "./world.ts";

/** How long a stream that has nothing to do waits for the log to grow before it looks around. */
const IDLE_LOOK_MS = 5;

/** One direction's stream in one controller: follows a server's log and writes to the other under its ledger's epoch. */
export class SimStream implements StreamPort {
  readonly #direction: string;
  readonly #source: SimServer;
  readonly #target: SimServer;
  readonly #process: SimProcess;
  #running = false;
  #limit = Number.POSITIVE_INFINITY;
  #epoch = -1;
  #round = 0;
  /** The start position that this stream has begun at, if it is not the first. */
  #token: string | undefined;

  constructor(direction: string, source: SimServer, target: SimServer, process: SimProcess) {
    this.#direction = direction;
    this.#source = source;
    this.#target = target;
    this.#process = process;
  }

  async health(): Promise<StreamHealth> {
    await this.#process.gate();
    const behind = this.#source.log.length - this.#target.ledger(this.#direction).position;
    return { state: this.#running ? "running" : "closed", lagMs: behind * 2, drift: 0, ddl: 0 };
  }

  async stopAt(position: string, options: { readonly timeoutMs: number }): Promise<void> {
    const { world } = this.#target;
    await this.#process.gate();
    if (!this.#running) await this.#claim();
    this.#limit = indexOf(position);
    const deadline = world.now + options.timeoutMs;
    while (this.#target.ledger(this.#direction).position < this.#limit) {
      if (!this.#running) throw new SwitchyardError("TIMEOUT", { what: "the stream's ledger was taken" });
      if (world.now > deadline) throw new SwitchyardError("TIMEOUT", { what: "the stream did not get there in time" });
      await world.delay(1);
      await this.#process.gate();
    }
  }

  async closeLedger(): Promise<void> {
    await this.#process.gate();
    await this.#target.world.delay(1);
    this.#target.ledger(this.#direction).epoch += 1;
    this.#running = false;
    await this.#process.gate();
  }

  /** Which stream this process takes itself to have, as its journal says. */
  began(token: string | undefined): void {
    this.#token = token;
  }

  async resume(): Promise<void> {
    await this.#process.gate();
    this.#limit = Number.POSITIVE_INFINITY;
    if (!this.#running) await this.#claim();
  }

  async writeStart(token: string, position: string): Promise<void> {
    await this.#process.gate();
    await this.#target.world.delay(1);
    this.#target.ledger(this.#direction).starts.set(token, indexOf(position));
    this.#target.append({ origin: "ours", writes: [] });
    await this.#process.gate();
  }

  async start(token: string): Promise<void> {
    await this.#process.gate();
    await this.#target.world.delay(1);
    const ledger = this.#target.ledger(this.#direction);
    if (this.#running && ledger.token === token && ledger.epoch === this.#epoch) return;
    if (ledger.token !== token) {
      const position = ledger.starts.get(token);
      if (position === undefined) throw new SwitchyardError("TIMEOUT", { what: `no start position under ${token}` });
      ledger.token = token;
      ledger.position = position;
      ledger.retired = false;
    }
    this.#token = token;
    this.#limit = Number.POSITIVE_INFINITY;
    await this.#claim();
  }

  async retire(token: string | undefined): Promise<void> {
    await this.#process.gate();
    await this.#target.world.delay(1);
    const ledger = this.#target.ledger(this.#direction);
    if (token !== undefined) ledger.starts.delete(token);
    if (ledger.token === token && !ledger.retired) {
      ledger.epoch += 1;
      ledger.retired = true;
    }
    await this.#process.gate();
  }

  stop(): Promise<void> {
    return this.closeLedger();
  }

  /** Ends it in this process; the ledger stays. */
  drop(): void {
    this.#running = false;
  }

  async #claim(): Promise<void> {
    await this.#target.world.delay(1);
    await this.#process.gate();
    const ledger = this.#target.ledger(this.#direction);
    if (ledger.retired || ledger.token !== this.#token) {
      throw new SwitchyardError("TIMEOUT", { what: `the ledger is not this stream's any more` });
    }
    ledger.epoch += 1;
    this.#epoch = ledger.epoch;
    this.#running = true;
    this.#round += 1;
    void this.#run(this.#round);
  }

  async #run(round: number): Promise<void> {
    const { world } = this.#target;
    const connection = this.#target.connect(undefined, true);
    this.#process.onDeath.push(() => world.after(5, () => this.#target.close(connection)));
    const ledger = this.#target.ledger(this.#direction);
    while (this.#running && this.#round === round) {
      await this.#process.gate();
      const index = ledger.position;
      const entry = this.#source.log[index];
      if (entry === undefined || index >= this.#limit) {
        await this.#source.appended(IDLE_LOOK_MS);
        await world.delay(0.5);
        continue;
      }
      // What a stopped process has in its hands is sent when it wakes, whatever happened meanwhile.
      await this.#process.gate();
      const epoch = this.#epoch;
      const done = await this.#target.apply(connection, this.#direction, epoch, index, entry).catch(() => false);
      if (!done && this.#round === round) {
        this.#running = false;
        break;
      }
    }
    this.#target.close(connection);
  }
}
