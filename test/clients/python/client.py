"""The common script, and the writes across a switch, through PyMySQL or mysqlclient. See ../README.md."""

import importlib
import os
import sys
import time

DRIVER = os.environ["DRIVER"]
driver = importlib.import_module(DRIVER)
cursors = importlib.import_module(f"{DRIVER}.cursors")
flags = importlib.import_module(f"{DRIVER}.constants.CLIENT")
CLIENT = int(os.environ["CLIENT"])
OWN = f"own_{CLIENT}"
EVERY_VALUE = (
    -128, -9223372036854775808, 18446744073709551615, "12345678901234567890.0123456789", 0.1, "2024-02-29",
    "2024-02-29 23:59:59.123456", "2024-06-01 10:00:00.000001", "-100:59:59.000001", 2155, "Zoë 🚲 it's \\ \"q\"",
    b"\x00\xff'\\\n\x1a", b"\x80" * 300, '{"a": [1, null, "é"]}', "b", "x,y", 341,
)


def connect():
    how = {
        "host": os.environ["HOST"],
        "port": int(os.environ["PORT"]),
        "user": os.environ["USER"],
        "password": os.environ["PASSWORD"],
        "database": "ledger",
        "charset": "utf8mb4",
        "client_flag": flags.MULTI_STATEMENTS,
    }
    tls = os.environ["TLS"] == "required"
    if DRIVER == "pymysql":
        return driver.connect(**how, ssl={"check_hostname": False, "verify_mode": "none"} if tls else None,
                              ssl_disabled=not tls, program_name="common-script")
    if os.environ["COMPRESS"] == "yes":
        how["compress"] = True
    # libmariadb has its own word for it: TLS, without a look at the certificate.
    return driver.connect(**how, ssl={"cipher": "HIGH"} if tls else None)


def say(step, *values):
    print(step, *(repr(value) for value in values), sep="\t", flush=True)


def rows(connection, sql, args=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, args)
        return cursor.fetchall()


def run(connection, sql, args=None):
    with connection.cursor() as cursor:
        return cursor.execute(sql, args), cursor.lastrowid


def failure(connection, sql):
    try:
        run(connection, sql)
    except driver.Error as error:
        return (type(error).__name__, *error.args)
    return "no error"


def values(connection):
    run(connection, f"DELETE FROM value WHERE client = {CLIENT}")
    run(connection, f"""INSERT INTO value VALUES ({CLIENT}, 1, -128, -9223372036854775808, 18446744073709551615,
        12345678901234567890.0123456789, 0.1, '2024-02-29', '2024-02-29 23:59:59.123456', '2024-06-01 10:00:00.000001',
        '-100:59:59.000001', 2155, 'Zoë 🚲 it''s', x'00FF275C0A1A', REPEAT(x'80', 300), '{{"a": [1, null, "é"]}}', 'b',
        'x,y', 341)""")
    run(connection, f"INSERT INTO value (client, id) VALUES ({CLIENT}, 2)")
    say("text", *rows(connection, f"SELECT * FROM value WHERE client = {CLIENT} ORDER BY id"))
    marks = ", ".join(["%s"] * 17)
    run(connection, f"INSERT INTO value VALUES (%s, %s, {marks})", (CLIENT, 3, *EVERY_VALUE))
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO value (client, id, name) VALUES (%s, %s, %s)",
                           [(CLIENT, 4, None), (CLIENT, 5, "")])
    say("client-side", *rows(connection, "SELECT * FROM value WHERE client = %s AND id >= 3 ORDER BY id", (CLIENT,)))


def transactions(connection):
    name = f"SELECT name FROM value WHERE client = {CLIENT} AND id = 2"
    change = f"UPDATE value SET name = %s WHERE client = {CLIENT} AND id = 2"
    connection.begin() if DRIVER == "pymysql" else run(connection, "BEGIN")
    run(connection, change, ("kept",))
    connection.commit()
    say("commit", rows(connection, name))
    run(connection, "START TRANSACTION")
    run(connection, change, ("undone",))
    within = rows(connection, name)
    connection.rollback()
    say("rollback", within, rows(connection, name))
    run(connection, "BEGIN")
    run(connection, change, ("first",))
    run(connection, "SAVEPOINT here")
    run(connection, change, ("second",))
    run(connection, "ROLLBACK TO SAVEPOINT here")
    connection.commit()
    say("savepoint", rows(connection, name))


