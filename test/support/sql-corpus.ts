import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Statements of every kind as applications, frameworks and tools send them: one on each line. */
export const SQL_CORPUS: readonly string[] = readFileSync(
  join(import.meta.dirname, "../golden/sql/statements.sql"),
  "utf8",
)
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("##"));
