import { type Soak, SoakUsageError } from "./soak.ts";

/** Each soak by its name. They load what they need only when they run. */
const SOAKS: Readonly<Record<string, () => Promise<{ readonly soak: Soak }>>> = {
  cutover: () => import("./simulation-soak.ts"),
  simulation: () => import("./simulation-soak.ts"),
  proxy: () => import("./proxy-soak.ts"),
  replication: () => import("./replication-soak.ts"),
  switch: () => import("./switch-soak.ts"),
};

/** `npm run soak -- WHAT [options]`: runs one soak for as long as its options say. */
export async function main(args: readonly string[]): Promise<number> {
  const [name = "", ...options] = args;
  const load = SOAKS[name];
  if (load === undefined) {
    process.stderr.write(`usage: npm run soak -- ${Object.keys(SOAKS).join("|")} [options]\n`);
    return 2;
  }
  const { soak } = await load();
  try {
    if (options.includes("--help")) {
      process.stdout.write(`npm run soak -- ${name}\n${soak.usage.map((line) => `  ${line}\n`).join("")}`);
      return 0;
    }
    return await soak.run(options);
  } catch (error) {
    const wrong =
      error instanceof SoakUsageError || (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS");
    if (wrong !== true) throw error;
    process.stderr.write(`${(error as Error).message}\n${soak.usage.map((line) => `  ${line}\n`).join("")}`);
    return 2;
  }
}
