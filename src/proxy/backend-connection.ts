import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { deferred } from "../base/deferred.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import { AuthAnswers } from "../mysql/auth-answers.ts";
import { EnvelopeSocket } from "../mysql/envelope-socket.ts";
import { CAP, COM, HEADER_BYTES, hasFlag, STATUS } from "../wire/capabilities.ts";
import { buildChangeUser, type ChangeUser } from "../wire/change-user.ts";
import type { ColumnDefinition } from "../wire/column-definition.ts";
import { type ErrPacket, parseErr } from "../wire/err-packet.ts";
import { PacketNumbers } from "../wire/packet-numbers.ts";
import { PacketWalker } from "../wire/packet-walker.ts";
import { frame, packetCount } from "../wire/packet-writer.ts";
import { type PreparedFacts, ReplyTracker } from "../wire/reply-tracker.ts";
import { AuthReply } from "./auth-reply.ts";
import type { Compression } from "./client-compression.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { LargeCommand, Passing } from "./large-command.ts";
import { leanSocket } from "./lean-socket.ts";
import { drained, relayFile } from "./local-file.ts";
import {
  EditedReply,
  OwnReply,
  type PacketEdit,
  PromisedEnd,
  RelayedReply,
  type RelayOptions,
  type ReplyEnd,
  type ReplyJob,
  type ReplyWaiter,
} from "./reply-jobs.ts";

/** What a login has settled. */
export interface BackendFacts {
  readonly name: string;
  readonly threadId: number;
  readonly capabilities: number;
  readonly status: number;
  readonly compression: Compression | undefined;
}

/** The answer to a statement of our own. */
export interface OwnAnswer extends ReplyEnd {
  readonly rows: readonly (readonly (string | null)[])[];
  readonly rowPackets: readonly Buffer[];
  /** Empty also where the client wants results without metadata. */
  readonly columns: readonly ColumnDefinition[];
  readonly prepared: PreparedFacts | undefined;
}

/** How a large command is relayed. */
export interface LargeRelay {
  readonly passing: Passing;
  /** Payloads that go ahead and get no reply. */
  readonly before?: readonly Buffer[];
  readonly edit?: PacketEdit | undefined;
}

/** How a change of user has ended. */
export type AuthAnswer = { readonly error: undefined; readonly ok: Buffer } | { readonly error: ErrPacket };

/** Replies to our own statements, and packets that are changed on their way, are put together up to this size. */
const OWN_BYTES_MAX = 1024 * 1024;
const EDITED_BYTES_MAX = 1024 * 1024 * 1024 + 1024;
const NONE: readonly Buffer[] = [];
const QUIT = Buffer.from([COM.QUIT]);
const GRACE_MS = 1000;
/** How long a server may take over what it has of a file whose client has gone, and undo it. */
const FILE_GRACE_MS = 60_000;
const DISCONNECTED_FOR_INACTIVITY = 4031;

/**
 * A client's logged-in connection to one backend. One command at a time: the caller waits for the end of a reply
 * before it sends the next command.
 *
 * Every method that sends does so in the very call: nothing lies between the caller's checks and the first byte.
 */
export class BackendConnection {
  readonly name: string;
  readonly threadId: number;
  readonly capabilities: number;
  /** The client's address as the server sees it: ours. */
  readonly localAddress: string;
  /** Nobody can listen: inside TLS, or through a socket file. */
  readonly #private: boolean;
  readonly #socket: Socket | EnvelopeSocket;
  readonly #envelopes: EnvelopeSocket | undefined;
  readonly #tracker: ReplyTracker;
  readonly #walker = new PacketWalker();
  readonly #closed = deferred<string>();
  #job: ReplyJob | undefined;
  #lostReason: string | undefined;
  #waiting = false;
  #timedOut = false;
  #relayedSome = false;
  #sendsFile = false;
  /** A large command, and what settles when it has been read to its end. */
  #stream: { readonly command: LargeCommand; readonly passed: Promise<void> } | undefined;

  constructor(socket: Socket, unread: Buffer, facts: BackendFacts) {
    this.name = facts.name;
    this.threadId = facts.threadId;
    this.capabilities = facts.capabilities;
    this.localAddress = socket.localAddress ?? "";
    this.#private = socket instanceof TLSSocket || socket.remoteAddress === undefined;
    this.#envelopes = facts.compression && this.#envelopesOver(socket, facts.compression);
    this.#socket = this.#envelopes ?? leanSocket(socket);
    this.#tracker = new ReplyTracker(facts.capabilities);
    this.#tracker.setStatus(facts.status);
    this.#socket.on("data", (chunk: Buffer) => this.#arrive(chunk));
    this.#socket.on("error", (error) => this.#lose(error.message));
    this.#socket.on("end", () => this.#lose("the server closed the connection"));
    this.#socket.on("close", () => this.#lose("the connection was closed"));
    if (unread.length > 0) this.#lose("the server sent more than it owed");
    this.#socket.resume();
  }

