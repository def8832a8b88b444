import { messageOf, SwitchyardError } from "../base/errors.ts";
import { AuthAnswers, firstPlugin } from "../mysql/auth-answers.ts";
import { COMPRESSION_FLAGS, type CompressionWord, chooseCompression, levelOf } from "../mysql/compression-choice.ts";
import { PacketInbox } from "../mysql/packet-inbox.ts";
import { PacketLink } from "../mysql/packet-link.ts";
import { sharedTlsOptions } from "../mysql/tls-options.ts";
import { AUTH, parseAuthMoreData, parseAuthSwitch } from "../wire/auth-packets.ts";
import { CAP, hasFlag } from "../wire/capabilities.ts";
import { type ErrPacket, parseErr } from "../wire/err-packet.ts";
import { type Greeting, parseGreeting } from "../wire/greeting.ts";
import { buildHandshakeResponse, buildTlsRequest, type HandshakeResponse } from "../wire/handshake-response.ts";
import { okStatus } from "../wire/ok-packet.ts";
import { BackendConnection } from "./backend-connection.ts";
import type { Compression } from "./client-compression.ts";
import { capabilitiesLacking, severalFactors } from "./client-errors.ts";
import type { Applicant } from "./client-login.ts";
import type { BackendAddress } from "./proxy-config.ts";

/** Capabilities that change what goes over the wire or what statements mean: every backend of a session has the same. */
const MUST_MATCH =
  CAP.FOUND_ROWS |
  CAP.IGNORE_SPACE |
  CAP.MULTI_STATEMENTS |
  CAP.MULTI_RESULTS |
  CAP.PS_MULTI_RESULTS |
  CAP.SESSION_TRACK |
  CAP.DEPRECATE_EOF |
  CAP.OPTIONAL_RESULTSET_METADATA |
  CAP.QUERY_ATTRIBUTES;

const ALWAYS =
  CAP.PROTOCOL_41 |
  CAP.SECURE_CONNECTION |
  CAP.PLUGIN_AUTH |
  CAP.PLUGIN_AUTH_LENENC |
  CAP.CONNECT_ATTRS |
  CAP.TRANSACTIONS;

/** No packet of a login is larger; nobody has shown who he is yet, the server as little as the client. */
const LOGIN_BYTES_MAX = 64 * 1024;

/** A server that has greeted and waits to hear who comes. */
export interface DialedBackend {
  readonly address: BackendAddress;
  readonly greeting: Greeting;
  readonly link: PacketLink;
  readonly inbox: PacketInbox;
  readonly compression: CompressionWord;
}

/** What a server said instead of a greeting, such as that it has too many connections. */
export interface TurnedAway {
  readonly refused: ErrPacket;
  /** The same as it came: before a greeting an error has another form than after. */
  readonly packet: Buffer;
}

/** Whether a login came about, or what the server said instead; its words are for the client. */
export type BackendLogin =
  | { readonly connection: BackendConnection; readonly ok: Buffer }
  | { readonly refused: ErrPacket };

export interface BackendLoginOptions {
  /** Found by the controller in the server's list of connections, should this process vanish. */
  readonly bootNonce: string;
  readonly database: Buffer | undefined;
  /** A server that has not let the account in, or refused it, by then is left. */
  readonly timeoutMs: number;
}

/**
 * Connects to a backend and reads its greeting. The server then waits for as long as its own `connect_timeout`.
 *
 * @throws {SwitchyardError} `PROXY_BACKEND_UNREACHABLE`
 */
export async function dialBackend(address: BackendAddress, timeoutMs: number): Promise<DialedBackend | TurnedAway> {
  const dialing = PacketLink.dialing(address.host, address.port, LOGIN_BYTES_MAX);
  let link: PacketLink | undefined;
  const timer = setTimeout(() => {
    if (link === undefined) dialing.giveUp();
    else link.end("the server did not greet in time");
  }, timeoutMs);
  try {
    link = await dialing.link;
    const inbox = new PacketInbox(link);
    const first = await inbox.next();
    if (first[0] === 0xff) {
      link.end("the server has turned us away");
      return { refused: parseErr(first), packet: Buffer.from(first) };
    }
    const greeting = parseGreeting(first);
    const { capabilities } = greeting;
    const compression = chooseCompression(address.compression, { name: address.name, capabilities });
    return { address, greeting, link, inbox, compression };
  } catch (error) {
    link?.end("the greeting was not understood");
    throw unreachable(address, messageOf(error), error);
  } finally {
    clearTimeout(timer);
  }
}

