import type { Command } from "commander";
import { isSwitchyardError, SwitchyardError } from "../base/errors.ts";
import type { Config } from "../config/config.ts";
import { STATES, type StateCode } from "../doctor/catalogue.ts";
import { diagnose } from "../doctor/diagnose.ts";
import { type DoctorSources, type Examined, examine, readFacts } from "../doctor/examine.ts";
import { type DoctorFinding, identity } from "../doctor/finding.ts";
import { applyRepair } from "../doctor/repair.ts";
import { type AskProcess, readOtherStore, readStore } from "../doctor/store-source.ts";
import type { StoreEntry } from "../store/store.ts";
import type { CliContext, CommonOptions } from "./cli-context.ts";
import { openSession } from "./command-tools.ts";
import { count } from "./format.ts";
import { ReportedError } from "./remote-error.ts";

/** The options of `switchyard doctor`. */
export interface DoctorOptions extends CommonOptions {
  readonly fix?: string;
}

/**
 * Does what `switchyard doctor` was asked to do.
 *
 * @throws {SwitchyardError} `DOCTOR_FINDINGS` where something is left, with the report; what reading and repairing throws
 */
export async function runDoctor(
  config: Config,
  options: DoctorOptions,
  context: CliContext,
  command: Command,
): Promise<void> {
  const { clock, signal } = context;
  const code = options.fix === undefined ? undefined : stateCode(options.fix);
  const askProcess = processOf(config, options, context, command);
  const sources: DoctorSources = {
    config,
    clock,
    signal,
    readStore: () => readStore(config, clock, askProcess),
    readOtherStore: () => readOtherStore(config),
  };
  let { facts, findings } = await examine(sources);
  const fixed = code === undefined ? [] : await fixAll(sources, { facts, findings }, code, context);
  if (fixed.length > 0) ({ facts, findings } = await examine(sources));
  const { from, live } = facts.store;
  const report = { format: 1, store: from, live, findings, fixed };
  const text = describe(findings, fixed, facts.store);
  if (findings.length === 0) {
    context.out(options.json === true ? `${JSON.stringify(report)}\n` : `${text}\n`);
    return;
  }
  if (options.json !== true) context.out(`${text}\n`);
  throw new ReportedError(foundSome(findings), report);
}

/** @throws {SwitchyardError} `CLI_USAGE` */
function stateCode(text: string): StateCode {
  if (Object.hasOwn(STATES, text)) return text as StateCode;
  throw new SwitchyardError("CLI_USAGE", {
    what: `--fix: there is no state "${text}"`,
    fix: "Give the code of a finding, as `switchyard doctor` shows it.",
  });
}

/**
 * Mends every finding of a code that bears a repair, each shown before. What one repair has changed, the next must have seen:
 * between two there is a fresh look.
 *
 * @throws {SwitchyardError} `DOCTOR_FIX_REFUSED` where none bears one
 */
async function fixAll(
  sources: DoctorSources,
  first: Examined,
  code: StateCode,
  context: CliContext,
): Promise<readonly DoctorFinding[]> {
  const { config, clock, readStore: read } = sources;
  const wanted = first.findings.filter((finding) => finding.code === code);
  const offered = wanted.filter(({ repair }) => repair !== undefined);
  if (wanted.length > 0 && offered.length === 0) throw unproven(code, wanted);
  const fixed: DoctorFinding[] = [];
  for (const one of offered) {
    const facts = fixed.length === 0 ? first.facts : await readFacts(sources);
    const finding = fixed.length === 0 ? one : diagnose(facts).find((now) => identity(now) === identity(one));
    if (finding?.repair === undefined) continue;
    context.err(`fix ${code}: ${finding.subject}: ${finding.observed}\n`);
    await applyRepair({ config, clock, seen: facts.store, readStore: read }, finding, finding.repair);
    fixed.push(finding);
  }
  return fixed;
}

/** Where an embedded store is open, only the process that has it can tell what it holds. */
function processOf(config: Config, options: DoctorOptions, context: CliContext, command: Command): AskProcess {
  const { host, port } = config.admin.listen;
  const here = ["0.0.0.0", "::"].includes(host) ? "127.0.0.1" : host;
  const scheme = config.admin.tls === undefined ? "http" : "https";
  const server = options.server ?? `${scheme}://${here.includes(":") ? `[${here}]` : here}:${port}`;
  return async () => {
    const { client } = openSession(context, command, server);
    try {
      const { entries } = await client.get<{ readonly entries: readonly StoreEntry[] }>("/v1/store");
      return { from: `the process at ${server}`, entries };
    } catch (error) {
      if (isSwitchyardError(error, "CLI_SERVER_UNREACHABLE")) return undefined;
      throw error;
    }
  };
}

function describe(
  findings: readonly DoctorFinding[],
  fixed: readonly DoctorFinding[],
  store: { readonly from: string; readonly live: boolean },
): string {
  const lines = fixed.map(({ code, subject }) => `fixed    ${code}  ${subject}`);
  if (!store.live) lines.push(`No process answers; the store was read from ${store.from}.`);
  for (const { code, severity, subject, observed, expected, why, advice, repair } of findings) {
    lines.push(
      `${severity === "error" ? "ERROR  " : "warning"}  ${code}  ${subject}`,
      `         seen      ${observed}`,
      `         expected  ${expected}`,
      `         ${why}`,
      `         → ${advice}`,
    );
    if (repair !== undefined) lines.push(`         → switchyard doctor --fix ${code}`);
  }
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const sum =
    findings.length === 0
      ? "Nothing was found."
      : `${count(errors)} errors, ${count(findings.length - errors)} warnings.`;
  return [...lines, sum].join("\n");
}

function foundSome(findings: readonly DoctorFinding[]): SwitchyardError {
  const codes = [...new Set(findings.map(({ code }) => code))];
  return new SwitchyardError("DOCTOR_FINDINGS", {
    what: `${count(findings.length)} states should not be: ${codes.join(", ")}`,
    fix: "Each finding above says what to do; begin with the first.",
  });
}

function unproven(code: StateCode, findings: readonly DoctorFinding[]): SwitchyardError {
  return new SwitchyardError("DOCTOR_FIX_REFUSED", {
    what: `${code} cannot be mended automatically here`,
    details: findings.map(({ subject, advice }) => `${subject}: ${advice}`),
    changed: "Nothing was changed.",
  });
}
