import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../servers/free-port.ts";
import { providePeers } from "../../servers/peer-programs.ts";
import { runCommand } from "../../servers/run-command.ts";
import type { BenchContext, PeerName } from "../frame/bench.ts";
import { PeerProcess } from "../frame/peer-process.ts";

const CONNECTIONS_MAX = 1000;

/** A way to the server: ours, a peer, or none in between. */
export interface Hop {
  readonly name: PeerName | "ours";
  readonly port: number;
  /** The process that carries the bytes; there is none where the server itself is asked. */
  readonly pid: number | undefined;
  /** Whether it can be asked for TLS. */
  readonly tls: boolean;
}

/** HAProxy in TCP mode with one thread, in front of one server. */
export async function startHaproxy(context: BenchContext, server: { readonly port: number }): Promise<PeerProcess> {
  const peers = await providePeers(context.say);
  const program = peers.program("haproxy");
  const port = await freePort();
  const folder = join(context.folder, "haproxy");
  const file = join(folder, "haproxy.cfg");
  const configuration = [
    "global",
    "  nbthread 1",
    `  maxconn ${CONNECTIONS_MAX}`,
    "defaults",
    "  mode tcp",
    "  timeout connect 5s",
    "  timeout client 1h",
    "  timeout server 1h",
    "listen mysql",
    `  bind 127.0.0.1:${port}`,
    `  server home 127.0.0.1:${server.port}`,
  ];
  write(file, configuration);
  const args = ["-f", file, "-db"];
  const version = (await runCommand(program.command, [...program.args, "-v"])).split("\n")[0] ?? "";
  context.describe("haproxy", [version, "haproxy -f haproxy.cfg -db", ...configuration]);
  return await PeerProcess.start({ name: "haproxy", folder, program, args, port });
}

/** How MySQL Router passes connections on. */
export type RouterMode = "mysql-router" | "mysql-router-sharing";

/** MySQL Router in front of one server: bytes passed through, or connections shared among clients. */
export async function startRouter(
  context: BenchContext,
  server: { readonly port: number },
  mode: RouterMode,
): Promise<PeerProcess> {
  const peers = await providePeers(context.say);
  const program = peers.program("mysqlrouter");
  const port = await freePort();
  const folder = join(context.folder, mode);
  const file = join(folder, "router.conf");
  const sharing = ["client_ssl_mode=DISABLED", "server_ssl_mode=DISABLED", "connection_sharing=1"];
  const passing = ["client_ssl_mode=PASSTHROUGH", "server_ssl_mode=AS_CLIENT"];
  const configuration = [
    "[DEFAULT]",
    ...(peers.routerPluginFolder === undefined ? [] : [`plugin_folder=${peers.routerPluginFolder}`]),
    ...["logging", "runtime", "data"].map((kind) => `${kind}_folder=${folder}`),
    "[logger]",
    "level=ERROR",
    "[connection_pool]",
    `max_idle_server_connections=${CONNECTIONS_MAX}`,
    "[routing:home]",
    "bind_address=127.0.0.1",
    `bind_port=${port}`,
    `destinations=127.0.0.1:${server.port}`,
    "routing_strategy=first-available",
    "protocol=classic",
    `max_connections=${CONNECTIONS_MAX}`,
    ...(mode === "mysql-router-sharing" ? sharing : passing),
  ];
  write(file, configuration);
  const version = (await runCommand(program.command, [...program.args, "--version"])).trim();
  const shown = configuration.filter((line) => !/_folder=/.test(line));
  context.describe(mode, [version, "mysqlrouter --config=router.conf", ...shown]);
  return await PeerProcess.start({ name: mode, folder, program, args: [`--config=${file}`], port });
}

function write(file: string, lines: readonly string[]): void {
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, `${lines.join("\n")}\n`);
}
