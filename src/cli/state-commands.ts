import type { Command } from "commander";
import type { RulesDocument } from "../rules/rules-document.ts";
import type { CliContext } from "./cli-context.ts";
import { group, openSession, withServer } from "./command-tools.ts";
import { table } from "./format.ts";

/** `switchyard rules …` */
export function rulesCommands(context: CliContext): Command {
  const rules = group("rules", "where statements go");
  withServer(rules.command("show"))
    .description("the routing rules in force")
    .action(async (_: object, command: Command) => {
      const session = openSession(context, command);
      const answer = await session.client.get<{ rules?: RulesDocument }>("/v1/rules");
      session.print(answer, answer.rules === undefined ? "There are no rules yet." : describeRules(answer.rules));
    });
  return rules;
}

function describeRules(rules: RulesDocument): string {
  const tables = Object.entries(rules.tables).map(([name, { to, migration }]) => [
    name,
    `→ ${to}`,
    `migration ${migration}`,
  ]);
  const lines = [`generation ${rules.generation}`, table([...tables, ["everything else", `→ ${rules.default}`]])];
  for (const id of Object.keys(rules.armed)) lines.push(`armed: ${id}`);
  for (const [id, hold] of Object.entries(rules.holds)) lines.push(`held: ${id} (${hold.tables.join(", ")})`);
  return lines.join("\n");
}

/** What a proxy shows of one client session. */
type ShownSession = Readonly<Record<string, unknown>>;

/** `switchyard sessions` */
export function sessionsCommand(context: CliContext, create: (name: string) => Command): Command {
  return withServer(create("sessions"))
    .description("the client sessions of all proxies")
    .action(async (_: object, command: Command) => {
      const session = openSession(context, command);
      const answer = await session.client.get<{ sessions: readonly Record<string, unknown>[] }>("/v1/sessions");
      session.print(answer, describeSessions(answer.sessions.flatMap(sessionsOf)));
    });
}

/** One stored document holds one session or a list of them. */
function sessionsOf(document: Readonly<Record<string, unknown>>): readonly ShownSession[] {
  const list = document["sessions"];
  return Array.isArray(list) ? (list as ShownSession[]) : [document];
}

function describeSessions(sessions: readonly ShownSession[]): string {
  if (sessions.length === 0) return "No client is connected.";
  const names = [...new Set(sessions.flatMap((session) => Object.keys(session)))].filter((name) => name !== "format");
  const rows = sessions.map((session) => names.map((name) => cell(session[name])));
  return table([names.map((name) => name.toUpperCase()), ...rows]);
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
