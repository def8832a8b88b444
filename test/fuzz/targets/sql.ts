import { analyzeSql } from "../../../src/sql/classifier.ts";
import type { SqlModes } from "../../../src/sql/statement.ts";
import { SQL_CORPUS } from "../../support/sql-corpus.ts";
import type { FuzzTarget } from "../fuzz-target.ts";
import { expectThat } from "../promise.ts";

const CHARSETS = ["utf8", "other", "unsafe"] as const;

export const target: FuzzTarget = {
  // A text is never refused: what is not understood touches everything.
  errors: [],
  dictionary: [
    ..."SELECT FROM WHERE JOIN INSERT INTO VALUES UPDATE SET DELETE WITH RECURSIVE UNION TABLE LOCK CALL PREPARE".split(
      " ",
    ),
    ...[
      "/*!80000 ",
      "/*!999999 ",
      "/*+ ",
      "*/",
      "-- ",
      "#",
      "'",
      '"',
      "`",
      "\\'",
      "''",
      "$$",
      "$q$",
      "_utf8mb4'",
      "N'",
    ],
    ...["0x1f", "x'00'", "b'1'", "1e5", ".5", "@@", "@`a`", ":=", ";", ".", "(", ")", ",", "{ts '", "\0", "\xff"],
  ].map((text) => Buffer.from(text, "latin1")),
  corpus: () => SQL_CORPUS.map((text, index) => Buffer.concat([Buffer.from([index & 0x1f]), Buffer.from(text)])),
  run(input) {
    const bits = input[0] ?? 0;
    const text = input.subarray(1);
    const modes: SqlModes = {
      ansiQuotes: (bits & 1) !== 0,
      noBackslashEscapes: (bits & 2) !== 0,
      ignoreSpace: (bits & 4) !== 0,
      charset: CHARSETS[(bits >> 3) % CHARSETS.length] ?? "utf8",
    };
    const statements = analyzeSql(text, modes);
    let end = 0;
    for (const facts of statements) {
      expectThat(facts.start >= end && facts.end >= facts.start && facts.end <= text.length, "statements overlap");
      end = facts.end;
      for (const { table } of facts.tables) {
        expectThat(table.length <= text.length, "a table has a name that is longer than the text");
      }
      if (facts.readOnly) {
        expectThat(
          facts.tables.every(({ write }) => !write),
          "a statement that only reads writes to a table",
        );
      }
    }
  },
};
