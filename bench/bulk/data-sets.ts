import { BULK_SCHEMA, type BulkData, type BulkTable } from "./bulk-data.ts";
import type { Random } from "./xorshift.ts";

const FAT_BYTES = 13_000;
const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";

/** Documents of 13 KB: what moves is bytes, not rows. */
export function fatRows(rows: number): BulkData {
  return {
    name: "fat",
    about: `one table of ${rows} rows of ${FAT_BYTES} bytes, without a secondary key`,
    tables: [
      {
        name: "fat",
        create: `CREATE TABLE ${BULK_SCHEMA}.fat (id int NOT NULL, body mediumtext NOT NULL, PRIMARY KEY (id)) ENGINE=InnoDB`,
        keys: [],
        keyParts: 1,
        rows,
        line: (id, random) => `${id}\t${text(random, FAT_BYTES)}\n`,
      },
    ],
    filesPerTable: 2,
    change: ({ rows: ids }, random) => [
      `UPDATE ${BULK_SCHEMA}.fat SET body = '${text(random, FAT_BYTES)}' WHERE id = ${(random() % ids) + 1}`,
    ],
  };
}

/** Sixteen bytes a row: what moves is rows, not bytes. */
export function narrowRows(rows: number): BulkData {
  return {
    name: "narrow",
    about: `one table of ${rows} rows of 16 bytes, without a secondary key`,
    tables: [
      {
        name: "narrow",
        create: `CREATE TABLE ${BULK_SCHEMA}.narrow (id bigint NOT NULL, a int NOT NULL, b int NOT NULL, PRIMARY KEY (id)) ENGINE=InnoDB`,
        keys: [],
        keyParts: 1,
        rows,
        line: (id, random) => `${id}\t${random() >>> 1}\t${random() >>> 1}\n`,
      },
    ],
    filesPerTable: 2,
    change: ({ rows: ids }, random) =>
      Array.from({ length: 4 }, () => (random() % ids) + 1)
        .sort((a, b) => a - b)
        .map((id) => `UPDATE ${BULK_SCHEMA}.narrow SET a = ${random() >>> 1} WHERE id = ${id}`),
  };
}

/** Five secondary keys, which cost more than the rows. */
export function keyedRows(rows: number): BulkData {
  const half = Math.ceil(rows / 2);
  return {
    name: "keys",
    about: `two tables of ${half} rows with five secondary keys each`,
    tables: [1, 2].map((number) => keyedTable(`keyed${number}`, half)),
    filesPerTable: 1,
    change: (table, random) => {
      const name = `${BULK_SCHEMA}.${table.name}`;
      const replaced = (random() % table.rows) + 1;
      return [
        `DELETE FROM ${name} WHERE id = ${replaced}`,
        `INSERT INTO ${name} VALUES (${keyedValues(replaced, random).map(quoted).join(", ")})`,
      ];
    },
  };
}

function keyedTable(name: string, rows: number): BulkTable {
  return {
    name,
    create:
      `CREATE TABLE ${BULK_SCHEMA}.${name} (id int NOT NULL, customer int NOT NULL, amount decimal(12,2) NOT NULL, ` +
      "placed datetime NOT NULL, status varchar(16) NOT NULL, reference varchar(40) NOT NULL, PRIMARY KEY (id)) ENGINE=InnoDB",
    keys: [
      "customer (customer)",
      "placed (placed)",
      "status_placed (status, placed)",
      "reference (reference)",
      "amount (amount)",
    ],
    keyParts: 7,
    rows,
    line: (id, random) => `${keyedValues(id, random).join("\t")}\n`,
  };
}

function keyedValues(id: number, random: Random): readonly string[] {
  const two = (number: number): string => `${number}`.padStart(2, "0");
  const placed = `20${two(random() % 26)}-${two((random() % 12) + 1)}-${two((random() % 28) + 1)} ${two(random() % 24)}:${two(random() % 60)}:00`;
  const status = ["new", "paid", "packed", "sent", "returned"][random() % 5] ?? "new";
  const amount = `${random() % 100_000}.${two(random() % 100)}`;
  return [`${id}`, `${random() % 100_000}`, amount, placed, status, text(random, 32)];
}

function quoted(value: string): string {
  return `'${value}'`;
}

/** Letters and digits; five from each number, for they need not be secret, only hard to compress. */
function text(random: Random, bytes: number): string {
  let made = "";
  while (made.length < bytes) {
    let number = random();
    for (let i = 0; i < 5; i++) {
      made += LETTERS[number % LETTERS.length];
      number = Math.floor(number / LETTERS.length);
    }
  }
  return made.slice(0, bytes);
}
