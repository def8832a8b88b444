import type { Command } from "commander";
import type { ProxyDocument } from "../rules/proxy-document.ts";
import type { CliContext } from "./cli-context.ts";
import { group, openSession, withServer } from "./command-tools.ts";
import { table } from "./format.ts";

type ShownProxy = Pick<ProxyDocument, "id" | "version" | "generation"> & { readonly alive: boolean };

/** `switchyard proxies …` */
export function proxiesCommands(context: CliContext): Command {
  const proxies = group("proxies", "the proxy workers that are registered");
  withServer(proxies.command("list"))
    .description("every registered proxy worker, and whether it shows a sign of life")
    .action(async (_: object, command: Command) => {
      const session = openSession(context, command);
      const answer = await session.client.get<{ proxies: readonly ShownProxy[] }>("/v1/proxies");
      session.print(answer, describeProxies(answer.proxies));
    });
  withServer(proxies.command("forget"))
    .description("remove the registration of a proxy that has ended for good; its connections are killed first")
    .argument("<id>", "id of the proxy worker, as `proxies list` shows it")
    .requiredOption("--reason <text>", "how it is known that the process has ended; kept in the history")
    .action(async (id: string, { reason }: { reason: string }, command: Command) => {
      const session = openSession(context, command);
      const placed = await session.client.order(`/v1/proxies/${encodeURIComponent(id)}/forget`, { reason });
      const result = await session.follow(placed);
      session.print({ format: 1, ...result }, `Proxy ${id} is forgotten; switches no longer wait for it.`);
    });
  return proxies;
}

function describeProxies(proxies: readonly ShownProxy[]): string {
  if (proxies.length === 0) return "No proxy is registered.";
  const rows = proxies.map(({ id, version, generation, alive }) => [
    id,
    version,
    String(generation),
    alive ? "alive" : "NO SIGN OF LIFE",
  ]);
  return table([["ID", "VERSION", "GENERATION", ""], ...rows]);
}
