import type { Command } from "commander";
import type { ReportedSession, SessionReport } from "../proxy/session-report.ts";
import type { RulesDocument } from "../rules/rules-document.ts";
import type { CliContext } from "./cli-context.ts";
import { group, openSession, withServer } from "./command-tools.ts";
import { explainCommand } from "./explain-command.ts";
import { count, duration, table } from "./format.ts";

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
  explainCommand(context, rules);
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

/** `switchyard sessions` */
export function sessionsCommand(context: CliContext, create: (name: string) => Command): Command {
  return withServer(create("sessions"))
    .description("the client sessions of all proxies")
    .action(async (_: object, command: Command) => {
      const session = openSession(context, command);
      const answer = await session.client.get<{ sessions: readonly SessionReport[] }>("/v1/sessions");
      session.print(answer, describeSessions(answer.sessions));
    });
}

function describeSessions(reports: readonly SessionReport[]): string {
  const total = reports.reduce((sum, report) => sum + report.total, 0);
  if (total === 0) return "No client is connected.";
  const shown = reports.flatMap((report) => report.sessions);
  const rows = shown.map(({ id, user, host, program, backends, state, transaction, at, heldForMs }) => [
    id,
    user,
    program ?? "",
    host,
    heldForMs === undefined ? state : `held ${duration(heldForMs)}`,
    transaction === "none" ? "" : transaction,
    Object.keys(backends)
      .map((name) => (name === at ? `${name}*` : name))
      .join(" "),
  ]);
  const head = ["ID", "USER", "PROGRAM", "FROM", "STATE", "TRANSACTION", "BACKENDS"];
  const lines = table([head, ...rows]).split("\n");
  const [first = "", ...others] = lines;
  const rest = total > shown.length ? [`… and ${count(total - shown.length)} more`] : [];
  return [first, ...others.flatMap((line, at) => [line, ...describeTies(shown[at])]), ...rest].join("\n");
}

/** What holds or keeps a session, each in a line below it. */
function describeTies(session: ReportedSession | undefined): readonly string[] {
  if (session === undefined) return [];
  // A proxy of an earlier version says only why.
  const { ties = [], pinned } = session;
  if (ties.length === 0) return pinned === undefined ? [] : [`  ${PINNED}: ${pinned}`];
  return ties.map(({ kind, at, reason, statement, forMs }) => {
    const where =
      kind === "held" ? "held" : kind === "pinned" ? `${PINNED}${at === undefined ? "" : ` to ${at}`}` : `on ${at}`;
    const age = forMs === undefined ? "" : ` for ${duration(forMs)}`;
    return `  ${where}${age}: ${reason}${statement === undefined ? "" : `: ${statement}`}`;
  });
}

const PINNED = "pinned";
