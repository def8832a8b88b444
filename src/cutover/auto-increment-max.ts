const BITS: Readonly<Record<string, bigint>> = {
  tinyint: 8n,
  smallint: 16n,
  mediumint: 24n,
  int: 32n,
  bigint: 64n,
};

/** The largest value of a column by its type as the server writes it; 0 for types that have no whole numbers. */
export function autoIncrementMax(columnType: string): bigint {
  const bits = BITS[/^[a-z]+/.exec(columnType.toLowerCase())?.[0] ?? ""];
  if (bits === undefined) return 0n;
  return (1n << (/\bunsigned\b/i.test(columnType) ? bits : bits - 1n)) - 1n;
}
