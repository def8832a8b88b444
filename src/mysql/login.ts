import { constants, createPublicKey, publicEncrypt } from "node:crypto";
import { SwitchyardError } from "../base/errors.ts";
import {
  AUTH,
  CACHING_SHA2,
  parseAuthMoreData,
  parseAuthSwitch,
  SHA256_REQUEST_PUBLIC_KEY,
} from "../wire/auth-packets.ts";
import { cachingSha2Scramble, nativeScramble, xorWithNonce } from "../wire/auth-scramble.ts";
import { CAP, hasFlag } from "../wire/capabilities.ts";
import { type ErrPacket, parseErr } from "../wire/err-packet.ts";
import { type Greeting, parseGreeting } from "../wire/greeting.ts";
import { buildHandshakeResponse, buildTlsRequest } from "../wire/handshake-response.ts";
import { okStatus } from "../wire/ok-packet.ts";
import type { Endpoint } from "./endpoint.ts";
import { MysqlError } from "./mysql-error.ts";
import { PacketInbox } from "./packet-inbox.ts";
import type { PacketLink } from "./packet-link.ts";
import { requiresTls, tlsOptions } from "./tls-options.ts";

/** What the caller wants of a session, beyond what the endpoint says. */
export interface LoginWishes {
  readonly capabilities: number;
  readonly database: string | undefined;
  readonly attributes: ReadonlyMap<string, string>;
}

/** What a login has settled. */
export interface LoginFacts {
  readonly greeting: Greeting;
  /** In force on the connection: wanted by us and had by the server. */
  readonly capabilities: number;
  readonly status: number;
  readonly tls: boolean;
}

/** utf8mb4_general_ci, which every server since 5.5 has. */
const COLLATION = 45;
const MAX_PACKET_BYTES = 1024 * 1024 * 1024;

/** Server errors that mean: this account may not come in. */
const ACCESS_ERRNOS: ReadonlySet<number> = new Set([1044, 1045, 1130, 1227, 1698, 1862, 3118, 3159, 3955, 4151]);

/**
 * Logs in over a link that has just been connected. The password goes out only as an answer to a nonce, inside TLS,
 * or encrypted with the server's RSA key; `mysql_clear_password` is refused.
 *
 * @throws {MysqlError} `MYSQL_ACCESS_DENIED` when the server refuses the account, `MYSQL_SERVER_ERROR` for any other no.
 * @throws {SwitchyardError} `MYSQL_TLS_UNAVAILABLE`, `MYSQL_TLS_FAILED`, `MYSQL_AUTH_METHOD_UNKNOWN`
 */
export async function login(link: PacketLink, endpoint: Endpoint, wishes: LoginWishes): Promise<LoginFacts> {
  const inbox = new PacketInbox(link);
  const first = await inbox.next();
  if (first[0] === 0xff) throw refused(parseErr(first), endpoint);
  const greeting = parseGreeting(first);
  let capabilities = (wishes.capabilities & (greeting.capabilities | CAP.FOUND_ROWS | CAP.LONG_PASSWORD)) >>> 0;
  const tls = wantsTls(endpoint, greeting);
  if (tls) {
    capabilities = (capabilities | CAP.SSL) >>> 0;
    link.send(buildTlsRequest(capabilities, MAX_PACKET_BYTES, COLLATION), inbox.nextSequence);
    inbox.countSent();
    await startTls(link, endpoint);
  }
  const exchange = new Exchange(link, inbox, endpoint, tls || endpoint.host.startsWith("/"));
  const plugin = greeting.authPlugin === "" ? "mysql_native_password" : greeting.authPlugin;
  const known = KNOWN_PLUGINS.has(plugin) ? plugin : "caching_sha2_password";
  const response = buildHandshakeResponse({
    capabilities,
    maxPacketBytes: MAX_PACKET_BYTES,
    collation: COLLATION,
    user: Buffer.from(endpoint.user, "utf8"),
    authResponse: exchange.firstAnswer(known, greeting.nonce),
    database: Buffer.from(wishes.database ?? "", "utf8"),
    authPlugin: known,
    attributes: wishes.attributes,
  });
  exchange.send(response);
  return { greeting, capabilities, status: await exchange.finish(), tls };
}

const KNOWN_PLUGINS: ReadonlySet<string> = new Set([
  "caching_sha2_password",
  "sha256_password",
  "mysql_native_password",
]);

function wantsTls(endpoint: Endpoint, greeting: Greeting): boolean {
  if (endpoint.tls.mode === "disabled" || endpoint.host.startsWith("/")) return false;
  if (hasFlag(greeting.capabilities, CAP.SSL)) return true;
  if (!requiresTls(endpoint)) return false;
  throw new SwitchyardError("MYSQL_TLS_UNAVAILABLE", {
    what: `server "${endpoint.name}" offers no TLS, and its TLS mode is ${endpoint.tls.mode}`,
    changed: "The password was not sent.",
    fix: "Give the server a certificate, or allow connections without TLS with the mode `preferred`.",
  });
}

