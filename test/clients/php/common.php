<?php
declare(strict_types=1);

// What the runner tells every client program; see ../README.md.
define('HOST', getenv('HOST'));
define('PORT', (int) getenv('PORT'));
define('USER', getenv('USER'));
define('PASSWORD', getenv('PASSWORD'));
define('TLS', getenv('TLS') === 'required');
define('COMPRESS', getenv('COMPRESS') === 'yes');
define('CLIENT', (int) getenv('CLIENT'));
define('WRITES', getenv('MODE') === 'writes');
define('OWN', 'own_' . CLIENT);

/** A value for each column of ledger.value but the first two. */
const EVERY_VALUE = [
    -128, '-9223372036854775808', '18446744073709551615', '12345678901234567890.0123456789', 0.1, '2024-02-29',
    '2024-02-29 23:59:59.123456', '2024-06-01 10:00:00.000001', '-100:59:59.000001', 2155, 'Zoë 🚲 it\'s \\ "q"',
    "\x00\xff'\\\n\x1a", "\x80\x80", '{"a": [1, null, "é"]}', 'b', 'x,y', 341,
];

/** The same values, as SQL. */
const EVERY_LITERAL = "-128, -9223372036854775808, 18446744073709551615, 12345678901234567890.0123456789, 0.1,
    '2024-02-29', '2024-02-29 23:59:59.123456', '2024-06-01 10:00:00.000001', '-100:59:59.000001', 2155,
    'Zoë 🚲 it''s', x'00FF275C0A1A', REPEAT(x'80', 300), '{\"a\": [1, null, \"é\"]}', 'b', 'x,y', 341";

const ATTRIBUTES = "SELECT ATTR_NAME, ATTR_VALUE
    FROM performance_schema.session_account_connect_attrs WHERE PROCESSLIST_ID = CONNECTION_ID()
    AND ATTR_NAME IN ('_client_name', '_client_version') ORDER BY 1";

/** Tells the runner what a step of the common script has found. */
function say(string $step, mixed ...$found): void
{
    echo $step, "\t", implode("\t", array_map(fn ($value) => text($value), $found)), "\n";
}

function text(mixed $value): string
{
    if (is_array($value)) {
        return '[' . implode(', ', array_map(fn ($one) => text($one), $value)) . ']';
    }
    // What is no text is shown by its bytes.
    $shown = is_string($value) && !preg_match('/^[^\x00-\x1f\x7f]*$/u', $value) ? bin2hex($value) : $value;
    return var_export($shown, true);
}

/** Writes and reads until the runner has seen enough, and tells of each write once it is acknowledged. */
function write_until_stopped(callable $write): void
{
    for ($sequence = 1; !file_exists(getenv('STOP')); $sequence++) {
        $copies = $write($sequence);
        if ($copies !== 1) {
            throw new RuntimeException("write $sequence is there $copies times");
        }
        echo "ack\t$sequence\n";
        usleep(20_000);
        clearstatcache();
    }
}
