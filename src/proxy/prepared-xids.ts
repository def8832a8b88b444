/** More are forgotten, oldest first; their homes are then asked one after the other. */
const XIDS_MAX = 10_000;

/**
 * Where distributed transactions lie that sessions of this worker have prepared: on one server each, whichever session
 * ends them.
 */
export class PreparedXids {
  readonly #backends = new Map<string, string>();

  note(xid: string, backend: string): void {
    this.#backends.delete(xid);
    this.#backends.set(xid, backend);
    if (this.#backends.size <= XIDS_MAX) return;
    for (const oldest of this.#backends.keys()) {
      this.#backends.delete(oldest);
      return;
    }
  }

  at(xid: string): string | undefined {
    return this.#backends.get(xid);
  }

  forget(xid: string): void {
    this.#backends.delete(xid);
  }
}
