import { bothServers, type Check } from "../check.ts";
import { judge } from "../finding.ts";
import type { ServerView } from "../server-view.ts";

const TOLERATED_MS = 1000;

/** Lag is the difference of two clocks, and values of NOW() go on on the other server. */
export const clockSkewCheck: Check = {
  id: "clock-skew",
  title: "the clocks of both servers agree",
  severities: ["warning"],
  remedy: "Set both clocks by the same time server.",
  async run(context) {
    const [source, target] = await Promise.all(bothServers(context).map(clockOf));
    if (source === undefined || target === undefined) return [];
    const skew = Math.round(Math.abs(source.aheadMs - target.aheadMs));
    const uncertain = Math.ceil(source.uncertainMs + target.uncertainMs);
    return [
      judge(
        "clock-skew",
        skew <= TOLERATED_MS + uncertain,
        {
          subject: "both servers",
          observed: `${skew} ms apart, give or take ${uncertain} ms`,
          expected: `at most ${TOLERATED_MS} ms`,
          fix: "Set both clocks by the same time server.",
        },
        "warning",
      ),
    ];
  },
};

/** How far a server's clock is ahead of this machine's, and how wrong that may be: half the time that asking took. */
async function clockOf(server: ServerView): Promise<{ aheadMs: number; uncertainMs: number }> {
  const started = performance.timeOrigin + performance.now();
  const [row] = await server.rows("SELECT UNIX_TIMESTAMP(NOW(6)) AS moment");
  const ended = performance.timeOrigin + performance.now();
  const halfMs = (ended - started) / 2;
  return { aheadMs: Number(row?.["moment"] ?? "0") * 1000 - (started + halfMs), uncertainMs: halfMs };
}
