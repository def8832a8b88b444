import { SwitchyardError } from "../../../src/base/errors.ts";
import type { StreamHealth, StreamPort } from "../../../src/cutover/ports.ts";
import { indexOf } from "./sim-home.ts";
import type { Ledger, SimServer } from "./sim-server.ts";
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
    const { position, ddl } = this.#target.ledger(this.#direction);
    const lagMs = (this.#source.log.length - position) * 2;
    return { state: this.#running ? "running" : "closed", lagMs, drift: 0, ddl };
  }

  async stopAt(position: string, options: { readonly timeoutMs: number }): Promise<void> {
    const { world } = this.#target;
    await this.#process.gate();
    if (!this.#running) throw taken();
    this.#limit = indexOf(position);
    const deadline = world.now + options.timeoutMs;
    while (this.#target.ledger(this.#direction).position < this.#limit) {
      if (!this.#running) throw taken();
      if (world.now > deadline) throw new SwitchyardError("TIMEOUT", { what: "the stream did not get there in time" });
      await world.delay(1);
      await this.#process.gate();
    }
  }

  async seal(attempt: string): Promise<string> {
    if (!this.#running) throw taken();
    const epoch = this.#epoch;
    this.#running = false;
    await this.#process.gate();
    await this.#target.world.delay(1);
    const ledger = this.#target.ledger(this.#direction);
    this.#reached(ledger.sealedBy === undefined ? "seal" : "seal by another");
    if (this.#target.sealsByHolder && ledger.epoch !== epoch) throw taken();
    ledger.epoch += 1;
    ledger.sealedBy = attempt;
    this.#target.sealedAt = this.#target.log.length;
    const executed = this.#target.executed();
    await this.#process.gate();
    return executed;
  }

  async resume(attempt: string, startToken: string | undefined): Promise<void> {
    await this.#process.gate();
    this.#limit = Number.POSITIVE_INFINITY;
    if (this.#running) return;
    await this.#target.world.delay(1);
    const ledger = this.#target.ledger(this.#direction);
    const own = ledger.sealedBy === attempt ? "abort of its attempt" : "abort of another";
    this.#reached(ledger.sealedBy === undefined ? "abort of an attempt" : own);
    if (ledger.retired || ledger.token !== startToken) throw taken();
    if (this.#target.seals && ledger.sealedBy !== undefined && ledger.sealedBy !== attempt) throw taken();
    ledger.sealedBy = undefined;
    ledger.epoch += 1;
    await this.#process.gate();
    this.#token = startToken;
    await this.#claim();
  }

  /** Goes on as the stream that the journal names, where it does not run. */
  async open(token: string | undefined): Promise<void> {
    await this.#process.gate();
    if (this.#running && this.#token === token) return;
    this.#token = token;
    this.#limit = Number.POSITIVE_INFINITY;
    await this.#claim();
  }

  async writeStart(token: string, position: string): Promise<void> {
    await this.#process.gate();
    await this.#target.world.delay(1);
    this.#target.ledger(this.#direction).starts.set(token, indexOf(position));
    this.#target.append({ origin: "ours", writes: [] });
    await this.#process.gate();
  }

  async start(token: string): Promise<void> {
    await this.open(token);
  }

  async retire(token: string | undefined): Promise<void> {
    await this.#process.gate();
    await this.#target.world.delay(1);
    const ledger = this.#target.ledger(this.#direction);
    if (ledger.token === token) this.#reached("retire under its token");
    if (token !== undefined) ledger.starts.delete(token);
    if (ledger.token === token && !ledger.retired) {
      ledger.epoch += 1;
      ledger.retired = true;
      ledger.sealedBy = undefined;
    }
    await this.#process.gate();
  }

  stop(): Promise<void> {
    throw new Error("not simulated");
  }

  /** Ends it in this process; the ledger stays. */
  drop(): void {
    this.#running = false;
  }

  #reached(what: string): void {
    const { retired, sealedBy } = this.#target.ledger(this.#direction);
    const state = retired ? "retired" : sealedBy === undefined ? "open" : "sealed";
    this.#target.world.reached.cell(`${state} / ${what}`);
  }

  async #claim(): Promise<void> {
    await this.#target.world.delay(1);
    await this.#process.gate();
    const ledger = this.#target.ledger(this.#direction);
    this.#reached(ledger.token === this.#token ? "claim under its token" : "claim under another");
    if (this.#target.seals && ledger.sealedBy !== undefined) throw taken();
    if (ledger.token !== this.#token) this.#begin(ledger);
    else if (ledger.retired) throw taken();
    ledger.epoch += 1;
    this.#epoch = ledger.epoch;
    this.#running = true;
    this.#round += 1;
    void this.#run(this.#round);
  }

  /** The ledger begins anew at the position written under this stream's token. */
  #begin(ledger: Ledger): void {
    const position = this.#token === undefined ? undefined : ledger.starts.get(this.#token);
    if (position === undefined) throw taken();
    ledger.token = this.#token;
    ledger.position = position;
    ledger.ddl = 0;
    ledger.retired = false;
    ledger.sealedBy = undefined;
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

function taken(): SwitchyardError {
  return new SwitchyardError("REPLICATION_LEDGER_TAKEN", { what: "the ledger is not this stream's any more" });
}