def answers(connection):
    _, own_id = run(connection, f"INSERT INTO {OWN} (name) VALUES ('a'), ('b'), ('c')")
    _, told = run(connection, "INSERT INTO entry (client, sequence, note) VALUES (%s, 1, 'script')", (-CLIENT,))
    asked = rows(connection, "SELECT LAST_INSERT_ID()")[0][0]
    stored = rows(connection, "SELECT MAX(id) FROM entry WHERE client = %s", (-CLIENT,))[0][0]
    say("last-insert-id", own_id, told == asked == stored)
    change = f"UPDATE {OWN} SET more = 8"
    say("affected", run(connection, change)[0], run(connection, change)[0])
    ignored, _ = run(connection, f"INSERT IGNORE INTO value (client, id, name) VALUES ({CLIENT}, 1, 'again')")
    say("warnings", ignored, connection.show_warnings())
    say("duplicate", failure(connection, f"INSERT INTO value (client, id) VALUES ({CLIENT}, 1)"))
    say("no-table", failure(connection, "SELECT * FROM nowhere"), failure(connection, "SELECT FROM WHERE"))


def many_results(connection):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1, 'one'; UPDATE {OWN} SET more = 9 WHERE id = 1; SELECT id, more FROM {OWN}")
        found = [cursor.fetchall()]
        while cursor.nextset():
            found.append((cursor.rowcount, cursor.fetchall()))
    say("multi", found)
    with connection.cursor(cursors.SSCursor) as cursor:
        cursor.execute("SELECT id, text FROM many ORDER BY id")
        count = total = 0
        for row in cursor:
            count += 1
            total += row[0] * len(row[1])
    say("many", count, total)


def session(connection):
    run(connection, "SET SESSION time_zone = '+02:00', sql_mode = 'ANSI_QUOTES'")
    say("settings", rows(connection, f'SELECT "stamp", @@time_zone FROM "value" WHERE client = {CLIENT} AND id = 1'))
    say("ping", connection.ping(False) if DRIVER == "pymysql" else connection.ping())
    run(connection, "SET @x = 5")
    if DRIVER != "pymysql":
        connection.change_user(os.environ["USER"], os.environ["PASSWORD"], "ledger")
        say("reset", rows(connection, "SELECT @x, DATABASE(), @@time_zone"))


def script():
    connection = connect()
    connection.autocommit(True)
    print("client", getattr(driver, "__version__"), sep="\t")
    say("hello", rows(connection, "SELECT VERSION(), DATABASE(), CURRENT_USER(), @@character_set_client"))
    say("attributes", rows(connection, """SELECT ATTR_NAME, ATTR_VALUE
        FROM performance_schema.session_account_connect_attrs WHERE PROCESSLIST_ID = CONNECTION_ID()
        AND ATTR_NAME IN ('_client_name', 'program_name') ORDER BY 1"""))
    run(connection, f"DROP TABLE IF EXISTS {OWN}")
    run(connection, f"CREATE TABLE {OWN} (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE)")
    run(connection, f"ALTER TABLE {OWN} ADD COLUMN more INT DEFAULT 7")
    say("ddl", rows(connection, f"SHOW COLUMNS FROM {OWN}"))
    values(connection)
    transactions(connection)
    answers(connection)
    many_results(connection)
    session(connection)
    connection.close()


def writes():
    connection = connect()
    connection.autocommit(True)
    sequence = 0
    while not os.path.exists(os.environ["STOP"]):
        sequence += 1
        insert = "INSERT INTO entry (client, sequence, note) VALUES (%s, %s, %s)"
        if sequence % 2 == 0:
            run(connection, insert, (CLIENT, sequence, "autocommit"))
        else:
            connection.begin() if DRIVER == "pymysql" else run(connection, "BEGIN")
            run(connection, insert, (CLIENT, sequence, "transaction"))
            run(connection, "UPDATE counter SET n = n + 1 WHERE client = %s", (CLIENT,))
            connection.commit()
        found = rows(connection, "SELECT COUNT(*) FROM entry WHERE client = %s AND sequence = %s", (CLIENT, sequence))
        if found[0][0] != 1:
            sys.exit(f"write {sequence} is there {found[0][0]} times")
        print(f"ack\t{sequence}", flush=True)
        time.sleep(0.02)
    connection.close()


writes() if os.environ["MODE"] == "writes" else script()
