import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Cell, FAULTS, type Kind, nameOf, STEPS, VICTIMS } from "./cells.ts";

/** How a cell has ended: where the tables are, or that something was not as it must be. */
export type CellOutcome = "switched" | "aborted" | "failed";

/** One line of the progress file. */
export interface CellRecord {
  readonly cell: string;
  readonly kind: Kind;
  readonly outcome: CellOutcome;
  /** From the end of the fault until everything was at rest. */
  readonly restMs: number;
  /** All that the cell took, with the look at every row. */
  readonly tookMs: number;
  /** What whoever gave the order was told. */
  readonly answer: string;
  /** Errors that clients were told as they may be. */
  readonly excused: number;
  readonly findings: readonly string[];
  readonly at: string;
}

/** What is known of earlier cells; of one that was run twice, the later time. Half a line, as a crash leaves it, is none. */
export function readRecords(file: string): readonly CellRecord[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return [];
  }
  const last = new Map<string, CellRecord>();
  for (const line of text.split("\n")) {
    const record = parsed(line);
    if (record !== undefined) last.set(`${record.cell} ${record.kind}`, record);
  }
  return [...last.values()];
}

export function appendRecord(file: string, record: CellRecord): void {
  mkdirSync(dirname(file), { recursive: true });
  appendFileSync(file, `\n${JSON.stringify(record)}\n`);
}

function parsed(line: string): CellRecord | undefined {
  try {
    return JSON.parse(line) as CellRecord;
  } catch {
    return undefined;
  }
}

const STEP_WIDTH = Math.max(...STEPS.map((step) => step.length - "switch-".length));
const CELL_WIDTH = 11;

/** Steps against victims and faults, each with how it ended and the seconds until it did; S switched, A aborted. */
export function matrixTable(records: readonly CellRecord[]): readonly string[] {
  const columns = VICTIMS.flatMap((victim) => FAULTS.map((fault) => ({ victim, fault })));
  const byCell = new Map<string, CellRecord[]>();
  for (const record of records) byCell.set(record.cell, [...(byCell.get(record.cell) ?? []), record]);
  const text = (cell: Cell): string => (byCell.get(nameOf(cell)) ?? []).map(shown).join(" ") || "-";
  const row = (head: string, cells: readonly string[]): string =>
    [head.padEnd(STEP_WIDTH), ...cells.map((one) => one.padEnd(CELL_WIDTH))].join(" ").trimEnd();
  return [
    row(
      "",
      columns.map(({ victim, fault }) => (fault === FAULTS[0] ? victim : "")),
    ),
    row(
      "",
      columns.map(({ fault }) => fault),
    ),
    ...STEPS.map((step) =>
      row(
        step.slice("switch-".length),
        columns.map((column) => text({ step, ...column })),
      ),
    ),
  ];
}

/** One line: how many ended how, and the longest that one took. */
export function tally(records: readonly CellRecord[]): string {
  const of = (outcome: CellOutcome): readonly CellRecord[] => records.filter((one) => one.outcome === outcome);
  const rests = records.filter(({ outcome }) => outcome !== "failed").sort((a, b) => a.restMs - b.restMs);
  const longest = rests.at(-1);
  const middle = rests[Math.floor(rests.length / 2)];
  const times =
    longest === undefined || middle === undefined
      ? ""
      : `; at rest ${seconds(middle.restMs)} s after the fault in the middle, ${seconds(longest.restMs)} s at most (${longest.cell})`;
  const excused = records.reduce((sum, record) => sum + record.excused, 0);
  return (
    `${records.length} cells: ${of("switched").length} switched, ${of("aborted").length} aborted, ` +
    `${of("failed").length} failed${times}; ${excused} errors of clients were allowed`
  );
}

function shown({ outcome, restMs, kind }: CellRecord): string {
  const way = kind === "switch" ? ">" : "<";
  return outcome === "failed" ? `${way}FAIL` : `${way}${outcome === "switched" ? "S" : "A"}${seconds(restMs)}`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
