import type { Command } from "commander";
import type { Config } from "../config/config.ts";
import type { CliContext } from "./cli-context.ts";
import { withConfig, withServer } from "./command-tools.ts";
import type { DoctorOptions } from "./run-doctor.ts";

/** `switchyard doctor`: looks at store and servers from here, whether anything runs or not. */
export function doctorCommand(
  context: CliContext,
  create: (name: string) => Command,
  configOf: (command: Command) => Promise<Config>,
): Command {
  return withConfig(withServer(create("doctor")))
    .description(
      "find states that a crash, a person or a restored backup has left in store and servers, and say what to do. Changes " +
        "nothing without --fix; exits with 1 where something was found",
    )
    .option("--fix <code>", "mend what was found under this code, where store and servers prove that it is safe")
    .action(async (_: object, command: Command) => {
      // Clients of a running process need no driver for MySQL; this command loads it when it runs.
      const { runDoctor } = await import("./run-doctor.ts");
      await runDoctor(await configOf(command), command.optsWithGlobals<DoctorOptions>(), context, command);
    });
}
