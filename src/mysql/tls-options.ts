import { isIP } from "node:net";
import { type ConnectionOptions, createSecureContext, type SecureContext } from "node:tls";
import type { Endpoint, TlsSettings } from "./endpoint.ts";

/** Whether the mode wants TLS or no connection at all. */
export function requiresTls(endpoint: Endpoint): boolean {
  return endpoint.tls.mode !== "disabled" && endpoint.tls.mode !== "preferred";
}

/**
 * How TLS is spoken with an endpoint, by the modes of MySQL's own client: `preferred` and `required` encrypt without
 * looking at the certificate, `verify_ca` checks who signed it, `verify_identity` also whom it names.
 */
export function tlsOptions(endpoint: Endpoint): ConnectionOptions {
  const { mode, ca, cert, key } = endpoint.tls;
  const verifies = mode === "verify_ca" || mode === "verify_identity";
  return {
    rejectUnauthorized: verifies,
    minVersion: "TLSv1.2",
    ...(isIP(endpoint.host) === 0 ? { servername: endpoint.host } : {}),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(mode === "verify_identity" ? { host: endpoint.host } : { checkServerIdentity: () => undefined }),
  };
}

const contexts = new WeakMap<TlsSettings, SecureContext>();

/**
 * As {@link tlsOptions}, for many connections to one endpoint: certificates and keys are read once for all that are
 * given the same settings, and connections do not have a copy of them each.
 */
export function sharedTlsOptions(endpoint: Endpoint): ConnectionOptions {
  const { ca, cert, key, minVersion, ...each } = tlsOptions(endpoint);
  let context = contexts.get(endpoint.tls);
  if (context === undefined) {
    context = createSecureContext({ ca, cert, key, minVersion });
    contexts.set(endpoint.tls, context);
  }
  return { ...each, secureContext: context };
}
