import type { ErrPacket } from "../wire/err-packet.ts";

/** Errors that clients get from the proxy itself, with the numbers that a server would use. */

function error(errno: number, sqlState: string, message: string): ErrPacket {
  return { errno, sqlState, message };
}

/** What the proxy does not do, or must not do: nothing was sent to any server. */
export function notSupported(what: string): ErrPacket {
  return error(1235, "42000", `Switchyard: ${what}`);
}

export function tooManySessions(max: number): ErrPacket {
  return error(1040, "08004", `Too many connections: this proxy serves ${max} sessions`);
}

export function tooManyLogins(max: number): ErrPacket {
  return error(1040, "08004", `Too many connections: ${max} clients of this proxy have not logged in yet`);
}

export function tooManyOfUser(user: string): ErrPacket {
  return error(1203, "42000", `User ${user} already has more than 'sessionsPerUserMax' active connections`);
}

export function loginTooSlow(): ErrPacket {
  return error(1159, "08S01", "Got timeout reading communication packets");
}

export function inactive(): ErrPacket {
  return error(
    4031,
    "HY000",
    "The client was disconnected by the server because of inactivity. See idleTimeoutMs of Switchyard for configuring this behavior.",
  );
}

export function accessDenied(user: Buffer, host: string, withPassword: boolean): ErrPacket {
  const using = withPassword ? "YES" : "NO";
  return error(1045, "28000", `Access denied for user '${user.toString("utf8")}'@'${host}' (using password: ${using})`);
}

/** The server wants the account to log in by a method that shows nothing that could be shown again. */
export function methodNotRelayed(): ErrPacket {
  return error(
    1251,
    "08004",
    "Switchyard: the server asks this account for an authentication method that cannot be passed on; accounts need caching_sha2_password or sha256_password",
  );
}

/** The password was right, and the server asks for what else the account needs, which goes to whoever holds the connection. */
export function severalFactors(): ErrPacket {
  return error(
    1251,
    "08004",
    "Switchyard: this account has several authentication factors, and the proxy can pass on the password alone; let the application use an account that has the password only, or connect to the server itself",
  );
}

export function backendUnreachable(backend: string): ErrPacket {
  return error(
    2003,
    "HY000",
    `Switchyard: can't connect to the MySQL server of backend "${backend}"; nothing was sent`,
  );
}

/** An older server: what the client and its first server have agreed on cannot be said to this one. */
export function capabilitiesLacking(backend: string, names: readonly string[]): ErrPacket {
  return notSupported(`backend "${backend}" lacks what this client uses: ${names.join(", ")}; nothing was sent`);
}

/** The statement had gone out: whether it was carried out is not known, so the session ends. */
export function backendLost(backend: string): ErrPacket {
  return error(2013, "HY000", `Lost connection to MySQL server of backend "${backend}" during query`);
}

/** The session's LAST_INSERT_ID() has gone with the connection that knew it. */
export function insertIdLost(): ErrPacket {
  return error(2013, "HY000", "Lost connection to MySQL server, and with it the LAST_INSERT_ID() of this session");
}

export function commandTooLarge(): ErrPacket {
  return error(1153, "08S01", "Got a packet bigger than 'max_allowed_packet' bytes");
}

export function malformedPacket(): ErrPacket {
  return error(1835, "HY000", "Malformed communication packet.");
}

/** A client asks for no compression, or one that is not offered, where some is required. */
export function wrongCompression(): ErrPacket {
  return error(3922, "HY000", "Invalid compression algorithm 'uncompressed'.");
}

export function wrongCompressionLevel(): ErrPacket {
  return error(3923, "HY000", "Invalid zstd compression level for algorithm 'zstd'.");
}

export function shuttingDown(): ErrPacket {
  return error(1053, "08S01", "Server shutdown in progress");
}

export function unknownStatement(id: number | string, inFunction: string): ErrPacket {
  return error(1243, "HY000", `Unknown prepared statement handler (${id}) given to ${inFunction}`);
}

/** A statement that was prepared on one server would be another on the next. */
export function preparedOtherwise(backend: string): ErrPacket {
  const why = "it was prepared under another character set than the session has now";
  return notSupported(`a prepared statement cannot go to ${backend}: ${why}; nothing was executed, prepare it again`);
}

export function noCursor(id: number): ErrPacket {
  return error(1421, "HY000", `The statement (${id}) has no open cursor.`);
}

export function tooManyPrepared(max: number): ErrPacket {
  return error(1461, "42000", `Can't create more than max_prepared_stmt_count statements (current value: ${max})`);
}

export function longDataTooLarge(): ErrPacket {
  return error(
    1105,
    "HY000",
    "Parameter of prepared statement which is set through mysql_send_long_data() is too long",
  );
}

export function unknownThread(id: number): ErrPacket {
  return error(1094, "HY000", `Unknown thread id: ${id}`);
}

export function notOwner(id: number): ErrPacket {
  return error(1095, "HY000", `You are not owner of thread ${id}`);
}

/** Waited too long; certainly unsent. */
export function givenUp(tables: string, waitedMs: number, why: string): ErrPacket {
  const seconds = (waitedMs / 1000).toFixed(1);
  return error(
    1205,
    "HY000",
    `Switchyard: a statement on ${tables} waited ${seconds} s ${why} and was given up; nothing was written, it may be sent again`,
  );
}

export function holdFull(tables: string, limit: string): ErrPacket {
  return error(
    1205,
    "HY000",
    `Switchyard: statements on ${tables} wait for a switch, and ${limit} wait already; nothing was written, it may be sent again`,
  );
}

/** A transaction that began during the hold on tables which stayed, and then reached one that has moved. */
export function rolledBackBySwitch(table: string): ErrPacket {
  return error(
    1213,
    "40001",
    `Deadlock found when trying to get lock; try restarting transaction (Switchyard: ${table} has moved to another server since the transaction began)`,
  );
}

/** A transaction that a switch did not wait for, as its operator has asked. */
export function rolledBackByOrder(): ErrPacket {
  return error(
    1213,
    "40001",
    "Deadlock found when trying to get lock; try restarting transaction (Switchyard: the transaction was open for too long while a switch waited, and was rolled back)",
  );
}

/** A session that a switch did not wait for, as its operator has asked. */
export function killedByOrder(why: string): ErrPacket {
  return error(3169, "HY000", `The session was killed (Switchyard: a switch could not wait for it any longer: ${why})`);
}

export function interrupted(): ErrPacket {
  return error(1317, "70100", "Query execution was interrupted");
}

export function executionTimeExceeded(): ErrPacket {
  return error(3024, "HY000", "Query execution was interrupted, maximum statement execution time exceeded");
}

export function transactionInProgress(): ErrPacket {
  return error(1568, "25001", "Transaction characteristics can't be changed while a transaction is in progress");
}

export function savepointUnknown(name: string): ErrPacket {
  return error(1305, "42000", `SAVEPOINT ${name} does not exist`);
}