async function startTls(link: PacketLink, endpoint: Endpoint): Promise<void> {
  try {
    await link.startTls(tlsOptions(endpoint));
  } catch (error) {
    throw new SwitchyardError("MYSQL_TLS_FAILED", {
      what: `TLS with server "${endpoint.name}" (${endpoint.host}:${endpoint.port}) could not be agreed on`,
      details: [error instanceof Error ? error.message : String(error), `TLS mode ${endpoint.tls.mode}`],
      changed: "The password was not sent.",
      fix: "Check the certificate authority and the name in the server's certificate.",
      cause: error,
    });
  }
}

/** The conversation about the password. */
class Exchange {
  readonly #link: PacketLink;
  readonly #inbox: PacketInbox;
  readonly #endpoint: Endpoint;
  readonly #password: Buffer;
  /** Whether nobody can listen: the password may go out as it is. */
  readonly #private: boolean;
  #plugin = "";
  #nonce: Buffer = Buffer.alloc(0);

  constructor(link: PacketLink, inbox: PacketInbox, endpoint: Endpoint, isPrivate: boolean) {
    this.#link = link;
    this.#inbox = inbox;
    this.#endpoint = endpoint;
    this.#private = isPrivate;
    this.#password = Buffer.from(endpoint.password, "utf8");
  }

  send(payload: Buffer): void {
    this.#link.send(payload, this.#inbox.nextSequence);
    this.#inbox.countSent();
  }

  /** What to answer when `plugin` is chosen. */
  firstAnswer(plugin: string, nonce: Buffer): Buffer {
    this.#plugin = plugin;
    this.#nonce = nonce;
    if (plugin === "caching_sha2_password") return cachingSha2Scramble(this.#password, nonce);
    if (plugin === "mysql_native_password") return nativeScramble(this.#password, nonce);
    if (plugin === "sha256_password") {
      if (this.#password.length === 0) return Buffer.alloc(1);
      return this.#private ? this.#clear() : Buffer.from([SHA256_REQUEST_PUBLIC_KEY]);
    }
    throw new SwitchyardError("MYSQL_AUTH_METHOD_UNKNOWN", {
      what: `server "${this.#endpoint.name}" wants the authentication method ${plugin} for user "${this.#endpoint.user}"`,
      details: ["known: caching_sha2_password, sha256_password, mysql_native_password"],
      changed: "The password was not sent.",
      fix: "Use an account with one of these methods.",
    });
  }

  /** Follows the server until it has decided. Returns the status flags. */
  async finish(): Promise<number> {
    for (;;) {
      const packet = await this.#inbox.next();
      switch (packet[0]) {
        case 0x00:
          return okStatus(packet);
        case 0xff:
          throw refused(parseErr(packet), this.#endpoint);
        case AUTH.SWITCH: {
          const { plugin, nonce } = parseAuthSwitch(packet);
          this.send(this.firstAnswer(plugin, Buffer.from(nonce)));
          break;
        }
        case AUTH.MORE_DATA:
          this.#answerMoreData(parseAuthMoreData(packet));
          break;
        default:
          throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", {
            what: `a packet that starts with ${packet[0]} in a login`,
          });
      }
    }
  }

  #answerMoreData(data: Buffer): void {
    if (this.#plugin === "caching_sha2_password" && data.length === 1) {
      if (data[0] === CACHING_SHA2.FAST_AUTH_OK) return;
      if (data[0] === CACHING_SHA2.FULL_AUTH) {
        this.send(this.#private ? this.#clear() : Buffer.from([CACHING_SHA2.REQUEST_PUBLIC_KEY]));
        return;
      }
    }
    if (this.#plugin === "mysql_native_password") {
      throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", { what: "more data in a login by mysql_native_password" });
    }
    // What else comes is the server's public key, which was asked for. It never gets the password in clear text.
    const key = createPublicKey(data);
    const mixed = xorWithNonce(this.#clear(), this.#nonce);
    this.send(publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING }, mixed));
  }

  #clear(): Buffer {
    return Buffer.concat([this.#password, Buffer.alloc(1)]);
  }
}

function refused(error: ErrPacket, endpoint: Endpoint): MysqlError {
  const doing = `the login of user "${endpoint.user}"`;
  if (!ACCESS_ERRNOS.has(error.errno)) return new MysqlError(error, endpoint.name, doing);
  const fix = "Check user and password in the configuration, and that the account may connect from this machine.";
  return new MysqlError(error, endpoint.name, doing, "MYSQL_ACCESS_DENIED", fix);
}
