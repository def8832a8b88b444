/** Fails a fuzz run: a promise of the target does not hold for this input. `broken` says what was seen instead. */
export function expectThat(holds: boolean, broken: string): asserts holds {
  if (!holds) throw new Error(`a promise is broken: ${broken}`);
}
