import type { FuzzTarget } from "./fuzz-target.ts";

const LOADERS = {
  binlog: async () => (await import("./targets/binlog.ts")).target,
  gtid: async () => (await import("./targets/gtid.ts")).target,
  sql: async () => (await import("./targets/sql.ts")).target,
  wire: async () => (await import("./targets/wire.ts")).target,
} as const satisfies Record<string, () => Promise<FuzzTarget>>;

export const TARGET_NAMES: readonly string[] = Object.keys(LOADERS);

/** The target of that name; `undefined` where there is none. */
export async function loadTarget(name: string): Promise<FuzzTarget | undefined> {
  return Object.hasOwn(LOADERS, name) ? await LOADERS[name as keyof typeof LOADERS]() : undefined;
}
