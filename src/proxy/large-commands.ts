import { isSwitchyardError, SwitchyardError } from "../base/errors.ts";
import { LongTail, longHead } from "../sql/long-text.ts";
import { COM } from "../wire/capabilities.ts";
import { statementOffset } from "../wire/query-attributes.ts";
import { commandTooLarge, longDataTooLarge, notSupported } from "./client-errors.ts";
import { dispatchCommand } from "./commands.ts";
import type { LargeCommand, Passing } from "./large-command.ts";
import { isPlain } from "./plain-statement.ts";
import { dropLongData, executeWork } from "./prepared-commands.ts";
import { readExecute, statementIdOf } from "./prepared-statement.ts";
import { type ReplyEnd, withStatus } from "./reply-jobs.ts";
import type { Session } from "./session.ts";
import type { SessionBackend } from "./session-backends.ts";
import { queryWork } from "./text-command.ts";
import type { Work } from "./work.ts";

/** Why a session that may have been changed by a statement that nobody has read stays where it is. */
const UNREAD = "a statement of more than 16 MiB may have changed it";

/**
 * A command of 16 MiB or more, of which the first packet has come. Where that tells which tables it uses, its rest goes
 * to the server as it comes; any other is put together first, up to `commandBytesMax`. Where the client is `told`
 * something else by way of it, all of it is dropped.
 */
export async function runLarge(session: Session, command: LargeCommand, told?: Promise<boolean>): Promise<void> {
  if ((await told) !== true) await run(session, command);
  await command.drop();
}

async function run(session: Session, command: LargeCommand): Promise<void> {
  const { head } = command;
  if (head[0] === COM.QUERY && (await streamQuery(session, command))) return;
  if (head[0] === COM.STMT_EXECUTE && (await streamExecute(session, command))) return;
  const { commandBytesMax } = session.context.limits;
  const payload = await command.gather(commandBytesMax);
  if (payload !== undefined) await dispatchCommand(session, payload);
  else if (!session.client.isGone) {
    throw new SwitchyardError("WIRE_PACKET_TOO_LARGE", {
      what: `a command of more than ${commandBytesMax} bytes cannot be routed before its end has come`,
    });
  }
}

/** An execute says in its first bytes which statement it is of; all else are values. */
async function streamExecute(session: Session, command: LargeCommand): Promise<boolean> {
  const { state, applicant, context } = session;
  const { head } = command;
  const statement = state.prepared.get(statementIdOf(head));
  if (statement === undefined || state.longDataBytes > context.limits.longDataBytesMax) return false;
  const { facts } = state.judgeKept(statement);
  const [only] = facts;
  if (only === undefined || facts.length > 1 || !isPlain(only)) return false;
  const parts = readExecute(head, statement.parameters, applicant.capabilities);
  statement.takeTypes(parts);
  const work = executeWork(session, statement, { payload: head, parts, facts });
  let whole: Work | undefined;
  const streamed: Work = {
    ...work,
    get bytes() {
      return (whole ?? work).bytes;
    },
    prepare: (backend) => {
      const told = parts.types !== undefined || parts.flagAt < 0 || statement.typed.has(backend.connection);
      if (told || whole !== undefined) return work.prepare(backend);
      // Types that are put in move all that follows, and the packets with it.
      return command.gather(context.limits.commandBytesMax).then((payload) => {
        if (payload === undefined) return longDataTooLarge();
        whole = executeWork(session, statement, { payload, parts, facts });
        return undefined;
      });
    },
    send: (backend, lazyFlags) => {
      if (whole !== undefined) return whole.send(backend, lazyFlags);
      const handle = statement.handles.get(backend.connection) ?? 0;
      statement.executeAt(backend.connection, handle, head, parts).copy(head);
      const before = statement.longDataCommands(handle);
      return relayLarge(session, backend, command, { lazyFlags, before, passing: () => true });
    },
  };
  try {
    await session.perform(streamed);
  } finally {
    dropLongData(session, statement);
  }
  return true;
}

