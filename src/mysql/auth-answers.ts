import { constants, createPublicKey, publicEncrypt } from "node:crypto";
import { SwitchyardError } from "../base/errors.ts";
import { CACHING_SHA2, SHA256_REQUEST_PUBLIC_KEY } from "../wire/auth-packets.ts";
import { cachingSha2Scramble, nativeScramble, xorWithNonce } from "../wire/auth-scramble.ts";

/** Whose login it is, for messages, and what may be said on the way. */
export interface AuthAnswerOptions {
  readonly server: string;
  readonly user: string;
  readonly password: Buffer;
  /** Whether nobody can listen: the password may go out as it is. */
  readonly private: boolean;
}

const KNOWN_PLUGINS: ReadonlySet<string> = new Set([
  "caching_sha2_password",
  "sha256_password",
  "mysql_native_password",
]);

/** The method to begin with: the one that the server proposes, if it is known here. */
export function firstPlugin(proposed: string): string {
  const plugin = proposed === "" ? "mysql_native_password" : proposed;
  return KNOWN_PLUGINS.has(plugin) ? plugin : "caching_sha2_password";
}

/**
 * What a client says in the conversation about its password, packet by packet; sends nothing itself. The password
 * goes out only as an answer to a nonce, inside TLS, or encrypted with the server's RSA key.
 */
export class AuthAnswers {
  readonly #options: AuthAnswerOptions;
  #plugin = "";
  #nonce: Buffer = Buffer.alloc(0);

  constructor(options: AuthAnswerOptions) {
    this.#options = options;
  }

  /**
   * What to answer when `plugin` is chosen.
   *
   * @throws {SwitchyardError} `MYSQL_AUTH_METHOD_UNKNOWN`
   */
  first(plugin: string, nonce: Buffer): Buffer {
    const { password, server, user } = this.#options;
    this.#plugin = plugin;
    this.#nonce = nonce;
    if (plugin === "caching_sha2_password") return cachingSha2Scramble(password, nonce);
    if (plugin === "mysql_native_password") return nativeScramble(password, nonce);
    if (plugin === "sha256_password") {
      if (password.length === 0) return Buffer.alloc(1);
      return this.#options.private ? this.#clear() : Buffer.from([SHA256_REQUEST_PUBLIC_KEY]);
    }
    throw new SwitchyardError("MYSQL_AUTH_METHOD_UNKNOWN", {
      what: `server "${server}" wants the authentication method ${plugin} for user "${user}"`,
      details: ["known: caching_sha2_password, sha256_password, mysql_native_password"],
      changed: "The password was not sent.",
      fix: "Use an account with one of these methods.",
    });
  }

  /** What to answer to more data from the server; nothing where it only reports success. */
  more(data: Buffer): Buffer | undefined {
    if (this.#plugin === "caching_sha2_password" && data.length === 1) {
      if (data[0] === CACHING_SHA2.FAST_AUTH_OK) return undefined;
      if (data[0] === CACHING_SHA2.FULL_AUTH) {
        return this.#options.private ? this.#clear() : Buffer.from([CACHING_SHA2.REQUEST_PUBLIC_KEY]);
      }
    }
    if (this.#plugin === "mysql_native_password") {
      throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", { what: "more data in a login by mysql_native_password" });
    }
    // What else comes is the server's public key, which was asked for. It never gets the password in clear text.
    const mixed = xorWithNonce(this.#clear(), this.#nonce);
    return publicEncrypt({ key: publicKey(data), padding: constants.RSA_PKCS1_OAEP_PADDING }, mixed);
  }

  #clear(): Buffer {
    return Buffer.concat([this.#options.password, Buffer.alloc(1)]);
  }
}

function publicKey(data: Buffer): ReturnType<typeof createPublicKey> {
  try {
    return createPublicKey(data);
  } catch (cause) {
    throw new SwitchyardError("WIRE_MALFORMED", { what: "the server sent something other than its public key", cause });
  }
}
