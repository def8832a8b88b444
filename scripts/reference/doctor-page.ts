import { STATES, type StateKind } from "../../src/doctor/catalogue.ts";
import { code, markdownTable, page } from "./markdown.ts";

const REPAIR: Readonly<Record<StateKind["repair"], string>> = {
  fix: "`--fix`, where it is proven to be safe",
  command: "another command, or a process that is started",
  person: "a person",
};

/** Every state that `switchyard doctor` tells apart, in the order in which it shows them. */
export function doctorPage(): string {
  const rows = Object.entries(STATES).map(([name, { severity, title, why, repair }]) => [
    code(name),
    severity,
    title,
    why,
    REPAIR[repair],
  ]);
  return page(
    "States that the doctor finds",
    "`switchyard doctor` compares rules, journals, claims, processes, servers, fences and ledgers with each other, see " +
      "[the guide](../doctor.md). An *error* endangers rows, clients or the way back; a *warning* stands in the way, or was left " +
      "behind. Each finding says what was seen and expected, and what to do.",
    [markdownTable(["state", "is", "what was found", "why it matters", "who mends it"], rows)],
  );
}
