import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { fullPace } from "../../../src/base/pace.ts";
import type { Pair } from "./changed-rows.ts";

/** What is compared while the stream stands for the next table. */
export function readersRest({ make, diff, stream }: Pair): void {
  describe("while the stream stands for one table", () => {
    test("the reading of another rests, which would make it stand longer", async () => {
      const rows =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 800) SELECT i, REPEAT('x', 16000) FROM n";
      await make("large", "id INT PRIMARY KEY, v LONGTEXT", rows);
      await make("small", "id INT PRIMARY KEY", "VALUES (1)");
      let [rests, stood] = [0, 0];
      const during: number[] = [];
      const rest = async (): Promise<void> => {
        rests += 1;
        await systemClock.sleep(30);
      };
      const slowed = { open: () => ({ ...fullPace.open(), worker: () => ({ rest }) }) };
      const standing = {
        closeIntake: stream.closeIntake,
        pauseIntake: stream.pauseIntake,
        continue: stream.continue,
        stopAt: async (position: string) => {
          await stream.stopAt(position);
          stood += 1;
          if (stood < 2) return;
          const before = rests;
          await systemClock.sleep(200);
          during.push(rests - before);
        },
      };
      expect((await diff({ stream: standing, pace: slowed })).rows).toBe(801);
      expect(during).toEqual([0]);
      expect(rests).toBeGreaterThan(3);
    });
  });
}
