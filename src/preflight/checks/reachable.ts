import { messageOf } from "../../base/errors.ts";
import type { Endpoint } from "../../mysql/endpoint.ts";
import type { Finding } from "../finding.ts";

/** Whether a login on a server worked, told by the caller who tried: every other check needs it. */
export function reachableFinding(role: "source" | "target", endpoint: Endpoint, error?: unknown): Finding {
  const subject = `${role} "${endpoint.name}"`;
  const expected = "a server that answers and takes the login";
  const where = `${endpoint.host}:${endpoint.port}`;
  if (error === undefined) {
    return { id: "reachable", severity: "ok", subject, observed: `answers at ${where}`, expected, fix: "" };
  }
  return {
    id: "reachable",
    severity: "error",
    subject,
    observed: messageOf(error).split("\n")[0] ?? "",
    expected,
    fix: `Check host, port, user and password of backend "${endpoint.name}", and that the server runs and lets this machine in.`,
  };
}
