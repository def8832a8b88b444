/** A test that runs for as long as one likes. */
export interface Soak {
  /** Its options, one line each, for whoever asks. */
  readonly usage: readonly string[];
  /** Runs it, prints how it goes, and resolves with the exit code: 0 only if nothing was found. */
  run(args: readonly string[]): Promise<number>;
}

/** What was asked for cannot be run; the message says why. */
export class SoakUsageError extends Error {}

/** Rejects when somebody wants the run to end: what has been started must be stopped. */
export function interruption(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => undefined);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => reject(new Error(`it was ended by ${signal}`)));
  }
  return promise;
}

/** A whole number, `min` or more, as an option's text gives it. */
export function wholeNumber(name: string, text: string, min: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= min) return value;
  throw new SoakUsageError(`--${name} takes a whole number from ${min}, not "${text}"`);
}
