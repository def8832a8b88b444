import { rowKey } from "./row-key.ts";
import type { KeyShape, TableShape } from "./table-shape.ts";
import { sameType } from "./widening.ts";

/** Positions of two columns that are one. */
export interface ColumnPair {
  readonly source: number;
  readonly target: number;
}

/** Whether the keys of one side may refuse what the other takes, one line each. */
export interface KeyJudgement {
  /** Why rows cannot be carried. */
  readonly problems: readonly string[];
  /** Keys that refuse no row for as long as columns that one side alone has are NULL. */
  readonly narrowings: readonly string[];
}

/** Types of key columns that compare alike on both sides however wide they are. */
const WIDENED_KEYS: ReadonlySet<string> = new Set(
  "tinyint smallint mediumint int bigint varchar varbinary enum".split(" "),
);

/** Rows are told apart by the same key on both sides, and nothing is unique on one side that the other lets happen twice. */
export function judgeKeys(source: TableShape, target: TableShape, pairs: readonly ColumnPair[]): KeyJudgement {
  const problem = rowKeyProblem(source, target, pairs);
  if (problem !== undefined) return { problems: [problem], narrowings: [] };
  const across = new Map(pairs.map((pair) => [pair.source, pair.target]));
  const back = new Map(pairs.map((pair) => [pair.target, pair.source]));
  const steady = steadyNames(source, target, pairs);
  const theirs = new UniqueKeys(target, source, across, steady);
  const mine = new UniqueKeys(source, target, back, steady);
  return {
    problems: [
      ...columnProblems(source, target, pairs),
      ...theirs.refusing().map((name) => `unique key ${name} of the target may refuse rows that the source takes`),
      ...mine.refusing().map((name) => `unique key ${name} of the source may refuse rows that the target takes`),
    ],
    narrowings: [
      ...mine
        .nulled()
        .map(({ key, column }) => `${column}: values that rows have kept, where unique key ${key} meets two alike`),
      ...theirs
        .nulled()
        .map(
          ({ key, column }) =>
            `${column}: values that are written there, where unique key ${key} of the target meets two alike after a rollback`,
        ),
    ],
  };
}

function rowKeyProblem(source: TableShape, target: TableShape, pairs: readonly ColumnPair[]): string | undefined {
  const [mine, theirs] = [rowKey(source), rowKey(target)];
  if (mine === undefined)
    return "the table has no key: its rows are known by all of their values, which both sides must have";
  const across = new Map(pairs.map((pair) => [pair.source, pair.target]));
  const wanted = mine.columns.map((position) => across.get(position));
  if (theirs === undefined || wanted.join() !== theirs.columns.join() || wanted.includes(undefined)) {
    return `the key by which rows are told apart is (${namesOf(source, mine.columns)}), and another on the target (${namesOf(target, theirs?.columns ?? [])})`;
  }
  if (JSON.stringify(source.primaryParts) === JSON.stringify(target.primaryParts)) return undefined;
  return "the primary key takes the beginning of a column, and not as much of it on the target as on the source";
}

function columnProblems(source: TableShape, target: TableShape, pairs: readonly ColumnPair[]): string[] {
  const told = rowKey(source)?.columns ?? [];
  return pairs.flatMap(({ source: position, target: partner }) => {
    const [column, other] = [source.columns[position], target.columns[partner]];
    if (column === undefined || other === undefined || sameType(column, other)) return [];
    const unique = source.uniqueKeys.some((key) => key.columns.includes(position)) || told.includes(position);
    if (unique && column.collation !== other.collation)
      return [`${column.name} is in a unique key, and has another collation on the target`];
    if (!told.includes(position) || WIDENED_KEYS.has(column.dataType)) return [];
    return [`${column.name} tells rows apart, and ${column.columnType} is not widened in such a key`];
  });
}

