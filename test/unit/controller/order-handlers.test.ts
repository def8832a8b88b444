import { expect, test } from "vitest";
import type { MigrationRunner } from "../../../src/controller/migration-runner.ts";
import { carryOut } from "../../../src/controller/order-handlers.ts";
import type { OrderDocument } from "../../../src/cutover/order-document.ts";

test("an order of a newer version is not answered as done by a controller that does not know it", async () => {
  const order = { command: "diff-sing", migration: "m" } as unknown as OrderDocument;
  await expect(carryOut({ id: "m" } as MigrationRunner, order, () => undefined)).rejects.toMatchObject({
    code: "STORE_FORMAT_NEWER",
    facts: { what: expect.stringContaining("diff-sing") },
  });
});
