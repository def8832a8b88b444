import { expect } from "vitest";
import { describeLog, settingOf } from "./decoded-lines.ts";
import { readPrinted } from "./mysqlbinlog-text.ts";

/**
 * Demands that our decoder and mysqlbinlog read the same from a log, event by event and value by value. `printed` is
 * its output as latin1.
 */
export function expectSameAsPrinted(log: Buffer, printed: string): void {
  const theirs = readPrinted(printed);
  const ours = describeLog(log);
  expect(ours.map((one) => one.lines)).toEqual(theirs.map((one) => one.lines));
  expect(ours.map((one) => one.endPosition)).toEqual(theirs.map((one) => one.endPosition));
  for (const [i, { event }] of ours.entries()) {
    if (event.kind !== "query") continue;
    const settings = [...(theirs[i]?.settings ?? [])].filter(([name]) => name !== "timestamp");
    expect(settings.map(([name]) => [name, settingOf(event, name)])).toEqual(settings);
  }
}
