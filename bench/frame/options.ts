import { parseArgs } from "node:util";

export interface BenchOptions {
  readonly name: string;
  readonly json: boolean;
  readonly all: boolean;
  readonly only: RegExp | undefined;
  readonly rounds: number | undefined;
}

const ROUNDS_MAX = 1000;

/**
 * The command line of `npm run bench`.
 *
 * @throws {Error} saying which argument cannot be understood.
 */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      all: { type: "boolean", default: false },
      only: { type: "string" },
      rounds: { type: "string" },
    },
  });
  const [name, ...more] = positionals;
  if (name === undefined || more.length > 0) throw new Error("exactly one bench is to be named");
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds >= 1 && rounds <= ROUNDS_MAX)) {
    throw new Error(`--rounds is a number from 1 to ${ROUNDS_MAX}, not "${values.rounds}"`);
  }
  const only = values.only === undefined ? undefined : new RegExp(values.only);
  return { name, json: values.json, all: values.all, only, rounds };
}
