import type { Check } from "../../src/preflight/check.ts";
import { CHECKS_OF_SERVERS, CHECKS_OF_TABLES } from "../../src/preflight/check-list.ts";
import { tablesExistCheck } from "../../src/preflight/checks/tables-exist.ts";
import { code, markdownTable, page } from "./markdown.ts";

/** Every check, in the order in which they run. */
export function preflightPage(): string {
  const row = ({ id, title, severities, remedy }: Check): string[] => [
    code(id),
    title,
    severities.join(" or "),
    remedy,
  ];
  const head = ["check", "what must be so", "a finding is", "what to do"];
  const reachable = [
    code("reachable"),
    "both servers answer and take the login",
    "error",
    "Check host, port, user and password of the backend, and that the server lets this machine in.",
  ];
  return page(
    "Preflight checks",
    "`switchyard check` runs them, and so do `migration create` and the gate of every switch. A check that finds something " +
      "does not hide the next. An *error* would lose rows, stop a stream or show clients something that one server would " +
      "not have shown, so nothing begins; a *warning* is for a person to weigh. Each finding says what was observed and " +
      "expected, and the statement that mends it.",
    [
      `## Servers\n\n${markdownTable(head, [reachable, ...CHECKS_OF_SERVERS.map(row)])}`,
      `## Tables\n\n${markdownTable(head, [tablesExistCheck, ...CHECKS_OF_TABLES].map(row))}`,
    ],
  );
}
