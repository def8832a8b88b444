import type { Clock } from "../base/clock.ts";
import { dialBackend } from "./backend-login.ts";
import type { BackendAddress } from "./proxy-config.ts";

/** Sessions that lose their connections together ask once. */
const FRESH_MS = 100;
const TIMEOUT_MS = 1000;

interface Answer {
  readonly atMs: number;
  readonly lives: Promise<boolean>;
}

/** Whether a server accepts connections at this moment, asked when it has closed some. */
export class BackendProbe {
  readonly #backends: Readonly<Record<string, BackendAddress>>;
  readonly #clock: Clock;
  readonly #answers = new Map<string, Answer>();

  constructor(backends: Readonly<Record<string, BackendAddress>>, clock: Clock) {
    this.#backends = backends;
    this.#clock = clock;
  }

  /** False where it is being stopped, has crashed, or cannot be reached. */
  lives(name: string): Promise<boolean> {
    const now = this.#clock.monotonicMs();
    const last = this.#answers.get(name);
    if (last !== undefined && now - last.atMs < FRESH_MS) return last.lives;
    const lives = this.#ask(name);
    this.#answers.set(name, { atMs: now, lives });
    return lives;
  }

  async #ask(name: string): Promise<boolean> {
    const address = this.#backends[name];
    if (address === undefined) return false;
    try {
      const answer = await dialBackend(address, TIMEOUT_MS);
      if ("link" in answer) answer.link.end("it was only asked whether it lives");
      return true;
    } catch {
      return false;
    }
  }
}
