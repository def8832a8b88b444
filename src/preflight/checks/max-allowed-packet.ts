import type { Check } from "../check.ts";
import { judge } from "../finding.ts";

/** Below this the streams' own statements would not fit. */
const SMALLEST_BYTES = 16 * 1024 * 1024;

/** What one server takes, the other must take: rows of the streams go both ways, and so do statements of clients. */
export const maxAllowedPacketCheck: Check = {
  id: "max-allowed-packet",
  title: "the target takes packets as large as the source does",
  severities: ["error"],
  remedy: "Set `max_allowed_packet` of the target to at least the source's.",
  async run({ source, target }) {
    const ofSource = Number((await source.variable("max_allowed_packet")) ?? "0");
    const ofTarget = Number((await target.variable("max_allowed_packet")) ?? "0");
    const wanted = Math.max(ofSource, SMALLEST_BYTES);
    return [
      judge("max-allowed-packet", ofTarget >= wanted, {
        subject: target.subject,
        observed: `max_allowed_packet=${ofTarget}`,
        expected: `at least ${wanted}`,
        fix: `SET PERSIST max_allowed_packet=${wanted};`,
      }),
      judge("max-allowed-packet", ofSource >= SMALLEST_BYTES, {
        subject: source.subject,
        observed: `max_allowed_packet=${ofSource}`,
        expected: `at least ${SMALLEST_BYTES}, which the way back needs`,
        fix: `SET PERSIST max_allowed_packet=${Math.max(ofTarget, SMALLEST_BYTES)};`,
      }),
    ];
  },
};
