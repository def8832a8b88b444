import { describe, expect, test } from "vitest";
import { type Gtid, GtidSet } from "../../../src/gtid/gtid-set.ts";
import { StreamGate } from "../../../src/replication/stream-gate.ts";
import { TouchHistory } from "../../../src/replication/touch-history.ts";

const uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const gtid = (gno: number): Gtid => ({ uuid, tag: "", gno });
const set = (range: string): GtidSet => GtidSet.parse(`${uuid}:${range}`);
const touching = new Set(["s.t"]);
const nothing = new Set<string>();

function gateAt(executed: string): StreamGate {
  const gate = new StreamGate();
  gate.reset(set(executed));
  return gate;
}

describe("a gate that is to stop at a position", () => {
  test("lets exactly the position through, then holds, then goes on", async () => {
    const gate = gateAt("1-5");
    const reached = gate.until(set("1-7"));
    expect(gate.verdict(gtid(6), touching)).toBe("apply");
    gate.done(gtid(6), touching);
    gate.settle();
    expect(gate.stoppedAt).toBe(false);
    expect(gate.verdict(gtid(7), touching)).toBe("apply");
    gate.done(gtid(7), touching);
    gate.settle();
    await reached;
    expect(gate.stoppedAt).toBe(true);
    expect(gate.verdict(gtid(8), nothing)).toBe("hold");
    gate.open();
    expect(gate.verdict(gtid(8), touching)).toBe("apply");
  });

  test("holds what is beyond while the rest of the position is still being applied", async () => {
    const gate = gateAt("1-5");
    const reached = gate.until(set("1-7"));
    expect(gate.verdict(gtid(8), touching, () => [gtid(6), gtid(7)])).toBe("hold");
    for (const gno of [6, 7]) gate.done(gtid(gno), touching);
    gate.settle();
    await reached;
  });

  test("passes over others that concern other tables, and refuses those that concern ours", async () => {
    const gate = gateAt("1-5");
    const reached = gate.until(set("1-5:8"));
    expect(gate.verdict(gtid(6), nothing)).toBe("apply");
    gate.done(gtid(6), nothing);
    expect(gate.verdict(gtid(7), touching)).toBe("hold");
    await expect(reached).rejects.toThrow("STREAM_POSITION_PASSED");
    expect(gate.stoppedAt).toBe(false);
    expect(gate.verdict(gtid(7), touching)).toBe("hold");
  });

  test("refuses a position that lacks what has been applied, unless that concerned other tables", async () => {
    const gate = gateAt("1-5");
    gate.done(gtid(6), nothing);
    gate.done(gtid(7), touching);
    await expect(async () => gate.until(set("1-6"))).rejects.toThrow("STREAM_POSITION_PASSED");
    await gate.until(set("1-5:7"));
  });

  test("cannot know what was applied before this process, and takes it for ours", async () => {
    await expect(async () => gateAt("1-5").until(set("1-4"))).rejects.toThrow("STREAM_POSITION_PASSED");
  });
});

describe("a closed or paused gate", () => {
  test("holds everything, and wakes those that wait when it opens", async () => {
    const gate = gateAt("1");
    gate.close();
    expect(gate.verdict(gtid(2), nothing)).toBe("hold");
    const change = gate.changed();
    gate.open();
    await change;
    gate.setPaused(true);
    expect(gate.verdict(gtid(2), nothing)).toBe("hold");
    gate.setPaused(false);
    expect(gate.verdict(gtid(2), nothing)).toBe("apply");
  });

  test("says only then that nothing is under way when nothing is", async () => {
    const gate = gateAt("1");
    gate.setBusy(true);
    let idle = false;
    const waiting = gate.idle().then(() => {
      idle = true;
    });
    await Promise.resolve();
    expect(idle).toBe(false);
    gate.setBusy(false);
    await waiting;
  });
});

describe("what a stream remembers of weeks of transactions", () => {
  test("is bounded, and never takes one that changed a table for one that did not", () => {
    const history = new TouchHistory(10);
    let executed = GtidSet.empty;
    const really = new Set<number>();
    for (let gno = 1; gno <= 200; gno++) {
      executed = executed.add(uuid, "", gno);
      const touches = gno % 3 === 0;
      if (touches) really.add(gno);
      history.add(gtid(gno), touches ? touching : nothing, () => executed);
    }
    const known = history.touching(new Set(["s.t"]));
    for (const gno of really) expect(known.has(gtid(gno)), String(gno)).toBe(true);
    // The last ones are known one by one; those of long ago are one interval.
    expect(known.has(gtid(199))).toBe(false);
    expect([...known.sources.values()][0]?.length).toBeLessThan(50);
    expect(history.touching(new Set(["s.other"])).has(gtid(198))).toBe(false);
  });
});
