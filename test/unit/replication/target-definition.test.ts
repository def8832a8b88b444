import { describe, expect, test } from "vitest";
import { addClauses, clauseName, cutDefinition } from "../../../src/replication/target-definition.ts";

const ORDERS = `CREATE TABLE \`orders\` (
  \`id\` bigint unsigned NOT NULL AUTO_INCREMENT,
  \`customer\` int NOT NULL,
  \`code\` varchar(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci NOT NULL DEFAULT 'KEY (x),',
  \`total\` decimal(10,2) GENERATED ALWAYS AS ((\`customer\` * 2)) STORED,
  PRIMARY KEY (\`id\`),
  UNIQUE KEY \`code\` (\`code\`),
  KEY \`by_customer\` (\`customer\`,\`code\`(5) DESC),
  FULLTEXT KEY \`words\` (\`code\`),
  CONSTRAINT \`orders_customer\` FOREIGN KEY (\`customer\`) REFERENCES \`customers\` (\`id\`) ON DELETE CASCADE,
  CONSTRAINT \`positive\` CHECK ((\`customer\` > 0))
) ENGINE=InnoDB AUTO_INCREMENT=17 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci`;

describe("a definition that is cut for copying", () => {
  const cut = cutDefinition({ schema: "shop", table: "orders" }, ORDERS);

  test("keeps columns, primary key and checks, and leaves secondary and foreign keys for later", () => {
    expect(cut.create).toContain("CREATE TABLE IF NOT EXISTS `shop`.`orders` (");
    expect(cut.create).toContain("PRIMARY KEY (`id`)");
    expect(cut.create).toContain("CHECK ((`customer` > 0))");
    expect(cut.create).toContain("DEFAULT 'KEY (x),'");
    expect(cut.create).not.toMatch(/UNIQUE KEY|FULLTEXT|FOREIGN KEY|by_customer/);
    expect(cut.create).toMatch(/CHECK \(\(`customer` > 0\)\)\n\) ENGINE=InnoDB/);
    expect(cut.keys).toEqual([
      "ADD UNIQUE KEY `code` (`code`)",
      "ADD KEY `by_customer` (`customer`,`code`(5) DESC)",
      "ADD FULLTEXT KEY `words` (`code`)",
    ]);
    expect(cut.foreignKeys).toHaveLength(1);
  });

  test("adds only what a former attempt has not added", () => {
    expect(cut.keys.map(clauseName)).toEqual(["code", "by_customer", "words"]);
    const alter = addClauses(cut.table, cut.keys, new Set(["code", "words"]));
    expect(alter).toBe("ALTER TABLE `shop`.`orders` ADD KEY `by_customer` (`customer`,`code`(5) DESC)");
    expect(addClauses(cut.table, cut.keys, new Set(["code", "words", "by_customer"]))).toBeUndefined();
  });

  test("keeps the secondary key that AUTO_INCREMENT cannot do without", () => {
    const text =
      "CREATE TABLE `t` (\n  `k` varchar(9) NOT NULL,\n  `n` int NOT NULL AUTO_INCREMENT,\n" +
      "  PRIMARY KEY (`k`),\n  UNIQUE KEY `n` (`n`),\n  KEY `other` (`k`,`n`)\n) ENGINE=InnoDB";
    const definition = cutDefinition({ schema: "s", table: "t" }, text);
    expect(definition.create).toContain("UNIQUE KEY `n` (`n`)");
    expect(definition.keys).toEqual(["ADD KEY `other` (`k`,`n`)"]);
  });

  test("has from the beginning the unique key that rows are told apart by, or all keys that find a row by its values", () => {
    const table = { schema: "shop", table: "orders" };
    const byCode = cutDefinition(table, ORDERS, new Set(["code"]));
    expect(byCode.create).toContain("UNIQUE KEY `code` (`code`)");
    expect(byCode.keys.map(clauseName)).toEqual(["by_customer", "words"]);
    const byValues = cutDefinition(table, ORDERS, "all");
    expect(byValues.create).toMatch(/UNIQUE KEY `code`[\s\S]*KEY `by_customer`/);
    expect(byValues.keys.map(clauseName)).toEqual(["words"]);
    expect(byValues.foreignKeys).toHaveLength(1);
  });

  test("is refused when it is laid out in a way that is not understood", () => {
    expect(() => cutDefinition({ schema: "s", table: "v" }, "CREATE VIEW `v` AS select 1")).toThrow(
      /REPLICATION_DEFINITION_UNREADABLE/,
    );
  });
});
