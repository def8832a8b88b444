import { cachingSha2Stage2, verifyCachingSha2 } from "../wire/auth-scramble.ts";

interface Known {
  readonly password: Buffer;
  readonly stage2: Buffer;
}

/**
 * Passwords that a backend has accepted, in memory alone, so that the next login of the same user is answered without
 * asking for the password again. Knowing one proves nothing here: every login is still made at the backend.
 */
export class PasswordCache {
  readonly #usersMax: number;
  readonly #known = new Map<string, Known>();

  constructor(usersMax: number) {
    this.#usersMax = usersMax;
  }

  /** The password of `user`, if `scramble` shows that the client knows the very same. */
  verified(user: Buffer, nonce: Buffer, scramble: Buffer): Buffer | undefined {
    const known = this.#known.get(user.toString("latin1"));
    return known !== undefined && verifyCachingSha2(known.stage2, nonce, scramble) ? known.password : undefined;
  }

  /** A backend has accepted this password. */
  keep(user: Buffer, password: Buffer): void {
    const name = user.toString("latin1");
    const before = this.#known.get(name);
    // All sessions of a user share one copy, which pins no slab of other buffers for each of them.
    const known = before?.password.equals(password)
      ? before
      : { password: Buffer.from(password), stage2: cachingSha2Stage2(password) };
    this.#known.delete(name);
    this.#known.set(name, known);
    if (this.#known.size <= this.#usersMax) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }

  /** A backend has refused the password that is kept. */
  forget(user: Buffer): void {
    this.#known.delete(user.toString("latin1"));
  }
}
