import type { Command } from "commander";
import { SwitchyardError } from "../base/errors.ts";
import type { Config } from "../config/config.ts";
import type { CliContext } from "./cli-context.ts";
import { withConfig, withJson } from "./command-tools.ts";

/** `switchyard check` */
export function checkCommand(
  context: CliContext,
  create: (name: string) => Command,
  configOf: (command: Command) => Promise<Config>,
  exit: (code: number) => void,
): Command {
  return withConfig(withJson(create("check")))
    .description("check the servers and the tables from here, without a running process")
    .action(async (_: object, command: Command) => {
      await configOf(command);
      context.out("");
      exit(0);
      throw new SwitchyardError("INTERNAL_INVARIANT", { what: "not yet" });
    });
}
