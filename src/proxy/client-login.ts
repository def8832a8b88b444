import { constants, privateDecrypt } from "node:crypto";
import { SwitchyardError } from "../base/errors.ts";
import type { CompressionWord } from "../mysql/compression-choice.ts";
import { buildAuthMoreData, buildAuthSwitch, CACHING_SHA2 } from "../wire/auth-packets.ts";
import { nativeStage2, verifyNative, xorWithNonce } from "../wire/auth-scramble.ts";
import { CAP, hasFlag } from "../wire/capabilities.ts";
import type { ChangeUser } from "../wire/change-user.ts";
import type { ErrPacket } from "../wire/err-packet.ts";
import { buildGreeting, type Greeting } from "../wire/greeting.ts";
import { type HandshakeResponse, isTlsRequest, parseHandshakeResponse } from "../wire/handshake-response.ts";
import { askedCompression, type Compression, offeredFlags } from "./client-compression.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { ConfiguredUsers } from "./configured-users.ts";
import { makeNonce } from "./nonce.ts";
import type { PasswordCache } from "./password-cache.ts";
import type { ServerKeys } from "./server-keys.ts";

const PLUGIN = "caching_sha2_password";
const NATIVE_PLUGIN = "mysql_native_password";
const CLEAR_PLUGIN = "mysql_clear_password";

/** Bytes of a scramble of {@link PLUGIN}. */
const SCRAMBLE_BYTES = 32;

/**
 * What is relayed, so that client and backend must agree on it, or what concerns the login alone. Compression is
 * between us and each side.
 */
const RELAYED =
  CAP.LONG_PASSWORD |
  CAP.FOUND_ROWS |
  CAP.LONG_FLAG |
  CAP.CONNECT_WITH_DB |
  CAP.NO_SCHEMA |
  CAP.LOCAL_FILES |
  CAP.ODBC |
  CAP.IGNORE_SPACE |
  CAP.PROTOCOL_41 |
  CAP.INTERACTIVE |
  CAP.IGNORE_SIGPIPE |
  CAP.TRANSACTIONS |
  CAP.RESERVED |
  CAP.SECURE_CONNECTION |
  CAP.MULTI_STATEMENTS |
  CAP.MULTI_RESULTS |
  CAP.PS_MULTI_RESULTS |
  CAP.PLUGIN_AUTH |
  CAP.CONNECT_ATTRS |
  CAP.PLUGIN_AUTH_LENENC |
  CAP.CAN_HANDLE_EXPIRED_PASSWORDS |
  CAP.SESSION_TRACK |
  CAP.DEPRECATE_EOF |
  CAP.OPTIONAL_RESULTSET_METADATA |
  CAP.QUERY_ATTRIBUTES;

/** A client that has said who it is and shown its password; whether that is right only a backend can tell. */
export interface Applicant {
  readonly response: HandshakeResponse;
  /** In force on the client's connection, and asked of every backend. */
  readonly capabilities: number;
  readonly password: Buffer;
  /** Of the greeting. */
  readonly nonce: Buffer;
  /** The client's address, for the attributes of its connections. */
  readonly remote: string;
  /** The client waits to hear that its scramble was enough. */
  readonly fast: boolean;
  /** On the client's connection, from behind the OK of its login. */
  readonly compression: Compression | undefined;
}

export interface ClientLoginOptions {
  /** Compression that is offered to clients. */
  readonly compression: readonly CompressionWord[];
  readonly keys: ServerKeys;
  readonly passwords: PasswordCache;
  readonly users: ConfiguredUsers;
}

/**
 * Greets a client in the name of the backend whose greeting is given, and learns who it is and its password: from an
 * earlier login, in clear text over TLS, or encrypted with our RSA key.
 *
 * @returns undefined when the client left, the error for one that must be turned away
 * @throws {SwitchyardError} `WIRE_MALFORMED`, `WIRE_UNEXPECTED_PACKET`
 */
export async function greetClient(
  client: ClientConnection,
  backend: Greeting,
  options: ClientLoginOptions,
): Promise<Applicant | Unproven | { readonly refused: ErrPacket } | undefined> {
  const nonce = makeNonce();
  const offered = ((backend.capabilities & RELAYED) | (options.keys.tls === undefined ? 0 : CAP.SSL)) >>> 0;
  const capabilitiesOffered = (offered | offeredFlags(options.compression)) >>> 0;
  client.send(buildGreeting({ ...backend, nonce, capabilities: capabilitiesOffered, authPlugin: PLUGIN }), 0);
  const response = await readResponse(client, options.keys);
  if (response === undefined) return undefined;
  const capabilities = (response.capabilities & offered & ~CAP.SSL) >>> 0;
  const compression = askedCompression(response, options.compression);
  if (compression !== undefined && "errno" in compression) return { refused: compression };
  const shown = await new PasswordTalk(client, options, response.user).learn(response, nonce);
  if (shown === "undecipherable") {
    return { unproven: Buffer.from(response.user), withPassword: response.authResponse.length > 0 };
  }
  return shown === undefined
    ? undefined
    : { response, capabilities, compression, nonce, remote: client.remote, ...shown };
}

/**
 * Asks a client that has said who it is for its password, by a nonce of this moment: what it may have sent already was
 * made for another.
 *
 * @returns as {@link greetClient}
 */
