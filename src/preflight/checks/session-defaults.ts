import { bothServers, type Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";

/** Other values would change results or errors of statements that sessions send unchanged after a switch. */
const MUST_BE_EQUAL = [
  "sql_mode",
  "transaction_isolation",
  "autocommit",
  "completion_type",
  "explicit_defaults_for_timestamp",
  "sql_auto_is_null",
  "div_precision_increment",
  "default_week_format",
  "lc_time_names",
  "init_connect",
] as const;

/** Other values change limits and defaults that few statements depend on. */
const SHOULD_BE_EQUAL = [
  "character_set_server",
  "collation_server",
  "default_collation_for_utf8mb4",
  "group_concat_max_len",
  "innodb_lock_wait_timeout",
  "lock_wait_timeout",
  "max_execution_time",
  "wait_timeout",
  "interactive_timeout",
  "sql_safe_updates",
  "sql_require_primary_key",
  "innodb_rollback_on_timeout",
  "cte_max_recursion_depth",
  "windowing_use_high_precision",
] as const;

/** What a session begins with, and clients rely on without saying so, is the same on both servers. */
export const sessionDefaultsCheck: Check = {
  id: "session-defaults",
  title: "sessions begin with the same settings on both servers",
  severities: ["error", "warning"],
  remedy: "Set the variable that is named on the target as it is on the source.",
  async run(context) {
    const findings: Finding[] = [];
    for (const name of [...MUST_BE_EQUAL, ...SHOULD_BE_EQUAL]) {
      const [source, target] = await Promise.all(bothServers(context).map((server) => server.variable(name)));
      if (source === undefined || target === undefined || canonical(name, source) === canonical(name, target)) continue;
      const must = (MUST_BE_EQUAL as readonly string[]).includes(name);
      findings.push(
        judge(
          "session-defaults",
          false,
          {
            subject: context.target.subject,
            observed: `${name}='${target}'`,
            expected: `${name}='${source}', as on the source`,
            fix: `SET PERSIST ${name}='${source}';`,
          },
          must ? "error" : "warning",
        ),
      );
    }
    if (findings.length > 0) return findings;
    return [
      judge("session-defaults", true, {
        subject: "both servers",
        observed: `equal: ${MUST_BE_EQUAL.join(", ")} and ${SHOULD_BE_EQUAL.length} others`,
        expected: "equal settings",
        fix: "",
      }),
    ];
  },
};

/** The order of the words of sql_mode means nothing. */
function canonical(name: string, value: string): string {
  return name === "sql_mode" ? value.split(",").sort().join(",") : value;
}
