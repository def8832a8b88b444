import type { Cause, Tie } from "./cause.ts";

/** Something of a session that lives on one backend and cannot be replayed on another. */
export interface Pin extends Tie {
  readonly backend: string;
  /** It holds locks on the server or rows that wait, so a drain must wait until it is gone. */
  readonly open: boolean;
}

/** Why a session cannot leave a backend; by kind, so that the same thing done twice is one pin. */
export class SessionPins {
  readonly #pins = new Map<string, Pin>();
  /** Those of no known cause yet: there may be many pins, and each statement asks. */
  readonly #unexplained = new Set<string>();

  get first(): Pin | undefined {
    for (const pin of this.#pins.values()) return pin;
    return undefined;
  }

  get size(): number {
    return this.#pins.size;
  }

  has(kind: string): boolean {
    return this.#pins.has(kind);
  }

  /** All of them, oldest first. */
  get all(): Iterable<Pin> {
    return this.#pins.values();
  }

  /** What is there already keeps its cause. */
  set(kind: string, pin: Pin): void {
    const { reason, backend, cause } = this.#pins.get(kind) ?? {};
    const same = reason === pin.reason && backend === pin.backend;
    const kept = same && pin.cause === undefined ? { ...pin, cause } : pin;
    this.#pins.set(kind, kept);
    if (kept.cause === undefined) this.#unexplained.add(kind);
    else this.#unexplained.delete(kind);
  }

  /** What has come about since it was asked last came about by this statement. */
  explain(cause: () => Cause): void {
    for (const kind of this.#unexplained) {
      const pin = this.#pins.get(kind);
      if (pin !== undefined) this.#pins.set(kind, { ...pin, cause: cause() });
    }
    this.#unexplained.clear();
  }

  clear(kind: string): void {
    this.#pins.delete(kind);
    this.#unexplained.delete(kind);
  }

  /** The connection to this backend is gone. */
  lost(backend: string): void {
    for (const [kind, pin] of this.#pins) if (pin.backend === backend) this.#pins.delete(kind);
  }

  clearAll(): void {
    this.#pins.clear();
    this.#unexplained.clear();
  }

  /** What keeps locks or rows at this backend. */
  openAt(backend: string): Pin | undefined {
    for (const pin of this.#pins.values()) if (pin.open && pin.backend === backend) return pin;
    return undefined;
  }

  /** What would be lost with the connection to `backend`. */
  at(backend: string): string | undefined {
    for (const pin of this.#pins.values()) if (pin.backend === backend) return pin.reason;
    return undefined;
  }

  /** What would be lost by leaving for `backend`. */
  against(backend: string): Pin | undefined {
    for (const pin of this.#pins.values()) if (pin.backend !== backend) return pin;
    return undefined;
  }
}
