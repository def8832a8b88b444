/** A promise that is settled from outside. Settling it again does nothing. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
  readonly settled: boolean;
}

/** Makes a {@link Deferred}. A rejection that nobody awaits yet does not end the process. */
export function deferred<T>(): Deferred<T> {
  return new SettledFromOutside<T>();
}

const nothing = (): undefined => undefined;

/** A class, since each connection makes some: an object with functions of its own takes V8 several times as long. */
class SettledFromOutside<T> implements Deferred<T> {
  readonly promise: Promise<T>;
  settled = false;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    promise.catch(nothing);
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  resolve(value: T): void {
    this.settled = true;
    this.#resolve(value);
  }

  reject(error: unknown): void {
    this.settled = true;
    this.#reject(error);
  }
}
