import type { CompressionWishes } from "./compression-choice.ts";

/** How a connection to a server is protected; the modes of MySQL's own client. */
export interface TlsSettings {
  readonly mode: "disabled" | "preferred" | "required" | "verify_ca" | "verify_identity";
  /** PEM text of the certificate authorities to trust; the system's own where absent. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** A MySQL server and the account that Switchyard uses there. `password` must never reach a log. */
export interface Endpoint {
  /** The name in `backends:`, for messages. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly tls: TlsSettings;
  /** Left out: no compression. */
  readonly compression?: CompressionWishes;
}
