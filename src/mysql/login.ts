import { SwitchyardError } from "../base/errors.ts";
import { AUTH, parseAuthMoreData, parseAuthSwitch } from "../wire/auth-packets.ts";
import { CAP, hasFlag } from "../wire/capabilities.ts";
import { type ErrPacket, parseErr } from "../wire/err-packet.ts";
import { type Greeting, parseGreeting } from "../wire/greeting.ts";
import { buildHandshakeResponse, buildTlsRequest } from "../wire/handshake-response.ts";
import { okStatus } from "../wire/ok-packet.ts";
import { AuthAnswers, firstPlugin } from "./auth-answers.ts";
import { COMPRESSION_FLAGS, type CompressionWord, chooseCompression, levelOf } from "./compression-choice.ts";
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
  readonly compression: CompressionWord;
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
  const compression = chooseCompression(endpoint.compression, { ...endpoint, capabilities: greeting.capabilities });
  const level = levelOf(compression, endpoint.compression);
  let capabilities = (wishes.capabilities & (greeting.capabilities | CAP.FOUND_ROWS | CAP.LONG_PASSWORD)) >>> 0;
  capabilities = (capabilities | COMPRESSION_FLAGS[compression]) >>> 0;
  const tls = wantsTls(endpoint, greeting);
  if (tls) {
    capabilities = (capabilities | CAP.SSL) >>> 0;
    link.send(buildTlsRequest(capabilities, MAX_PACKET_BYTES, COLLATION), inbox.nextSequence);
    inbox.countSent();
    await startTls(link, endpoint);
  }
  const exchange = new Exchange(link, inbox, endpoint, tls || endpoint.host.startsWith("/"));
  const plugin = firstPlugin(greeting.authPlugin);
  const response = buildHandshakeResponse({
    capabilities,
    maxPacketBytes: MAX_PACKET_BYTES,
    collation: COLLATION,
    user: Buffer.from(endpoint.user, "utf8"),
    authResponse: exchange.answers.first(plugin, greeting.nonce),
    database: Buffer.from(wishes.database ?? "", "utf8"),
    authPlugin: plugin,
    attributes: wishes.attributes,
    ...(level === undefined ? {} : { zstdLevel: level }),
  });
  exchange.send(response);
  const status = await exchange.finish();
  // The server's last word of the login is in clear, and its next one in an envelope.
  if (compression !== "uncompressed") link.compress(compression, level);
  return { greeting, capabilities, status, tls, compression };
}

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
  readonly answers: AuthAnswers;
  readonly #link: PacketLink;
  readonly #inbox: PacketInbox;
  readonly #endpoint: Endpoint;

  constructor(link: PacketLink, inbox: PacketInbox, endpoint: Endpoint, isPrivate: boolean) {
    this.#link = link;
    this.#inbox = inbox;
    this.#endpoint = endpoint;
    const { name: server, user } = endpoint;
    this.answers = new AuthAnswers({
      server,
      user,
      password: Buffer.from(endpoint.password, "utf8"),
      private: isPrivate,
    });
  }

  send(payload: Buffer): void {
    this.#link.send(payload, this.#inbox.nextSequence);
    this.#inbox.countSent();
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
          this.send(this.answers.first(plugin, Buffer.from(nonce)));
          break;
        }
        case AUTH.MORE_DATA: {
          const answer = this.answers.more(parseAuthMoreData(packet));
          if (answer !== undefined) this.send(answer);
          break;
        }
        default:
          throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", {
            what: `a packet that starts with ${packet[0]} in a login`,
          });
      }
    }
  }
}

function refused(error: ErrPacket, endpoint: Endpoint): MysqlError {
  const doing = `the login of user "${endpoint.user}"`;
  if (!ACCESS_ERRNOS.has(error.errno)) return new MysqlError(error, endpoint.name, doing);
  const fix = "Check user and password in the configuration, and that the account may connect from this machine.";
  return new MysqlError(error, endpoint.name, doing, "MYSQL_ACCESS_DENIED", fix);
}
