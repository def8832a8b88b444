#!/usr/bin/env node
import cluster from "node:cluster";
import { readFileSync } from "node:fs";

// Each kind of process loads only what it is made of.

/** Of the package that this file is in, compiled or not. */
function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return String((manifest as { version?: unknown }).version);
}

async function child(): Promise<void> {
  const { runChild } = await import("./serve/child.ts");
  runChild();
}

async function command(): Promise<number> {
  const { systemClock } = await import("./base/clock.ts");
  const { readEnvironment } = await import("./config/environment.ts");
  const { runCli } = await import("./cli/program.ts");
  const environment = readEnvironment();
  const version = readVersion();
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once("SIGINT", interrupt);
  const { stderr } = process;
  return await runCli(process.argv.slice(2), {
    environment,
    clock: systemClock,
    version,
    out: (text) => process.stdout.write(text),
    err: (text) => stderr.write(text),
    terminal: stderr.isTTY ? { columns: stderr.columns } : undefined,
    signal: interrupted.signal,
    async serve(kind, config, reread) {
      process.off("SIGINT", interrupt);
      const { failpointFromEnvironment } = await import("./config/failpoint-environment.ts");
      const { runPrimary } = await import("./serve/primary.ts");
      failpointFromEnvironment(environment.all);
      return await runPrimary({
        kind,
        config,
        reread,
        environment: environment.all,
        clock: systemClock,
        version,
        entry: import.meta.filename,
      });
    },
  });
}

if (cluster.isWorker) await child();
else process.exitCode = await command();
