<?php
// The common script, and the writes across a switch, through PDO. See ../README.md.
declare(strict_types=1);
require __DIR__ . '/common.php';

$db = new Pdo\Mysql('mysql:host=' . HOST . ';port=' . PORT . ';dbname=ledger;charset=utf8mb4', USER, PASSWORD, [
    PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
    PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_NUM,
    PDO::MYSQL_ATTR_FOUND_ROWS => true,
    PDO::MYSQL_ATTR_COMPRESS => COMPRESS,
] + (TLS ? [PDO::MYSQL_ATTR_SSL_CIPHER => 'DEFAULT', PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => false] : []));

function rows(string $sql, array $values = []): array
{
    global $db;
    $statement = $db->prepare($sql);
    $statement->execute($values);
    return $statement->fetchAll();
}

function failure(string $sql): array|string
{
    global $db;
    try {
        $db->exec($sql);
        return 'no error';
    } catch (PDOException $error) {
        return [$error->getCode(), ...$error->errorInfo];
    }
}

function placed(string $step, int $first): void
{
    global $db;
    $marks = implode(', ', array_fill(0, 17, '?'));
    $insert = $db->prepare("INSERT INTO value VALUES (?, ?, $marks)");
    foreach ([CLIENT, $first, ...EVERY_VALUE] as $i => $value) {
        $insert->bindValue($i + 1, $value, is_int($value) ? PDO::PARAM_INT : PDO::PARAM_STR);
    }
    $insert->execute();
    $some = $db->prepare('INSERT INTO value (client, id, name) VALUES (:client, :id, :name)');
    $some->execute(['client' => CLIENT, 'id' => $first + 1, 'name' => null]);
    $some->execute(['client' => CLIENT, 'id' => $first + 2, 'name' => '']);
    $found = 'SELECT * FROM value WHERE client = ? AND id >= ? ORDER BY id';
    say($step, rows($found, [CLIENT, $first]), rows('SELECT id FROM value WHERE client = ? AND name = ?', [CLIENT, '']));
}

function typed_values(): void
{
    global $db;
    $db->exec('DELETE FROM value WHERE client = ' . CLIENT);
    $db->exec('INSERT INTO value VALUES (' . CLIENT . ', 1, ' . EVERY_LITERAL . ')');
    $db->exec('INSERT INTO value (client, id) VALUES (' . CLIENT . ', 2)');
    say('text', $db->query('SELECT * FROM value WHERE client = ' . CLIENT . ' ORDER BY id')->fetchAll());
    // Until told otherwise it puts the values into the text by itself.
    placed('client-side', 3);
    $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, false);
    placed('server-side', 6);
    $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, true);
}

function transactions(): void
{
    global $db;
    $name = 'SELECT name FROM value WHERE client = ' . CLIENT . ' AND id = 2';
    $change = $db->prepare('UPDATE value SET name = ? WHERE client = ? AND id = 2');
    $db->beginTransaction();
    $change->execute(['kept', CLIENT]);
    $db->commit();
    say('commit', rows($name), $db->inTransaction());
    $db->beginTransaction();
    $change->execute(['undone', CLIENT]);
    $within = [rows($name), $db->inTransaction()];
    $db->rollBack();
    say('rollback', $within, rows($name));
    $db->beginTransaction();
    $change->execute(['first', CLIENT]);
    $db->exec('SAVEPOINT here');
    $change->execute(['second', CLIENT]);
    $db->exec('ROLLBACK TO SAVEPOINT here');
    $db->commit();
    say('savepoint', rows($name));
}

function answers(): void
{
    global $db;
    $db->exec('INSERT INTO ' . OWN . " (name) VALUES ('a'), ('b'), ('c')");
    $own = $db->lastInsertId();
    $db->exec('INSERT INTO entry (client, sequence, note) VALUES (' . -CLIENT . ", 1, 'script')");
    $told = (int) $db->lastInsertId();
    $asked = (int) rows('SELECT LAST_INSERT_ID()')[0][0];
    $stored = (int) rows('SELECT MAX(id) FROM entry WHERE client = ?', [-CLIENT])[0][0];
    say('last-insert-id', $own, $told === $asked && $told === $stored);
    $change = 'UPDATE ' . OWN . ' SET more = 8';
    say('affected', $db->exec($change), $db->exec($change));
    $ignored = $db->query('INSERT IGNORE INTO value (client, id, name) VALUES (' . CLIENT . ", 1, 'again')");
    say('warnings', $ignored->rowCount(), $db->getWarningCount(), rows('SHOW WARNINGS'));
    say('duplicate', failure('INSERT INTO value (client, id) VALUES (' . CLIENT . ', 1)'));
    say('no-table', failure('SELECT * FROM nowhere'), failure('SELECT FROM WHERE'));
}

function many_results(): void
{
    global $db;
    $several = $db->query("SELECT 1, 'one'; UPDATE " . OWN . ' SET more = 9 WHERE id = 1; SELECT id, more FROM ' . OWN);
    $found = [];
    do {
        $found[] = $several->columnCount() === 0 ? $several->rowCount() : $several->fetchAll();
    } while ($several->nextRowset());
    say('multi', $found);
    $db->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, false);
    $count = $total = 0;
    foreach ($db->query('SELECT id, text FROM many ORDER BY id') as [$id, $text]) {
        $count++;
        $total += $id * strlen($text);
    }
    say('many', $count, $total);
    $db->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, true);
}

function script(): void
{
    global $db;
    echo "client\t", PHP_VERSION, "\n";
    say('hello', rows('SELECT VERSION(), DATABASE(), CURRENT_USER(), @@character_set_client'));
    say('attributes', rows(ATTRIBUTES), $db->getAttribute(PDO::ATTR_SERVER_VERSION));
    $db->exec('DROP TABLE IF EXISTS ' . OWN);
    $db->exec('CREATE TABLE ' . OWN . ' (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE)');
    $db->exec('ALTER TABLE ' . OWN . ' ADD COLUMN more INT DEFAULT 7');
    say('ddl', rows('SHOW COLUMNS FROM ' . OWN));
    typed_values();
    transactions();
    answers();
    many_results();
    $db->exec("SET SESSION time_zone = '+02:00', sql_mode = 'ANSI_QUOTES'");
    say('settings', rows('SELECT "stamp", @@time_zone FROM "value" WHERE client = ' . CLIENT . ' AND id = 1'));
}

if (WRITES) {
    $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, false);
    $insert = $db->prepare('INSERT INTO entry (client, sequence, note) VALUES (?, ?, ?)');
    $found = $db->prepare('SELECT COUNT(*) FROM entry WHERE client = ? AND sequence = ?');
    write_until_stopped(function (int $sequence) use ($db, $insert, $found): int {
        if ($sequence % 2 === 0) {
            $insert->execute([CLIENT, $sequence, 'autocommit']);
        } else {
            $db->beginTransaction();
            $insert->execute([CLIENT, $sequence, 'transaction']);
            $db->exec('UPDATE counter SET n = n + 1 WHERE client = ' . CLIENT);
            $db->commit();
        }
        $found->execute([CLIENT, $sequence]);
        return (int) $found->fetchColumn();
    });
} else {
    script();
}
