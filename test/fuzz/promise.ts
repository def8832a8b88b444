/** Fails a fuzz run: a promise of the target does not hold for this input. `broken` says what was seen instead. */
export function expectThat(holds: boolean, broken: string): asserts holds {
  if (!holds) throw new Error(`a promise is broken: ${broken}`);
}

/** Reads what the code under test has written itself: here no refusal is allowed. */
export function readAgain<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error("a promise is broken: what it wrote it does not read", { cause: error });
  }
}
