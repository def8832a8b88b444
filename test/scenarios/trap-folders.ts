import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What a trap must end with: both servers equal, a preflight that refuses its tables, or a stream that stops. */
export type TrapKind = "travels" | "is refused" | "stops the stream";

/** One folder: a hazard in SQL. */
export interface Trap {
  /** The folder's name, and that of the trap's schema. */
  readonly name: string;
  readonly kind: TrapKind;
  readonly schema: string;
  readonly load: string;
  /** Run several times, on either home; `@round` counts the times. */
  readonly changes: string;
  /** Run once on the new home, when its tables have been copied: what moves along by hand. */
  readonly along: string;
  /** What the refusal or the error must contain. */
  readonly expected: string;
}

const FOLDER = import.meta.dirname;

/** All traps, sorted by name. */
export function readTraps(): readonly Trap[] {
  return readdirSync(FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => readTrap(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readTrap(name: string): Trap {
  const text = (file: string): string => {
    const path = join(FOLDER, name, file);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  };
  const refusal = text("expect-refusal").trim();
  const stop = text("expect-stop").trim();
  return {
    name,
    kind: refusal !== "" ? "is refused" : stop !== "" ? "stops the stream" : "travels",
    schema: text("schema.sql"),
    load: text("load.sql"),
    changes: text("changes.sql"),
    along: text("along.sql"),
    expected: refusal || stop,
  };
}
