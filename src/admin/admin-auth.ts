import { createHash, timingSafeEqual } from "node:crypto";
import { SwitchyardError } from "../base/errors.ts";
import { type AdminConfig, isLoopback } from "../config/config.ts";

/** Who asks, and what that allows. `operate` includes `read`. */
export interface Caller {
  readonly name: string;
  readonly role: "read" | "operate";
}

/** The headers that decide who asks. */
export interface CallerHeaders {
  readonly authorization?: string | undefined;
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
}

/** On loopback a request without a token comes from somebody who is on this machine. */
const LOCAL: Caller = { name: "local", role: "operate" };

/**
 * Says who asks. Where the API listens on loopback no token is needed, but a token that is given must be right.
 *
 * A web page that somebody on this machine looks at could ask on their behalf; so without a token the request must
 * be addressed to loopback and must not come from a page of another origin.
 *
 * @throws {SwitchyardError} `ADMIN_UNAUTHENTICATED`, `ADMIN_FORBIDDEN`
 */
export function identify(config: AdminConfig, headers: CallerHeaders): Caller {
  const token = /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
  if (token !== undefined) return byToken(config, token);
  if (headers.authorization !== undefined || !isLoopback(config.listen.host)) {
    throw new SwitchyardError("ADMIN_UNAUTHENTICATED", {
      what: "this admin API wants a token",
      changed: "Nothing was changed.",
      fix: "Give it with --token or SWITCHYARD_TOKEN (header `Authorization: Bearer …`).",
    });
  }
  checkLocal(headers);
  return LOCAL;
}

/** @throws {SwitchyardError} `ADMIN_FORBIDDEN` where the caller may only look. */
export function mustOperate(caller: Caller): void {
  if (caller.role === "operate") return;
  throw new SwitchyardError("ADMIN_FORBIDDEN", {
    what: `the token of ${caller.name} may read, and this changes something`,
    changed: "Nothing was changed.",
    fix: "Use a token with `role: operate`.",
  });
}

/** Compares with every token, and each in constant time: neither how many match nor where they differ shows. */
function byToken(config: AdminConfig, token: string): Caller {
  const given = createHash("sha256").update(token).digest();
  let found: Caller | undefined;
  for (const { name, role, sha256 } of config.tokens) {
    if (timingSafeEqual(given, Buffer.from(sha256, "hex"))) found = { name, role };
  }
  if (found !== undefined) return found;
  throw new SwitchyardError("ADMIN_UNAUTHENTICATED", {
    what: "this admin API does not know the token",
    changed: "Nothing was changed.",
    fix: "Check --token and SWITCHYARD_TOKEN, and the SHA-256 of the token under `admin.tokens`.",
  });
}

function checkLocal({ host, origin }: CallerHeaders): void {
  const name = (host ?? "").replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  const sameOrigin = origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
  if (isLoopback(name) && sameOrigin) return;
  throw new SwitchyardError("ADMIN_FORBIDDEN", {
    what: "a request without a token must be addressed to loopback and come from no other web page",
    changed: "Nothing was changed.",
    fix: "Use http://127.0.0.1 with the admin port, or a token.",
  });
}
