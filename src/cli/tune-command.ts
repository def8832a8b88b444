import { type Command, InvalidArgumentError, Option } from "commander";
import type { ThrottleLimit, Tuning } from "../cutover/migration-document.ts";
import { ON_DDL } from "../rules/on-ddl.ts";
import type { CliContext } from "./cli-context.ts";
import { namesIn, openSession, withServer } from "./command-tools.ts";
import { describeTuning } from "./throttle-view.ts";

/** Each option, with the limit that it sets. */
const OPTIONS: readonly (readonly [flag: string, limit: ThrottleLimit, about: string])[] = [
  ["--max-history <n>", "throttleHistoryMax", "InnoDB history list of the source; beyond it the snapshot is closed"],
  ["--max-source-threads <n>", "throttleSourceThreadsMax", "Threads_running on the source"],
  ["--max-target-threads <n>", "throttleTargetThreadsMax", "Threads_running on the target"],
  ["--max-commit-ms <ms>", "throttleCommitMs", "how long a commit of one row takes on the target"],
  ["--max-replica-lag-ms <ms>", "throttleReplicaLagMs", "lag of the replicas that are watched"],
  ["--max-proxy-p99-ms <ms>", "throttleProxyP99Ms", "99th percentile of clients' statements at the slowest proxy"],
  ["--speed <percent>", "throttleSpeedPercent", "the most of the time that the copy and diffs may work, 1 to 100"],
];

/** `switchyard migration tune` */
export function addTune(context: CliContext, parent: Command): void {
  const command = withServer(parent.command("tune"))
    .description("say how gently the copy and the diffs of a migration go, also while they run; 0 leaves a signal out")
    .argument("<id>", "name of the migration");
  for (const [flag, , about] of OPTIONS) command.option(flag, about, wholeNumber);
  command
    .option("--watch-replicas <list>", "backends whose lag is watched, separated by commas; an empty text for none")
    .option(
      "--read-from <replica>",
      "backend that rows are read from: a replica of the source; an empty text for the source",
    )
    .addOption(
      new Option(
        "--on-ddl <what>",
        "what becomes of DDL on the tables: it stops the stream, is applied, or passed over",
      ).choices(ON_DDL),
    )
    .option("--reset", "forget first what was said before: as configured under `limits:`")
    .option("--reason <text>", "kept in the history")
    .action(async (id: string, options: Record<string, unknown>, self: Command) => {
      const session = openSession(context, self);
      const limits = OPTIONS.map(([flag, limit]) => [limit, options[attributeOf(flag)]] as const);
      const { watchReplicas, readFrom, onDdl, reset, reason } = options;
      const replicas = typeof watchReplicas === "string" ? namesIn(watchReplicas) : undefined;
      const all = [
        ...limits,
        ["replicas", replicas],
        ["readFrom", readFrom],
        ["onDdl", onDdl],
        ["reset", reset],
        ["reason", reason],
      ] as const;
      const body = Object.fromEntries(all.filter(([, value]) => value !== undefined));
      const path = `/v1/migrations/${encodeURIComponent(id)}/tune`;
      const result = await session.follow(await session.client.order(path, body));
      session.print(
        { format: 1, ...result },
        `Migration ${id} is tuned: ${describeTuning(result["tuning"] as Tuning)}${describeDdl(result["onDdl"])}.`,
      );
    });
}

/** Absent where an earlier version has carried the order out. */
function describeDdl(onDdl: unknown): string {
  return typeof onDdl === "string" ? `; DDL: ${onDdl}` : "";
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("Give a whole number.");
  return Number(text);
}

/** The name under which commander gives an option: `--max-commit-ms <ms>` is `maxCommitMs`. */
function attributeOf(flag: string): string {
  const [name = ""] = flag.slice(2).split(" ");
  return name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