/** A statement that lists its tables ahead of its values. */
async function streamQuery(session: Session, command: LargeCommand): Promise<boolean> {
  const { head } = command;
  const { modes } = session.state.settings;
  const text = head.subarray(statementOffset(head, session.applicant.capabilities));
  const known = longHead(text, modes);
  if (known === undefined) return false;
  const { facts, decisions } = session.state.judge(known.text, session.state.names.schema);
  const [only] = facts;
  if (only === undefined || facts.length > 1 || !isPlain(only) || decisions[0]?.kind !== "one") return false;
  const tail = new LongTail(modes);
  if (tail.read(text.subarray(known.tailAt)) !== undefined) return false;
  let unread = false;
  await session.perform({
    ...queryWork(session, head, known.text, facts),
    send: async (backend, lazyFlags) => {
      const passing = (payload: Buffer): boolean => {
        if (unread || tail.read(payload) === undefined) return true;
        unread = mayTouchAnything(session, backend);
        return unread;
      };
      const end = await relayLarge(session, backend, command, { lazyFlags, before: [], passing });
      if (command.refused) return takenBack(session, backend, { command, problem: tail.problem ?? "" });
      if (unread && end.unsent !== true && tail.end() !== undefined) {
        session.state.pins.set("unread", { backend: backend.name, reason: UNREAD, open: false });
      }
      return end;
    },
  });
  return true;
}

/** Whether the statement on its way may be one that touches any table: all of them are where it goes, and none is held. */
function mayTouchAnything(session: Session, backend: SessionBackend): boolean {
  const { traffic } = session.context;
  const { backend: home, heldBy, armedBy } = session.state.routing.decide(ANYTHING, session.state.names.scope);
  if (home !== backend.name || heldBy.length > 0 || !traffic.licensed(armedBy)) return false;
  session.widenFlight();
  return true;
}

const ANYTHING: Parameters<Session["state"]["routing"]["decide"]>[0] = {
  kind: "other",
  start: 0,
  end: 0,
  tables: [],
  touchesEverything: true,
  readOnly: false,
  causesImplicitCommit: false,
  locksUserLevel: false,
  effects: [],
};

interface Relayed {
  readonly lazyFlags: number;
  readonly before: readonly Buffer[];
  readonly passing: Passing;
}

/**
 * Where the connection is lost the flight ends at once, even if the client, which does not listen yet, takes as long as
 * it likes to send the rest.
 */
async function relayLarge(
  session: Session,
  backend: SessionBackend,
  command: LargeCommand,
  { lazyFlags, before, passing }: Relayed,
): Promise<ReplyEnd> {
  const { connection } = backend;
  const edit = lazyFlags === 0 ? undefined : withStatusFlags(lazyFlags);
  try {
    const end = await connection.relayLarge(command, session.client, { before, passing, edit });
    if (command.ended) return end;
  } catch (error) {
    if (!isSwitchyardError(error, "PROXY_BACKEND_LOST")) throw error;
  }
  // In flight until the session has heard that the connection is gone: it was not an idle one.
  await connection.closed;
  if (!command.refused) {
    endWhenSent(session, { backend, command }, () => {
      // A server closes the connection at once, and what it says may be lost with what it has not read.
      const { maxPacketBytes } = session.state.settings;
      const tooLarge = maxPacketBytes > 0 && command.bytes > maxPacketBytes && !connection.relayedSome;
      if (tooLarge && !session.client.isGone)
        session.disconnect({ source: "client", reason: "limit" }, commandTooLarge());
      else session.lostInFlight(backend);
    });
  }
  return UNSENT;
}

/** Ends a session that has lost what it had at a backend, as soon as its client listens. Nobody waits for it meanwhile. */
function endWhenSent(
  session: Session,
  { backend, command }: { readonly backend: SessionBackend; readonly command: LargeCommand },
  end: () => void,
): void {
  session.state.lost(backend.name);
  void command.drop().then(end);
}

const UNSENT: ReplyEnd = { error: undefined, results: 0, unsent: true };

function withStatusFlags(flags: number): (kind: Parameters<typeof withStatus>[1], packet: Buffer) => Buffer {
  return (kind, packet) => withStatus(packet, kind, flags);
}

/** Nothing was executed, and the connection is closed: with it goes what the session had open there. */
function takenBack(
  session: Session,
  backend: SessionBackend,
  { command, problem }: { readonly command: LargeCommand; readonly problem: string },
): ReplyEnd {
  const error = notSupported(
    `cannot tell which server a statement of more than 16 MiB belongs to, since tables live on several: ${problem}; nothing was executed`,
  );
  if (session.state.tiedTo(backend.name) === undefined) session.refuse("unknown-home", error);
  else {
    const end = (): void => session.disconnect({ source: "proxy", reason: "refused" }, error);
    endWhenSent(session, { backend, command }, end);
  }
  return UNSENT;
}
