import { messageOf } from "../base/errors.ts";
import { describeHolder } from "./fence.ts";
import type { GateContext } from "./gate.ts";
import type { GateFinding, LockHolder } from "./ports.ts";

interface ServerFacts {
  readonly holders: readonly LockHolder[];
  readonly settings: { readonly increment: string; readonly offset: string };
}

/** Both servers answer, count ids alike, and no old transaction keeps the tables of the old home. */
export async function serverFindings(context: GateContext): Promise<readonly GateFinding[]> {
  const { ends, limits } = context;
  const [old, fresh] = await Promise.all([facts(context, ends.oldHome), facts(context, ends.newHome)]);
  const unreachable = [old, fresh].filter((answer) => typeof answer === "string");
  const reach: GateFinding = {
    id: "servers-reachable",
    ok: unreachable.length === 0,
    title: "both servers answer",
    observed: unreachable.join("; ") || "both do",
    expected: "a login on each",
    fix: "Bring the server back, or correct its entry under backends.",
  };
  if (typeof old === "string" || typeof fresh === "string") return [reach];
  const long = old.holders.filter((holder) => holder.seconds * 1000 > limits.drainTimeoutMs);
  const counting = `${old.settings.increment}/${old.settings.offset}`;
  const countingNew = `${fresh.settings.increment}/${fresh.settings.offset}`;
  return [
    reach,
    {
      id: "long-transactions",
      ok: long.length === 0,
      title: "no long transaction keeps the tables",
      observed: long.map(describeHolder).join("; ") || "none",
      expected: `none that would outlast drainTimeoutMs (${limits.drainTimeoutMs} ms)`,
      fix: "Wait until they have ended, or end them.",
    },
    {
      id: "auto-increment-settings",
      ok: counting === countingNew,
      title: "both servers give AUTO_INCREMENT values alike",
      observed: `${counting} on ${ends.oldHome}, ${countingNew} on ${ends.newHome}`,
      expected: "equal auto_increment_increment and auto_increment_offset",
      fix: "Set both variables alike on the two servers.",
    },
  ];
}

async function facts(context: GateContext, backend: string): Promise<ServerFacts | string> {
  try {
    return await context.ports.home(backend).inspect(async (view) => ({
      holders: await view.holders(),
      settings: await view.autoIncrementSettings(),
    }));
  } catch (error) {
    return `${backend}: ${messageOf(error)}`;
  }
}
