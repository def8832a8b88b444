import type { CarriedColumn, CarriedTable } from "./carried-columns.ts";
import { type ColumnPair, judgeKeys } from "./paired-keys.ts";
import type { TableMapping } from "./table-mapping.ts";
import type { ColumnShape, TableShape } from "./table-shape.ts";
import { sameType, widening } from "./widening.ts";

/** How the columns of a migration's source and target belong together. */
export interface PairedTable {
  /** From the source to the target. */
  readonly forward: CarriedTable;
  readonly backward: CarriedTable;
  /** Why rows cannot be carried so, one line each; the pairs are to be used only where there are none. */
  readonly problems: readonly string[];
  /** What may not fit on the way back, one line a column or a unique key. */
  readonly narrowings: readonly string[];
}

interface Pair extends ColumnPair {
  readonly narrows: string | undefined;
}

/**
 * Pairs the columns of both sides. Total: whatever a mapping says of whatever tables, each column of either side is in one
 * pair, is left out as the mapping says, or is named by a problem.
 */
export function pairColumns(source: TableShape, target: TableShape, mapping: TableMapping): PairedTable {
  const problems: string[] = [];
  const pairs = new Pairing(source, target, mapping, problems).pairs();
  problems.push(...omitted(target, mapping.add, "add"), ...omitted(source, mapping.drop, "drop"));
  const keys = judgeKeys(source, target, pairs);
  problems.push(...keys.problems);
  const narrowings = pairs.flatMap(({ source: position, narrows }) =>
    narrows === undefined ? [] : [`${source.columns[position]?.name}: ${narrows}`],
  );
  const carried = pairs.map((pair): CarriedColumn => ({ from: pair.source, to: pair.target, narrows: false }));
  const back = pairs
    .map((pair): CarriedColumn => ({ from: pair.target, to: pair.source, narrows: pair.narrows !== undefined }))
    .toSorted((a, b) => a.from - b.from);
  return {
    forward: { from: source, to: target, columns: carried },
    backward: { from: target, to: source, columns: back },
    problems,
    narrowings: [...narrowings, ...keys.narrowings],
  };
}

/** Finds each column's partner. Names count without case, as they do for the server. */
class Pairing {
  readonly #source: TableShape;
  readonly #target: TableShape;
  readonly #renames: ReadonlyMap<string, string>;
  readonly #added: ReadonlySet<string>;
  readonly #dropped: ReadonlySet<string>;
  readonly #widened: ReadonlySet<string>;
  readonly #problems: string[];

  constructor(source: TableShape, target: TableShape, mapping: TableMapping, problems: string[]) {
    this.#source = source;
    this.#target = target;
    this.#renames = new Map(Object.entries(mapping.rename ?? {}).map(([from, to]) => [from.toLowerCase(), to]));
    this.#added = lower(mapping.add);
    this.#dropped = lower(mapping.drop);
    this.#widened = lower(mapping.widen);
    this.#problems = problems;
  }

  pairs(): Pair[] {
    this.#nameUnknown();
    const targets = new Map(this.#target.columns.map(({ name }, position) => [name.toLowerCase(), position]));
    const pairs: Pair[] = [];
    for (const [position, column] of this.#source.columns.entries()) {
      const name = this.#renames.get(column.name.toLowerCase()) ?? column.name;
      if (this.#dropped.has(column.name.toLowerCase())) continue;
      const found = this.#added.has(name.toLowerCase()) ? undefined : targets.get(name.toLowerCase());
      if (found === undefined) {
        this.#problems.push(
          `${column.name} has no column ${name} on the target: rename it, or say drop: [${column.name}]`,
        );
        continue;
      }
      // Two that are renamed to one find it once.
      targets.delete(name.toLowerCase());
      pairs.push({ source: position, target: found, narrows: this.#narrowing(column, this.#target.columns[found]) });
    }
    for (const [name, position] of targets) {
      if (this.#added.has(name)) continue;
      const shown = this.#target.columns[position]?.name;
      this.#problems.push(`${shown} is on the target alone: rename a column to it, or say add: [${shown}]`);
    }
    return pairs;
  }

  /** What the mapping names must be there, and in one role. */
  #nameUnknown(): void {
    const sources = lower(this.#source.columns.map(({ name }) => name));
    const said = [...this.#renames.keys(), ...this.#dropped, ...this.#widened];
    for (const name of new Set(said)) if (!sources.has(name)) this.#problems.push(`there is no ${name} on the source`);
    const targets = lower(this.#target.columns.map(({ name }) => name));
    for (const name of this.#added) if (!targets.has(name)) this.#problems.push(`there is no ${name} on the target`);
    for (const name of this.#dropped) {
      if (this.#renames.has(name) || this.#widened.has(name))
        this.#problems.push(`${name} is dropped, and renamed or widened as well`);
    }
  }

  /** What does not fit on the way back; a pair that does not even fit forward is a problem. */
  #narrowing(from: ColumnShape, to: ColumnShape | undefined): string | undefined {
    if (to === undefined) return undefined;
    const problem = (why: string): undefined => void this.#problems.push(`${from.name}: ${why}`);
    if (from.generated !== to.generated) return problem("one side computes it, and the other stores it");
    if (from.autoIncrement !== to.autoIncrement) return problem("AUTO_INCREMENT is on one side alone");
    if (sameType(from, to) && from.nullable === to.nullable) return undefined;
    if (from.generated) return problem(`it is computed, as ${from.columnType} and as ${to.columnType}`);
    if (!this.#widened.has(from.name.toLowerCase())) {
      return problem(
        `it is ${shown(from)} and on the target ${shown(to)}: say widen: [${from.name}], or make them alike`,
      );
    }
    const found = widening(from, to);
    return "refuse" in found ? problem(found.refuse) : found.narrows;
  }
}

function shown({ columnType, nullable, collation }: ColumnShape): string {
  return `${columnType}${nullable ? "" : " NOT NULL"}${collation === undefined || collation === "binary" ? "" : ` ${collation}`}`;
}

/** Columns that one side alone has are left to the server there, in each row that comes from the other. */
function omitted(shape: TableShape, names: readonly string[] | undefined, what: "add" | "drop"): string[] {
  const wanted = lower(names);
  const from = what === "add" ? "rows of the source" : "rows that come back after a switch";
  return shape.columns
    .filter(({ name }) => wanted.has(name.toLowerCase()))
    .flatMap(({ name, required, autoIncrement }) => {
      if (autoIncrement) return [`${name} is an AUTO_INCREMENT column, whose values must be the same on both sides`];
      return required === true ? [`${name} needs a default, or to take NULL: ${from} have no value for it`] : [];
    });
}

function lower(names: readonly string[] | undefined): ReadonlySet<string> {
  return new Set((names ?? []).map((name) => name.toLowerCase()));
}
