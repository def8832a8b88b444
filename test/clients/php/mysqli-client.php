<?php
// The common script, and the writes across a switch, through mysqli. See ../README.md.
declare(strict_types=1);
require __DIR__ . '/common.php';

mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);

function connect(): mysqli
{
    $db = mysqli_init();
    $flags = TLS ? MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT : 0;
    $flags |= COMPRESS ? MYSQLI_CLIENT_COMPRESS : 0;
    $db->real_connect(HOST, USER, PASSWORD, 'ledger', PORT, null, $flags);
    $db->set_charset('utf8mb4');
    return $db;
}

$db = connect();

function rows(string $sql): array
{
    global $db;
    return $db->query($sql)->fetch_all();
}

function failure(string $sql): array|string
{
    global $db;
    try {
        $db->query($sql);
        return 'no error';
    } catch (mysqli_sql_exception $error) {
        return [$error->getCode(), $error->getSqlState(), $error->getMessage()];
    }
}

function typed_values(): void
{
    global $db;
    $db->query('DELETE FROM value WHERE client = ' . CLIENT);
    $db->query('INSERT INTO value VALUES (' . CLIENT . ', 1, ' . EVERY_LITERAL . ')');
    $db->query('INSERT INTO value (client, id) VALUES (' . CLIENT . ', 2)');
    say('text', rows('SELECT * FROM value WHERE client = ' . CLIENT . ' AND id <= 2 ORDER BY id'));
    $quoted = array_map(fn ($value) => "'" . $db->real_escape_string((string) $value) . "'", EVERY_VALUE);
    // A bit column takes no digits as text.
    $quoted[16] = '341';
    $db->query('INSERT INTO value VALUES (' . CLIENT . ', 3, ' . implode(', ', $quoted) . ')');
    say('client-side', rows('SELECT * FROM value WHERE client = ' . CLIENT . ' AND id = 3'));
    $marks = implode(', ', array_fill(0, 17, '?'));
    $insert = $db->prepare("INSERT INTO value VALUES (?, ?, $marks)");
    $all = [CLIENT, 4, ...EVERY_VALUE];
    $insert->bind_param('iiisssdssssississsi', ...$all);
    $insert->execute();
    $some = $db->prepare('INSERT INTO value (client, id, name) VALUES (?, ?, ?)');
    $some->execute([CLIENT, 5, null]);
    $some->execute([CLIENT, 6, '']);
    // A long value, sent in parts.
    $long = $db->prepare('INSERT INTO value (client, id, body) VALUES (?, 7, ?)');
    [$client, $body] = [CLIENT, null];
    $long->bind_param('ib', $client, $body);
    $long->send_long_data(1, 'first part, ');
    $long->send_long_data(1, 'second part');
    $long->execute();
    $found = $db->prepare('SELECT * FROM value WHERE client = ? AND id BETWEEN 4 AND 7 ORDER BY id');
    $found->execute([CLIENT]);
    say('server-side', $found->get_result()->fetch_all());
}

function transactions(): void
{
    global $db;
    $name = 'SELECT name FROM value WHERE client = ' . CLIENT . ' AND id = 2';
    $change = fn (string $to) => "UPDATE value SET name = '$to' WHERE client = " . CLIENT . ' AND id = 2';
    $db->begin_transaction();
    $db->query($change('kept'));
    $db->commit();
    say('commit', rows($name));
    $db->autocommit(false);
    $db->query($change('undone'));
    $within = rows($name);
    $db->rollback();
    say('rollback', $within, rows($name));
    $db->query($change('first'));
    $db->savepoint('here');
    $db->query($change('second'));
    $db->query('ROLLBACK TO SAVEPOINT here');
    $db->commit();
    $db->autocommit(true);
    say('savepoint', rows($name));
}