  /** Settles with the reason when the connection has ended, however it did. */
  get closed(): Promise<string> {
    return this.#closed.promise;
  }

  get isLost(): boolean {
    return this.#lostReason !== undefined;
  }

  /** Whether a command may be sent. */
  get isFree(): boolean {
    return this.#job === undefined && this.#lostReason === undefined;
  }

  /** Status flags as the server told them last. An ERR tells none: see {@link refresh}. */
  get status(): number {
    return this.#tracker.status;
  }

  /** The server has closed it because it was idle for so long: whoever used it has lost nothing. */
  get timedOut(): boolean {
    return this.#timedOut;
  }

  /** Whether the client has got part of the reply that is being relayed, or was when the connection ended. */
  get relayedSome(): boolean {
    return this.#relayedSome;
  }

  /** The client is sending a file that the server has asked for. */
  get sendsFile(): boolean {
    return this.#sendsFile;
  }

  get inTransaction(): boolean {
    return (this.#tracker.status & STATUS.IN_TRANS) !== 0;
  }

  /** Its transaction is for reading only. */
  get readsOnly(): boolean {
    return (this.#tracker.status & STATUS.IN_TRANS_READONLY) !== 0;
  }

  /** Whether each statement commits by itself. */
  get autocommits(): boolean {
    return (this.#tracker.status & STATUS.AUTOCOMMIT) !== 0;
  }

  get prepared(): PreparedFacts | undefined {
    return this.#tracker.prepared;
  }

  /**
   * Sends a command of the client's and relays the reply to it, byte for byte. `before` are payloads that go ahead
   * and get no reply.
   *
   * @throws {SwitchyardError} `PROXY_BACKEND_LOST` when the connection ends before the reply has
   */
  relay(payload: Buffer, client: ClientConnection, before: readonly Buffer[] = []): Promise<ReplyEnd> {
    const problem = this.#refuse();
    if (problem !== undefined) return Promise.reject(problem);
    const end = new PromisedEnd();
    this.relayFor(end, payload, client, before);
    return end.promise;
  }

  /** As {@link relay}, and tells `waiter` of the end in the turn in which it comes. Only while {@link isFree}. */
  relayFor(waiter: ReplyWaiter, payload: Buffer, client: ClientConnection, before: readonly Buffer[] = NONE): void {
    this.#tracker.start(payload[0] ?? 0);
    const options = { walker: this.#walker, client, command: payload, takeFile: this.#takeFile };
    this.#begin(new RelayedReply(this.#tracker, waiter, options), payload, before);
  }

  /** As {@link relay}; each control packet passes through `edit`. */
  relayEdited(
    payload: Buffer,
    client: ClientConnection,
    edit: PacketEdit,
    before: readonly Buffer[] = NONE,
  ): Promise<ReplyEnd> {
    const problem = this.#refuse();
    if (problem !== undefined) return Promise.reject(problem);
    const end = new PromisedEnd();
    this.#begin(this.#edited(end, payload, client, edit), payload, before);
    return end.promise;
  }

  /**
   * As {@link relay}, of a command whose rest is still to come: its first packet goes out in the very call, the others
   * as they come, if `passing` lets them. Where it does not, the connection is closed, so that nothing is executed. Where
   * this ends before the client has sent all of it, the connection is closed too, and what still comes is dropped.
   */
  relayLarge(command: LargeCommand, client: ClientConnection, how: LargeRelay): Promise<ReplyEnd> {
    const problem = this.#refuse();
    if (problem !== undefined) return Promise.reject(problem);
    const { head } = command;
    const { edit, before = NONE } = how;
    const end = new PromisedEnd();
    const plain = { walker: this.#walker, client, command: head, takeFile: this.#takeFile };
    if (edit === undefined) this.#tracker.start(head[0] ?? 0);
    const job =
      edit === undefined ? new RelayedReply(this.#tracker, end, plain) : this.#edited(end, head, client, edit);
    for (const one of before) this.silent(one);
    this.#job = job;
    this.#relayedSome = false;
    this.#envelopes?.begin();
    const header = Buffer.from([0xff, 0xff, 0xff, 0]);
    this.#socket.write(header);
    this.#socket.write(head);
    this.#stream = { command, passed: this.#passRest(command, how.passing) };
    return end.promise;
  }

  /** Passes the rest of a large command. Never rejects. */
  async #passRest(command: LargeCommand, passing: Passing): Promise<void> {
    if (this.#socket.writableNeedDrain) await drained(this.#socket);
    const whole = await command.passRest(
      this.#socket,
      (payload) => {
        const goesOn = passing(payload);
        if (!goesOn) this.#lose("what a client sent was not to be executed");
        return goesOn;
      },
      (packets) => this.#envelopes?.renumber(packets),
    );
    this.#stream = undefined;
    if (!whole) this.#lose("the client left in the middle of a command");
  }

  #edited(waiter: ReplyWaiter, payload: Buffer, client: ClientConnection, edit: PacketEdit): EditedReply {
    this.#tracker.start(payload[0] ?? 0);
    return new EditedReply(this.#tracker, waiter, { client, edit, payloadBytesMax: EDITED_BYTES_MAX });
  }

  /** Sends a command of our own; the client sees nothing of it. An ERR is an answer, not a failure. */
  async own(payload: Buffer): Promise<OwnAnswer> {
    const problem = this.#refuse();
    if (problem !== undefined) throw problem;
    this.#tracker.start(payload[0] ?? 0);
    const end = new PromisedEnd();
    const reply = new OwnReply(this.#tracker, end, OWN_BYTES_MAX);
    this.#begin(reply, payload, NONE);
    return {
      ...(await end.promise),
      rows: reply.rows,
      rowPackets: reply.rowPackets,
      columns: reply.columns,
      prepared: reply.prepared,
    };
  }

  /** As {@link own}, for a statement as text. */
  query(sql: string | Buffer): Promise<OwnAnswer> {
    const text = typeof sql === "string" ? Buffer.from(sql, "utf8") : sql;
    return this.own(Buffer.concat([this.#queryHead(), text]));
  }

  /** Ends its transaction, and neither begins another nor leaves, whatever the session's `completion_type` says. */
  rollBack(): Promise<OwnAnswer> {
    return this.query("ROLLBACK AND NO CHAIN NO RELEASE");
  }

  /** Logs the connection in anew, under the account of `change`; all state of its session at the server is gone then. */
  async changeUser(change: ChangeUser, password: Buffer, own: Readonly<Record<string, string>>): Promise<AuthAnswer> {
    const problem = this.#refuse();
    if (problem !== undefined) throw problem;
    const attributes = new Map([...Object.entries(own), ...change.attributes, ...Object.entries(own)]);
    // A method that no account has: the server then asks for the account's own, with a nonce of this moment.
    const asking = { ...change, authResponse: Buffer.alloc(0), authPlugin: "mysql_clear_password", attributes };
    const answers = new AuthAnswers({
      server: this.name,
      user: change.user.toString("utf8"),
      password,
      private: this.#private,
    });
    this.#tracker.start(COM.CHANGE_USER);
    const reply = new AuthReply(this.#tracker, answers, (answer, sequence) => {
      this.#envelopes?.goOn();
      this.#socket.write(frame(answer, sequence));
    });
    this.#begin(reply, buildChangeUser(asking, this.capabilities), NONE);
    const { error } = await reply.end;
    return error === undefined ? { error, ok: reply.ok ?? Buffer.alloc(0) } : { error };
  }

  /** Asks the server for the status flags, which an ERR does not carry. */
  async refresh(): Promise<void> {
    await this.own(Buffer.from([COM.PING]));
  }

  /** Sends a command that is never answered. */
  silent(payload: Buffer): void {
    if (this.#lostReason !== undefined) return;
    this.#envelopes?.begin();
    this.#socket.write(frame(payload, 0));
  }

  /** Says goodbye and closes; resolves when the server has closed too, or after a second. */
  async quit(): Promise<void> {
    if (this.#lostReason === undefined) {
      // The server closes, and then so do we: to close one half first would be a call of the system more.
      this.silent(QUIT);
      if (this.#envelopes !== undefined || this.#private) this.#socket.end();
      const timer = setTimeout(() => this.destroy("the server did not close"), GRACE_MS);
      await this.closed;
      clearTimeout(timer);
    }
    this.#socket.destroy();
  }

  destroy(reason: string): void {
    this.#lose(reason);
  }

  #queryHead(): Buffer {
    // With query attributes: no parameters, in one set.
    const attributes = hasFlag(this.capabilities, CAP.QUERY_ATTRIBUTES);
    return Buffer.from(attributes ? [COM.QUERY, 0, 1] : [COM.QUERY]);
  }

  #refuse(): SwitchyardError | undefined {
    if (this.#lostReason !== undefined) return lost(this.name, this.#lostReason, false);
    if (this.#job === undefined) return undefined;
    return new SwitchyardError("INTERNAL_INVARIANT", { what: "two commands at once on one backend connection" });
  }

  #begin(job: ReplyJob, payload: Buffer, before: readonly Buffer[]): void {
    this.#job = job;
    this.#relayedSome = false;
    if (this.#envelopes !== undefined) this.#beginEnvelopes(this.#envelopes, payload, before);
    else if (before.length === 0) this.#socket.write(frame(payload, 0));
    else this.#socket.write(Buffer.concat([...before.map((one) => frame(one, 0)), frame(payload, 0)]));
  }

  /** Each command begins envelopes of its own; the packets of the reply are numbered as they would be without. */
  #beginEnvelopes(envelopes: EnvelopeSocket, payload: Buffer, before: readonly Buffer[]): void {
    for (const one of before) this.silent(one);
    envelopes.renumber(packetCount(payload.length));
    envelopes.begin();
    envelopes.write(frame(payload, 0));
  }

  #envelopesOver(socket: Socket, { algorithm, level }: Compression): EnvelopeSocket {
    const onBroken = (error: SwitchyardError): void => this.#lose(error.message);
    return new EnvelopeSocket(socket, { algorithm, level, side: "client", early: Buffer.alloc(0), onBroken });
  }

  #arrive(chunk: Buffer): void {
    const job = this.#job;
    if (job === undefined) {
      this.#hearLastWords(chunk);
      return;
    }
    const relayedBefore = this.#relayedSome;
    this.#relayedSome = true;
    let complete = false;
    try {
      complete = job.take(chunk);
      const { drained } = job;
      if (drained !== undefined) this.#wait(drained);
    } catch (error) {
      // Of what was not understood the client has got nothing: a chunk is relayed whole, or not at all.
      if (job instanceof RelayedReply) this.#relayedSome = relayedBefore;
      this.#lose(messageOf(error));
    }
    if (!complete || this.#job !== job) return;
    // Whoever hears of the end may send the next command at once.
    this.#job = undefined;
    if (this.#stream?.command.ended === false) this.#lose("the server has answered half a command");
    this.#tell(() => job.finish());
  }

  /** Tells of the end of a reply: not ahead of the command's own end, but where that is not waited for any more. */
  #tell(end: () => void): void {
    const stream = this.#stream;
    if (stream?.command.ended === true) void stream.passed.then(end);
    else end();
  }

  /** What a server says before it closes a connection that is idle. */
  #hearLastWords(chunk: Buffer): void {
    try {
      const { errno, message } = parseErr(chunk.subarray(HEADER_BYTES));
      this.#timedOut = errno === DISCONNECTED_FOR_INACTIVITY;
      this.#lose(message);
    } catch {
      this.#lose("the server sent something unasked");
    }
  }

  /** Relays a file that the server has asked the client for. */
  readonly #takeFile: RelayOptions["takeFile"] = async (client, request) => {
    if (!hasFlag(this.capabilities, CAP.LOCAL_FILES)) {
      this.#lose("the server asked for a file of a client that sends none");
      return;
    }
    this.#sendsFile = true;
    // Within envelopes nobody looks at the numbers of packets.
    const first = client.compressed ? undefined : (request + 1) & 0xff;
    const passing = this.#fileNumbers(client, request);
    const whole = await relayFile(client, this.#socket, { first, passing }).catch((error: SwitchyardError) =>
      this.#lose(error.message, error),
    );
    this.#sendsFile = false;
    if (whole === true || this.#lostReason !== undefined) return;
    // An empty packet would have the server keep what has come so far. A closed connection is a file that has failed.
    this.#socket.end();
    const timer = setTimeout(() => this.destroy("the server did not close"), FILE_GRACE_MS);
    await this.closed;
    clearTimeout(timer);
  };

  /** In envelopes packets are numbered by these: what comes from or goes into some is numbered as it would be without. */
  #fileNumbers(client: ClientConnection, request: number): ((bytes: Buffer) => void) | undefined {
    if (this.#envelopes === undefined && !client.compressed) return undefined;
    const numbers = new PacketNumbers();
    numbers.next = (request + 1) & 0xff;
    this.#envelopes?.goOn();
    return (bytes) => {
      client.tookPayloads(numbers.pass(bytes));
      this.#envelopes?.renumber(numbers.next ?? 0);
    };
  }

  #wait(drained: Promise<void>): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#socket.pause();
    void drained.then(() => {
      this.#waiting = false;
      this.#socket.resume();
    });
  }

  /** Whoever waits for a reply hears `why`, or else that the connection was lost. */
  #lose(reason: string, why?: SwitchyardError): void {
    if (this.#lostReason !== undefined) return;
    this.#lostReason = reason;
    this.#socket.destroy();
    const job = this.#job;
    this.#job = undefined;
    if (job !== undefined) {
      const error = why ?? lost(this.name, reason, true);
      this.#tell(() => job.lost(error));
    }
    this.#closed.resolve(reason);
  }
}

function lost(name: string, reason: string, inFlight: boolean): SwitchyardError {
  return new SwitchyardError("PROXY_BACKEND_LOST", {
    what: `the connection to backend "${name}" has ended: ${reason}`,
    changed: inFlight
      ? "A statement was in flight; whether it was carried out is not known."
      : "Nothing was in flight.",
  });
}
