import { afterAll, beforeAll, expect, test } from "vitest";
import { ReadWriteStage } from "../support/read-write-across-moves.ts";

/** Ten switches and ten rollbacks take about half a minute for each protocol. */
const TIMES = Number(process.env["SWITCHYARD_MOVES"] ?? 10);

let stage: ReadWriteStage;

beforeAll(async () => {
  stage = await ReadWriteStage.set();
});

afterAll(() => stage?.strike());

test.each(["text", "prepared"] as const)(
  `oltp_read_write (%s statements) goes on without an error across ${TIMES} switches and as many rollbacks`,
  (protocol) => stage.moveUnderLoad([protocol], TIMES),
);

test("and both servers hold the same rows then", async () => {
  expect(await stage.order("diff", "start", "load")).toMatchObject({ differences: 0 });
});