export async function askForPassword(
  client: ClientConnection,
  options: ClientLoginOptions,
  who: Pick<ChangeUser, "user" | "authPlugin" | "authResponse">,
  before: Applicant,
): Promise<Shown | "undecipherable" | undefined> {
  const talk = new PasswordTalk(client, options, who.user);
  const told = options.users.passwordOf(who.user);
  const native = told !== undefined && isNative(who.authPlugin);
  // A client that cannot be asked has answered the nonce of the greeting.
  if (!hasFlag(before.capabilities, CAP.PLUGIN_AUTH)) {
    return native ? judgeNative(told, before.nonce, who.authResponse) : "undecipherable";
  }
  return await (native ? talk.askNative(told) : talk.ask());
}

async function readResponse(client: ClientConnection, keys: ServerKeys): Promise<HandshakeResponse | undefined> {
  let payload = await client.read();
  if (payload !== undefined && isTlsRequest(payload)) {
    if (keys.tls === undefined) {
      throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", { what: "a client asks for TLS, which was not offered" });
    }
    await client.startTls(keys.tls);
    payload = await client.read();
    if (payload !== undefined && isTlsRequest(payload)) {
      throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", { what: "a client asks for TLS within TLS" });
    }
  }
  return payload === undefined ? undefined : parseHandshakeResponse(payload);
}

/** A client that could not show the password of this user. */
export interface Unproven {
  readonly unproven: Buffer;
  readonly withPassword: boolean;
}

/** A password that a client has shown. */
export interface Shown {
  readonly password: Buffer;
  readonly fast: boolean;
}

/** The part of a login that is about the password. */
class PasswordTalk {
  readonly #client: ClientConnection;
  readonly #options: ClientLoginOptions;
  readonly #user: Buffer;

  constructor(client: ClientConnection, options: ClientLoginOptions, user: Buffer) {
    this.#client = client;
    this.#options = options;
    this.#user = user;
  }

  async learn(response: HandshakeResponse, nonce: Buffer): Promise<Shown | "undecipherable" | undefined> {
    const { authPlugin: plugin = "", authResponse } = response;
    if (plugin === CLEAR_PLUGIN && this.#client.encrypted) return { password: withoutNul(authResponse), fast: false };
    if (plugin === PLUGIN) return this.#judge(authResponse, nonce);
    const told = this.#options.users.passwordOf(this.#user);
    if (told !== undefined && isNative(plugin)) return judgeNative(told, nonce, authResponse);
    if (!hasFlag(response.capabilities, CAP.PLUGIN_AUTH)) return "undecipherable";
    return await this.ask();
  }

  /** Asks a native client, whose password is known here already, to answer a nonce of this moment. */
  async askNative(told: Buffer): Promise<Shown | "undecipherable" | undefined> {
    const fresh = makeNonce();
    this.#client.send(buildAuthSwitch({ plugin: NATIVE_PLUGIN, nonce: fresh }));
    const answer = await this.#client.read();
    return answer === undefined ? undefined : judgeNative(told, fresh, answer);
  }

  /** Has the client use the method that shows its password. */
  async ask(): Promise<Shown | "undecipherable" | undefined> {
    const fresh = makeNonce();
    this.#client.send(buildAuthSwitch({ plugin: PLUGIN, nonce: fresh }));
    const answer = await this.#client.read();
    return answer === undefined ? undefined : this.#judge(answer, fresh);
  }

  async #judge(answer: Buffer, nonce: Buffer): Promise<Shown | "undecipherable" | undefined> {
    // The empty password is an empty answer; libraries differ on whether a NUL follows.
    if (answer.length === 0 || (answer.length === 1 && answer[0] === 0))
      return { password: Buffer.alloc(0), fast: false };
    if (answer.length !== SCRAMBLE_BYTES) return "undecipherable";
    const known = this.#options.passwords.verified(this.#user, nonce, answer);
    if (known !== undefined) return { password: known, fast: true };
    this.#client.send(buildAuthMoreData(Buffer.from([CACHING_SHA2.FULL_AUTH])));
    let secret = await this.#client.read();
    if (secret === undefined) return undefined;
    if (this.#client.encrypted) return { password: withoutNul(secret), fast: false };
    if (secret.length === 1 && secret[0] === CACHING_SHA2.REQUEST_PUBLIC_KEY) {
      this.#client.send(buildAuthMoreData(this.#options.keys.passwordPublicPem));
      secret = await this.#client.read();
      if (secret === undefined) return undefined;
    }
    const password = this.#decrypt(secret, nonce);
    return password === undefined ? "undecipherable" : { password, fast: false };
  }

  #decrypt(secret: Buffer, nonce: Buffer): Buffer | undefined {
    const key = this.#options.keys.passwordKey;
    try {
      const mixed = privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING }, secret);
      return withoutNul(xorWithNonce(mixed, nonce));
    } catch {
      return undefined;
    }
  }
}

/** Clients of before 2010 name no method and mean this one. */
function isNative(plugin: string): boolean {
  return plugin === "" || plugin === NATIVE_PLUGIN;
}

function judgeNative(told: Buffer, nonce: Buffer, answer: Buffer): Shown | "undecipherable" {
  const right = told.length === 0 ? answer.length === 0 : verifyNative(nativeStage2(told), nonce, answer);
  return right ? { password: told, fast: false } : "undecipherable";
}

function withoutNul(bytes: Buffer): Buffer {
  return Buffer.from(bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes);
}
