/** What a demo states at its end; with `--json` these fields are the last line of stdout. */
export interface Summary {
  /** Rows that were copied before the stream took over. */
  readonly rowsCopied: number;
  /** Rows that the diff before the first switch compared, byte by byte. */
  readonly rowsVerified: number;
  /** Rows that differed in any diff, of either direction. */
  readonly differences: number;
  readonly clientStatements: number;
  /** Errors that clients saw, and reads that did not show what the client had written. */
  readonly clientErrors: number;
  readonly acknowledgedWrites: number;
  readonly unknownWrites: number;
  readonly lostWrites: number;
  readonly doubledWrites: number;
  /** Transactions of clients among the new home's own GTIDs. */
  readonly writesCommittedOnNewHome: number;
  readonly switches: number;
  readonly rollbacks: number;
  /** The longest that a client waited for a statement at each switch and rollback, in their order. */
  readonly pausesMs: readonly number[];
  readonly copySeconds: number;
  readonly diffSeconds: number;
}

const ROWS_MIN = 500_000;
/** Beyond this, applications would notice a switch. */
const PAUSE_MS_MAX = 1_000;

/** What does not hold, in words; nothing when the demo has shown what it claims. */
export function brokenPromises(summary: Summary): string[] {
  const zero = ["differences", "clientErrors", "unknownWrites", "lostWrites", "doubledWrites"] as const;
  const broken = zero.filter((name) => summary[name] !== 0).map((name) => `${name} is ${summary[name]}, not 0`);
  if (summary.rowsCopied < ROWS_MIN) broken.push(`only ${summary.rowsCopied} rows were copied`);
  if (summary.rowsVerified < summary.rowsCopied) broken.push(`only ${summary.rowsVerified} rows were verified`);
  if (summary.acknowledgedWrites === 0) broken.push("no client wrote anything");
  if (summary.writesCommittedOnNewHome === 0) broken.push("no client wrote to the new home");
  if (summary.switches !== 2 || summary.rollbacks !== 1) {
    broken.push(`${summary.switches} switches and ${summary.rollbacks} rollbacks, not 2 and 1`);
  }
  const long = summary.pausesMs.filter((pause) => pause > PAUSE_MS_MAX);
  if (long.length > 0) broken.push(`a client waited ${Math.max(...long)} ms at a switch`);
  return broken;
}

/** The summary as a person reads it. */
export function describeSummary(summary: Summary): string {
  const n = (value: number): string => value.toLocaleString("en");
  const [first, back, again] = summary.pausesMs;
  return [
    "",
    `${n(summary.rowsCopied)} rows copied in ${summary.copySeconds} s while clients wrote`,
    `${n(summary.rowsVerified)} rows compared byte by byte in ${summary.diffSeconds} s: ${n(summary.differences)} differences`,
    `${n(summary.clientStatements)} client statements: ${n(summary.clientErrors)} errors`,
    `${n(summary.acknowledgedWrites)} acknowledged writes: ${n(summary.lostWrites)} lost, ${n(summary.doubledWrites)} doubled, ${n(summary.unknownWrites)} of unknown outcome`,
    `${n(summary.writesCommittedOnNewHome)} of them were committed on the new home`,
    `longest wait of a client: ${first} ms at the switch, ${back} ms at the rollback, ${again} ms at the second switch`,
    "",
  ].join("\n");
}
