import { afterAll, beforeAll, expect, test } from "vitest";
import { ReadWriteStage } from "../../support/read-write-across-moves.ts";

/*
 * 1. sysbench's oltp_read_write runs through the proxy: transactions of reads and writes, eight threads that send text
 *    and eight that prepare each statement once for their connection.
 * 2. The tables move to the new home and back (ten times in the long lanes).
 * 3. sysbench must notice nothing: it ends at the first error that it was not told to expect, and it was told to expect
 *    deadlocks only, which the servers count too.
 */

let stage: ReadWriteStage;

beforeAll(async () => {
  stage = await ReadWriteStage.set();
});

afterAll(() => stage?.strike());

test("oltp_read_write goes on without an error across a switch and a rollback", async () => {
  await stage.moveUnderLoad(["text", "prepared"], 1);
}, 180_000);

test("and both servers hold the same rows then", async () => {
  expect(await stage.order("diff", "start", "load")).toMatchObject({ differences: 0 });
});
