import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { expectSameAsPrinted } from "../../support/compare-logs.ts";

const FOLDER = join(import.meta.dirname, "../../golden/binlog");

describe("logs that real servers wrote are read as mysqlbinlog reads them", () => {
  test.each(["types-full", "types-minimal", "types-noblob", "json-partial", "json-partial-minimal", "shapes"])(
    "%s",
    (name) => {
      const log = readFileSync(join(FOLDER, `${name}.binlog`));
      const printed = readFileSync(join(FOLDER, `${name}.txt`), "latin1");
      expectSameAsPrinted(log, printed);
      expect(log.length).toBeGreaterThan(1000);
    },
  );
});
