import { generateKeyPair, type KeyObject, randomBytes, sign } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import { promisify } from "node:util";
import {
  derBits,
  derBytes,
  derInteger,
  derNull,
  derOid,
  derSequence,
  derSet,
  derTagged,
  derText,
  derTime,
  derTrue,
} from "./der-writer.ts";
import type { FrontTls } from "./proxy-config.ts";

const RSA_BITS = 2048;
const DAY_MS = 86_400_000;
const VALID_DAYS = 3650;

const makeKeyPair = promisify(generateKeyPair);

/** What the proxy shows to clients so that passwords reach it in private. */
export interface ServerKeys {
  /** Absent where TLS is disabled. */
  readonly tls: SecureContext | undefined;
  /** For clients without TLS, which encrypt the password with the public half. */
  readonly passwordKey: KeyObject;
  readonly passwordPublicPem: Buffer;
}

/** Makes the keys of one worker; the RSA pairs take some tenths of a second, off the event loop. */
export async function makeServerKeys(front: FrontTls, now: Date): Promise<ServerKeys> {
  const [password, tls] = await Promise.all([
    makeKeyPair("rsa", { modulusLength: RSA_BITS }),
    secureContext(front, now),
  ]);
  const passwordPublicPem = Buffer.from(password.publicKey.export({ type: "spki", format: "pem" }));
  return { tls, passwordKey: password.privateKey, passwordPublicPem };
}

async function secureContext(front: FrontTls, now: Date): Promise<SecureContext | undefined> {
  if (front === "disabled") return undefined;
  return givenContext(front === "generated" ? await generateCertificate(now) : front);
}

/** What TLS needs of a certificate and its key. */
export function givenContext(pair: { readonly cert: string; readonly key: string }): SecureContext {
  return createSecureContext({ cert: pair.cert, key: pair.key, minVersion: "TLSv1.2" });
}

/** A certificate signed by its own key, as MySQL makes one for itself where it is given none. */
export async function generateCertificate(now: Date): Promise<{ readonly cert: string; readonly key: string }> {
  const { publicKey, privateKey } = await makeKeyPair("rsa", { modulusLength: RSA_BITS });
  const algorithm = derSequence(derOid("1.2.840.113549.1.1.11"), derNull());
  const name = derSequence(derSet(derSequence(derOid("2.5.4.3"), derText("Switchyard proxy (generated)"))));
  const validity = derSequence(
    derTime(new Date(now.getTime() - DAY_MS)),
    derTime(new Date(now.getTime() + VALID_DAYS * DAY_MS)),
  );
  const isAuthority = derSequence(derOid("2.5.29.19"), derTrue(), derBytes(derSequence(derTrue())));
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const body = derSequence(
    derTagged(0, derInteger(Buffer.from([2]))),
    derInteger(serial),
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ type: "spki", format: "der" }),
    derTagged(3, derSequence(isAuthority)),
  );
  const certificate = derSequence(body, algorithm, derBits(sign("sha256", body, privateKey)));
  return { cert: pem("CERTIFICATE", certificate), key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
