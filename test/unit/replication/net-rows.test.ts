import { expect, test } from "vitest";
import type { RowImage } from "../../../src/binlog/row-walker.ts";
import { type NetKind, NetRows } from "../../../src/replication/net-rows.ts";
import { rowEventsStatement } from "../../../src/replication/row-events.ts";
import { fc } from "../../support/seeded-properties.ts";

/** A row of two texts that are its key, and a value, as bytes one behind the other. */
interface Row {
  readonly key: readonly [string, string];
  readonly value: number;
}

function bytesOf({ key: [one, other], value }: Row): Buffer {
  return Buffer.concat([
    ...[one, other].flatMap((text) => [Buffer.from([text.length]), Buffer.from(text)]),
    Buffer.from([value, value, value]),
  ]);
}

/** Rows of one event, and where each begins. */
class Images {
  readonly buffer: Buffer;
  readonly #begins: number[] = [];

  constructor(rows: readonly Row[]) {
    let at = 0;
    for (const row of rows) {
      this.#begins.push(at);
      at += bytesOf(row).length;
    }
    this.#begins.push(at);
    this.buffer = Buffer.concat(rows.map(bytesOf));
  }

  begin(row: number): number {
    return this.#begins[row] as number;
  }

  image(row: number): RowImage {
    const { buffer } = this;
    const one = this.begin(row) + 1;
    const other = one + (buffer[one - 1] as number) + 1;
    return {
      buffer,
      starts: Int32Array.of(one, other),
      ends: Int32Array.of(other - 1, other + (buffer[other - 1] as number)),
    };
  }
}

/** Keys that look alike when their parts are put together. */
const KEY = fc.tuple(fc.constantFrom("", "a", "ab", "b"), fc.constantFrom("", "b", "bc", "c"));
const EVENTS = fc.array(fc.array(fc.tuple(KEY, KEY, fc.nat(255)), { minLength: 1, maxLength: 4 }), { maxLength: 20 });

/** What a list of changes makes of a table, each change as the table then allows it. */
function played(events: readonly (readonly (readonly [Row["key"], Row["key"], number])[])[], net: NetRows): string[] {
  const before = new Map<string, Row>();
  for (const one of ["", "a"])
    for (const other of ["b", "bc"]) before.set(`${one},${other}`, { key: [one, other], value: 9 });
  const rows = new Map(before);
  for (const changes of events) {
    const images: Row[] = [];
    const todo: ((all: Images) => void)[] = [];
    for (const [key, wanted, value] of changes) {
      const present = rows.get(String(key));
      const at = images.length;
      const after: Row = { key: present === undefined || rows.has(String(wanted)) ? key : wanted, value };
      if (present !== undefined) rows.delete(String(key));
      if (present !== undefined && value % 3 === 0) {
        images.push(present);
        todo.push((all) => net.deleted(all.image(at), all.begin(at), all.begin(at + 1)));
        continue;
      }
      rows.set(String(after.key), after);
      if (present === undefined) {
        images.push(after);
        todo.push((all) => net.written(all.image(at), all.begin(at), all.begin(at + 1)));
      } else {
        images.push(present, after);
        todo.push((all) =>
          net.updated(all.image(at), all.image(at + 1), all.begin(at), all.begin(at + 1), all.begin(at + 2)),
        );
      }
    }
    const all = new Images(images);
    for (const change of todo) change(all);
  }
  // Each row that differs, by what has become of it; one that was changed back to what it was may be there or not.
  const wanted: string[] = [];
  for (const key of new Set([...before.keys(), ...rows.keys()])) {
    const [was, is] = [before.get(key), rows.get(key)];
    if (was === is) continue;
    const kind: NetKind = was === undefined ? "write" : is === undefined ? "delete" : "update";
    wanted.push(
      `${kind} ${[was, is].flatMap((row) => (row === undefined ? [] : [bytesOf(row).toString("hex")])).join("")}`,
    );
  }
  return wanted.toSorted();
}

/** The images as {@link played} writes them. */
function found(net: NetRows): string[] {
  return (["delete", "update", "write"] as const)
    .flatMap((kind) =>
      rowsIn(Buffer.concat(net.images(kind)), kind === "update" ? 2 : 1).map((hex) => `${kind} ${hex}`),
    )
    .toSorted();
}

function rowsIn(bytes: Buffer, images: number): string[] {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const begin = at;
    for (let i = 0; i < images; i++) {
      for (let part = 0; part < 2; part++) at += 1 + (bytes[at] as number);
      at += 3;
    }
    rows.push(bytes.toString("hex", begin, at));
  }
  return rows;
}

test("keys that look alike in one row of bytes are not one row, in room that was used before", () => {
  const net = new NetRows();
  fc.assert(
    fc.property(EVENTS, (events) => {
      net.begin([0, 1]);
      const wanted = played(events, net);
      expect(found(net)).toEqual(wanted);
    }),
    { numRuns: 300 },
  );
});

test("thousands of rows keep each its own value, and few buffers are made for them", () => {
  const net = new NetRows();
  for (let round = 0; round < 2; round++) {
    net.begin([0, 1]);
    const rows = Array.from({ length: 5000 }, (_, i): Row => ({ key: [`${i % 300}`, `${i >> 3}`], value: i % 251 }));
    const before = new Images(rows);
    for (const i of rows.keys()) net.written(before.image(i), before.begin(i), before.begin(i + 1));
    expect(net.images("write")).toEqual([before.buffer]);
    // From the other end, so that nothing lies side by side.
    for (let i = rows.length - 1; i >= 0; i--) {
      if (i % 2 === 0) net.deleted(before.image(i), before.begin(i), before.begin(i + 1));
      else {
        const pair = new Images([rows[i] as Row, { ...(rows[i] as Row), value: 255 - (i % 251) }]);
        net.updated(pair.image(0), pair.image(1), 0, pair.begin(1), pair.begin(2));
      }
    }
    expect(net.images("delete").length + net.images("update").length).toBe(0);
    const pieces = net.images("write");
    expect(pieces.length).toBeLessThan(10);
    const odd = rows.filter((_, i) => i % 2 === 1).map(({ key }, i) => ({ key, value: 255 - ((2 * i + 1) % 251) }));
    expect(Buffer.concat(pieces).equals(new Images(odd).buffer)).toBe(true);
  }
});

test("events in pieces of any length are the same statement as in one", () => {
  const lengths = fc.array(fc.oneof(fc.nat(5), fc.nat(120_000)), { maxLength: 6 });
  fc.assert(
    fc.property(lengths, (sizes) => {
      const pieces = sizes.map((size, i) => Buffer.alloc(size, `${i}${size}x`));
      const whole = Buffer.concat(pieces).toString("base64");
      expect(rowEventsStatement(pieces).toString("latin1") === `BINLOG '${whole}';`).toBe(true);
    }),
    { numRuns: 20 },
  );
});
