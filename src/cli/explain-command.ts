import { type Command, Option } from "commander";
import { type Decision, type LowerCaseTableNames, Routing } from "../rules/routing.ts";
import type { RulesDocument } from "../rules/rules-document.ts";
import { analyzeSql } from "../sql/classifier.ts";
import type { StatementFacts } from "../sql/statement.ts";
import type { CliContext } from "./cli-context.ts";
import { openSession, withServer } from "./command-tools.ts";
import { table } from "./format.ts";

interface ExplainOptions {
  readonly schema?: string;
  readonly sqlMode?: string;
  readonly lowerCaseTableNames: string;
}

/** One statement of a text, and where the rules send it. */
interface Explained {
  readonly statement: string;
  readonly kind: string;
  readonly goes: Decision["kind"];
  readonly backend?: string | undefined;
  /** By key, the home of each table that the text names. */
  readonly homes: Readonly<Record<string, string>>;
  readonly heldBy: readonly string[];
  readonly armedBy: readonly string[];
  /** Why it counts as touching any table. */
  readonly because?: string | undefined;
}

/**
 * `switchyard rules explain`: reads a text as a proxy does and decides by the rules in force. It does not know what a session
 * has open, or which of its names are temporary tables, by which a proxy decides as well.
 */
export function explainCommand(context: CliContext, rules: Command): void {
  withServer(rules.command("explain"))
    .description(
      "where the rules send a statement of a session that has nothing open, and why; nothing is sent anywhere",
    )
    .argument("<sql>", "the text, as a client would send it")
    .option("--schema <name>", "the session's schema, for names without one")
    .option("--sql-mode <modes>", "the session's sql_mode; ANSI_QUOTES, NO_BACKSLASH_ESCAPES and IGNORE_SPACE count")
    .addOption(new Option("--lower-case-table-names <n>", "the servers' setting").choices(["0", "1", "2"]).default("0"))
    .action(async (sql: string, options: ExplainOptions, command: Command) => {
      const session = openSession(context, command);
      const answer = await session.client.get<{ rules?: RulesDocument }>("/v1/rules");
      if (answer.rules === undefined) {
        session.print({ format: 1, statements: [] }, "There are no rules yet.");
        return;
      }
      const statements = explain(sql, answer.rules, options);
      const { generation } = answer.rules;
      const homes = new Set(statements.flatMap(({ backend }) => backend ?? []));
      const apart =
        homes.size > 1 ? ["Sent together they are refused with error 1235: they belong to different servers."] : [];
      session.print({ format: 1, generation, statements }, [...statements.map(describe), ...apart].join("\n"));
    });
}

/** Of each statement of a text, where these rules send it. */
export function explain(sql: string, rules: RulesDocument, options: ExplainOptions): readonly Explained[] {
  const text = Buffer.from(sql, "utf8");
  const modes = new Set((options.sqlMode ?? "").toUpperCase().split(/[\s,]+/));
  const ansi = modes.has("ANSI");
  const facts = analyzeSql(text, {
    ansiQuotes: ansi || modes.has("ANSI_QUOTES"),
    noBackslashEscapes: modes.has("NO_BACKSLASH_ESCAPES"),
    ignoreSpace: ansi || modes.has("IGNORE_SPACE"),
  });
  const routing = new Routing(rules, Number(options.lowerCaseTableNames) as LowerCaseTableNames);
  const decisions = routing.decideAll(facts, { schema: options.schema });
  return facts.map((one, at) => explainOne(text, one, routing, decisions[at] as Decision));
}

function explainOne(text: Buffer, facts: StatementFacts, routing: Routing, decision: Decision): Explained {
  return {
    statement: text.subarray(facts.start, facts.end).toString("utf8").trim(),
    kind: facts.kind,
    goes: decision.kind,
    backend: decision.backend,
    homes: Object.fromEntries(decision.tables.map((key) => [key, routing.homeOf(key)])),
    heldBy: decision.heldBy,
    armedBy: decision.armedBy,
    because: becauseOf(facts, decision),
  };
}

function describe(explained: Explained): string {
  const { statement, kind, homes, heldBy, armedBy } = explained;
  const lines = [`${statement}`, `  ${kind}: ${verdict(explained)}`];
  const rows = Object.entries(homes).map(([key, home]) => [`  ${key}`, `→ ${home}`]);
  if (rows.length > 0) lines.push(table(rows));
  if (heldBy.length > 0) lines.push(`  waits now: held by ${heldBy.join(", ")}`);
  if (armedBy.length > 0) lines.push(`  needs a good lease now: armed by ${armedBy.join(", ")}`);
  return lines.join("\n");
}

function becauseOf(facts: StatementFacts, { kind }: Decision): string | undefined {
  if (facts.touchesEverything) return facts.everythingBecause ?? "it is not understood";
  return kind === "everything" ? "it is not known what stands behind its names" : undefined;
}

function verdict({ goes, backend, because, homes }: Explained): string {
  switch (goes) {
    case "any":
      return "names no table; goes where the session is, else to the default backend";
    case "one":
      return `goes to ${backend ?? ""}`;
    case "split":
      return `refused with error 1235: its tables are at home on ${[...new Set(Object.values(homes))].sort().join(" and ")}`;
    case "everything":
      return backend === undefined
        ? `refused with error 1235 while tables live elsewhere: it may touch any table, because ${because ?? ""}`
        : `goes to ${backend}, and waits for every hold: it may touch any table, because ${because ?? ""}`;
  }
}
