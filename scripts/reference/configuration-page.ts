import { CONFIG_ABOUT } from "../../src/config/config-about.ts";
import { configKeys } from "../../src/config/config-keys.ts";
import { code, markdownTable, page } from "./markdown.ts";

/** Every key of the configuration, from its schema and from what is said about each. */
export function configurationPage(): string {
  const rows = configKeys().map((key) => [
    code(key.path),
    key.type,
    key.required ? requiredWhere(key.path) : code(key.default ?? ""),
    key.bounds,
    CONFIG_ABOUT[key.path]?.about ?? "",
    CONFIG_ABOUT[key.path]?.change === "reload" ? "re-read" : "restart",
  ]);
  return page(
    "Configuration",
    "A YAML file, named with `--config` or `SWITCHYARD_CONFIG`, else `switchyard.yaml`. " +
      `${code("$" + "{NAME}")} in any text is taken from the environment; ${code("$$" + "{")} stands for ${code("$" + "{")}. ` +
      "Paths of files start at the file's own directory. Keys that do not exist are refused, with the one that was " +
      "probably meant.",
    [
      "*SIGHUP* says what becomes of a change while Switchyard runs. After `kill -HUP` (`systemctl reload`) the file is " +
        "read again: what is marked *re-read* is put in force, what is marked *restart* is named in the log and left as it " +
        "was until the next start. A file that cannot be used changes nothing, and the log says what is wrong with it.",
      markdownTable(["key", "type", "default", "bounds", "meaning", "SIGHUP"], rows),
    ],
  );
}

/** A key of an optional group is needed only where the group is written. */
function requiredWhere(path: string): string {
  const group = path.slice(0, path.lastIndexOf("."));
  return group === "" || /[\]>]$/.test(group) ? "required" : `required with ${code(group)}`;
}
