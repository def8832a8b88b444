import { createSecureContext } from "node:tls";

/** Why a certificate and a key (PEM) cannot be used together; undefined where they can. */
export function keyPairProblem(pair: { readonly cert: string; readonly key: string }): string | undefined {
  try {
    createSecureContext(pair);
    return undefined;
  } catch (error) {
    // OpenSSL's own words; they name no part of the key.
    return error instanceof Error ? error.message : String(error);
  }
}