function unreachable(address: BackendAddress, why: string, cause?: unknown): SwitchyardError {
  return new SwitchyardError("PROXY_BACKEND_UNREACHABLE", {
    what: `backend "${address.name}" (${address.host}:${address.port}) cannot be reached: ${why}`,
    changed: "Nothing was sent to it.",
    fix: "Check that the server runs, and the host and port of the backend in the configuration.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Logs a client's account in to a server that has greeted, with the same capabilities, character set and attributes
 * as the client's, so that what either side sends means the same to the other.
 *
 * @throws {SwitchyardError} `PROXY_BACKEND_UNREACHABLE`, `MYSQL_AUTH_METHOD_UNKNOWN`, `WIRE_…`
 */
export async function loginBackend(
  dialed: DialedBackend,
  applicant: Applicant,
  options: BackendLoginOptions,
): Promise<BackendLogin> {
  const timer = setTimeout(() => dialed.link.end("the server did not end the login in time"), options.timeoutMs);
  try {
    return await converse(dialed, applicant, options);
  } catch (error) {
    dialed.link.end("the login failed");
    if (error instanceof SwitchyardError && error.code !== "MYSQL_CONNECTION_LOST") throw error;
    throw unreachable(dialed.address, messageOf(error), error);
  } finally {
    clearTimeout(timer);
  }
}

async function converse(
  dialed: DialedBackend,
  applicant: Applicant,
  options: BackendLoginOptions,
): Promise<BackendLogin> {
  const { link, inbox, greeting, address } = dialed;
  const lacking = (applicant.capabilities & MUST_MATCH & ~greeting.capabilities) >>> 0;
  if (lacking !== 0) {
    link.end("the client uses more than the server knows");
    return { refused: capabilitiesLacking(address.name, namesOf(lacking)) };
  }
  const response = responseFor(dialed, applicant, options);
  const tls = await startTls(dialed, response);
  const answers = new AuthAnswers({
    server: address.name,
    user: response.user.toString("utf8"),
    password: applicant.password,
    private: tls || address.host.startsWith("/"),
  });
  const send = (payload: Buffer): void => {
    link.send(payload, inbox.nextSequence);
    inbox.countSent();
  };
  const plugin = firstPlugin(greeting.authPlugin);
  const capabilities = (response.capabilities | (tls ? CAP.SSL : 0)) >>> 0;
  const authResponse = answers.first(plugin, greeting.nonce);
  send(buildHandshakeResponse({ ...response, capabilities, authResponse, authPlugin: plugin }));
  for (;;) {
    const packet = await inbox.next();
    switch (packet[0]) {
      case 0x00: {
        const ok = Buffer.from(packet);
        const facts = {
          ...{ name: address.name, threadId: greeting.threadId, capabilities, status: okStatus(ok) },
          compression: compressionOf(dialed),
        };
        const { socket, unread } = link.detach();
        return { connection: new BackendConnection(socket, unread, facts), ok };
      }
      case 0xff: {
        const refused = parseErr(packet);
        link.end("the login was refused");
        return { refused };
      }
      case AUTH.SWITCH: {
        const change = parseAuthSwitch(packet);
        send(answers.first(change.plugin, Buffer.from(change.nonce)));
        break;
      }
      case AUTH.MORE_DATA: {
        const answer = answers.more(parseAuthMoreData(packet));
        if (answer !== undefined) send(answer);
        break;
      }
      case AUTH.NEXT_FACTOR:
        link.end("the account has several factors");
        return { refused: severalFactors() };
      default:
        throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", {
          what: `a packet that starts with ${packet[0]} in a login`,
        });
    }
  }
}

/** As MySQL's manual calls them. */
function namesOf(capabilities: number): string[] {
  return Object.entries(CAP).flatMap(([name, flag]) => (hasFlag(capabilities, flag) ? [`CLIENT_${name}`] : []));
}

function compressionOf({ address, compression }: DialedBackend): Compression | undefined {
  if (compression === "uncompressed") return undefined;
  return { algorithm: compression, level: levelOf(compression, address.compression) };
}

function responseFor(dialed: DialedBackend, applicant: Applicant, options: BackendLoginOptions): HandshakeResponse {
  const { response } = applicant;
  const { greeting, compression } = dialed;
  const level = compressionOf(dialed)?.level;
  const withDatabase = options.database === undefined ? 0 : CAP.CONNECT_WITH_DB;
  const relayed = applicant.capabilities & ~(CAP.CONNECT_WITH_DB | CAP.SSL);
  // Ours goes first: the server keeps only so many bytes of them, and the client's must not push it out.
  const own: [string, string][] = [
    ["switchyard_proxy", options.bootNonce],
    ["switchyard_client", applicant.remote],
  ];
  const attributes = new Map([...own, ...response.attributes, ...own]);
  return {
    capabilities:
      ((relayed & greeting.capabilities) |
        (relayed & CAP.FOUND_ROWS) |
        // Else a server says of an account of several factors that its password is wrong.
        (greeting.capabilities & CAP.MULTI_FACTOR_AUTHENTICATION) |
        ALWAYS |
        withDatabase |
        COMPRESSION_FLAGS[compression]) >>>
      0,
    maxPacketBytes: response.maxPacketBytes,
    // The packet has a byte for it. What is beyond is told afterwards, see learn-server.ts.
    collation: response.collation > 0xff ? 0 : response.collation,
    user: response.user,
    authResponse: Buffer.alloc(0),
    ...(options.database === undefined ? {} : { database: options.database }),
    attributes,
    ...(level === undefined ? {} : { zstdLevel: level }),
  };
}

async function startTls(dialed: DialedBackend, response: HandshakeResponse): Promise<boolean> {
  const { address, greeting, link, inbox } = dialed;
  const { mode } = address.tls;
  if (mode === "disabled" || address.host.startsWith("/")) return false;
  if (!hasFlag(greeting.capabilities, CAP.SSL)) {
    if (mode === "preferred") return false;
    throw unreachable(address, `it offers no TLS, and its TLS mode is ${mode}`);
  }
  const capabilities = (response.capabilities | CAP.SSL) >>> 0;
  link.send(buildTlsRequest(capabilities, response.maxPacketBytes, response.collation), inbox.nextSequence);
  inbox.countSent();
  await link.startTls(sharedTlsOptions({ ...address, user: "", password: "" }));
  return true;
}
