import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import type { Endpoint } from "./endpoint.ts";

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