/** Stored columns that are the same by name and type on both sides: an expression of them alone is the same value there. */
function steadyNames(source: TableShape, target: TableShape, pairs: readonly ColumnPair[]): ReadonlySet<string> {
  const names = pairs.flatMap((pair) => {
    const [mine, theirs] = [source.columns[pair.source], target.columns[pair.target]];
    if (mine === undefined || theirs === undefined || mine.generated || theirs.generated) return [];
    const name = mine.name.toLowerCase();
    return name === theirs.name.toLowerCase() && sameType(mine, theirs) ? [name] : [];
  });
  return new Set(names);
}

/** The unique keys of one side, beside the rows that the other lets happen. */
class UniqueKeys {
  readonly #side: TableShape;
  readonly #others: readonly KeyShape[];
  readonly #across: ReadonlyMap<number, number>;
  readonly #known: ReadonlySet<number>;
  readonly #steady: ReadonlySet<string>;

  /** @param across the positions in `side` by those in `other` */
  constructor(side: TableShape, other: TableShape, across: ReadonlyMap<number, number>, steady: ReadonlySet<string>) {
    this.#side = side;
    const prefix = other.primaryParts !== undefined;
    this.#others = [...other.uniqueKeys, { name: "PRIMARY", columns: other.primaryKey, prefix }];
    this.#across = across;
    this.#known = new Set(across.values());
    this.#steady = steady;
  }

  /** Names of those that rows of the other side may violate. */
  refusing(): string[] {
    return this.#unimplied()
      .filter((key) => this.#nulledColumn(key) === undefined)
      .map(({ name }) => name);
  }

  /**
   * Those that a row of the other side does not violate when it comes, as it has NULL in a column of this side alone, but may
   * when it changes, after that column has got values: rows that were there have them, and those that the application writes here.
   */
  nulled(): { readonly key: string; readonly column: string }[] {
    return this.#unimplied().flatMap((key) => {
      const column = this.#nulledColumn(key);
      // Of columns of this side alone nothing is ever written, so two rows do not become alike.
      return column === undefined || this.#isOwn(key) ? [] : [{ key: key.name, column }];
    });
  }

  #unimplied(): KeyShape[] {
    return this.#side.uniqueKeys.filter((key) => !this.#others.some((one) => this.#implies(one, key)));
  }

  #nulledColumn({ columns }: KeyShape): string | undefined {
    const found = columns.find((position) => !this.#known.has(position) && this.#side.columns[position]?.nullDefault);
    return found === undefined ? undefined : this.#side.columns[found]?.name;
  }

  #isOwn({ columns }: KeyShape): boolean {
    return columns.every((position) => !this.#known.has(position) && this.#side.columns[position]?.generated === false);
  }

  /** A key of whole columns is implied by one of some of them; any other by the very same alone. */
  #implies(one: KeyShape, key: KeyShape): boolean {
    const columns = one.columns.map((position) => (position === -1 ? -1 : this.#across.get(position)));
    if (isPlain(key)) {
      const within = columns.every((position) => position !== undefined && key.columns.includes(position));
      return columns.length > 0 && isPlain(one) && within;
    }
    const same = one.name === key.name && columns.join() === key.columns.join();
    return same && JSON.stringify(one.parts) === JSON.stringify(key.parts) && this.#isSteady(key);
  }

  /** Whether its expressions name none but steady columns. */
  #isSteady({ columns, parts }: KeyShape): boolean {
    return columns.every((position, index) => {
      if (position !== -1) return true;
      const named = parts?.[index]?.matchAll(/`((?:[^`]|``)+)`/g);
      return named !== undefined && [...named].every(([, name = ""]) => this.#steady.has(name.toLowerCase()));
    });
  }
}

function isPlain({ prefix, columns }: KeyShape): boolean {
  return !prefix && !columns.includes(-1);
}

function namesOf(shape: TableShape, positions: readonly number[]): string {
  return positions.map((position) => shape.columns[position]?.name ?? "").join(", ");
}