function answers(): void
{
    global $db;
    $db->query('INSERT INTO ' . OWN . " (name) VALUES ('a'), ('b'), ('c')");
    $own = [$db->insert_id, $db->info];
    $db->query('INSERT INTO entry (client, sequence, note) VALUES (' . -CLIENT . ", 1, 'script')");
    $told = $db->insert_id;
    $asked = (int) rows('SELECT LAST_INSERT_ID()')[0][0];
    $stored = (int) rows('SELECT MAX(id) FROM entry WHERE client = ' . -CLIENT)[0][0];
    say('last-insert-id', $own, $told === $asked && $told === $stored);
    $counts = [];
    foreach ([1, 2] as $_) {
        $db->query('UPDATE ' . OWN . ' SET more = 8');
        $counts[] = [$db->affected_rows, $db->info];
    }
    say('affected', $counts);
    $db->query('INSERT IGNORE INTO value (client, id, name) VALUES (' . CLIENT . ", 1, 'again')");
    $count = $db->warning_count;
    $warning = $db->get_warnings();
    say('warnings', $count, [$warning->errno, $warning->sqlstate, $warning->message]);
    say('duplicate', failure('INSERT INTO value (client, id) VALUES (' . CLIENT . ', 1)'));
    say('no-table', failure('SELECT * FROM nowhere'), failure('SELECT FROM WHERE'));
}

function many_results(): void
{
    global $db;
    $db->multi_query("SELECT 1, 'one'; UPDATE " . OWN . ' SET more = 9 WHERE id = 1; SELECT id, more FROM ' . OWN);
    $found = [];
    do {
        $result = $db->store_result();
        $found[] = $result === false ? $db->affected_rows : $result->fetch_all();
    } while ($db->more_results() && $db->next_result());
    say('multi', $found);
    $stream = $db->query('SELECT id, text FROM many ORDER BY id', MYSQLI_USE_RESULT);
    $count = $total = 0;
    foreach ($stream as $row) {
        $count++;
        $total += $row['id'] * strlen($row['text']);
    }
    $stream->free();
    say('many', $count, $total);
}

function session(): void
{
    global $db;
    $db->query("SET SESSION time_zone = '+02:00', sql_mode = 'ANSI_QUOTES'");
    say('settings', rows('SELECT "stamp", @@time_zone FROM "value" WHERE client = ' . CLIENT . ' AND id = 1'));
    // There is a statement in place of the command that it no longer sends.
    say('ping', $db->stat() !== false);
    $db->query('SET @x = 5');
    $db->change_user(USER, PASSWORD, 'ledger');
    say('reset', rows('SELECT @x, DATABASE(), @@time_zone'));
}

function script(): void
{
    global $db;
    echo "client\t", PHP_VERSION, "\n";
    say('hello', rows('SELECT VERSION(), DATABASE(), CURRENT_USER(), @@character_set_client'), $db->server_info);
    say('attributes', rows(ATTRIBUTES));
    $db->query('DROP TABLE IF EXISTS ' . OWN);
    $db->query('CREATE TABLE ' . OWN . ' (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE)');
    $db->query('ALTER TABLE ' . OWN . ' ADD COLUMN more INT DEFAULT 7');
    say('ddl', rows('SHOW COLUMNS FROM ' . OWN));
    typed_values();
    transactions();
    answers();
    many_results();
    session();
}

if (WRITES) {
    $insert = $db->prepare('INSERT INTO entry (client, sequence, note) VALUES (?, ?, ?)');
    $found = $db->prepare('SELECT COUNT(*) FROM entry WHERE client = ? AND sequence = ?');
    write_until_stopped(function (int $sequence) use ($db, $insert, $found): int {
        if ($sequence % 2 === 0) {
            $insert->execute([CLIENT, $sequence, 'autocommit']);
        } else {
            $db->begin_transaction();
            $insert->execute([CLIENT, $sequence, 'transaction']);
            $db->query('UPDATE counter SET n = n + 1 WHERE client = ' . CLIENT);
            $db->commit();
        }
        $found->execute([CLIENT, $sequence]);
        return (int) $found->get_result()->fetch_row()[0];
    });
} else {
    script();
}
$db->close();
