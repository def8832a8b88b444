# The common script, and the writes across a switch, through DBD::mysql or DBD::MariaDB. See ../README.md.
use strict;
use warnings;
use utf8;
use DBI;

binmode STDOUT, ':utf8';
$| = 1;

my $driver = $ENV{DRIVER};
# The two share their options, each under its own prefix.
my $prefix = lc $driver;
my $client = $ENV{CLIENT};
my $own    = "own_$client";
my $tls    = $ENV{TLS} eq 'required';

my @every_value = (
    -128, '-9223372036854775808', '18446744073709551615', '12345678901234567890.0123456789', '0.1', '2024-02-29',
    '2024-02-29 23:59:59.123456', '2024-06-01 10:00:00.000001', '-100:59:59.000001', 2155, qq{Zoë 🚲 it's \\ "q"},
    'bytes', "\n\t'", '{"a": [1, null, "é"]}', 'b', 'x,y', 341,
);

sub connection {
    my $options = "dbname=ledger;host=$ENV{HOST};port=$ENV{PORT};${prefix}_multi_statements=1";
    $options .= $tls ? ";${prefix}_ssl=1" : '';
    $options .= ";${prefix}_compression=1" if $ENV{COMPRESS} eq 'yes';
    # libmariadb asks for the server's key by itself.
    my %utf8 = $driver eq 'mysql' ? (mysql_enable_utf8mb4 => 1) : ();
    return DBI->connect("DBI:$driver:$options", $ENV{USER}, $ENV{PASSWORD},
        { RaiseError => 1, PrintError => 0, AutoCommit => 1, %utf8 });
}

sub text {
    my ($value) = @_;
    return 'NULL' unless defined $value;
    return '[' . join(', ', map { text($_) } @$value) . ']' if ref $value;
    # What is not to be printed is shown by its number.
    $value =~ s/([^\x20-\x7e\x{a0}-\x{1ffff}])/sprintf '\\x{%02x}', ord $1/ge;
    return "'$value'";
}

sub say_step {
    my ($step, @found) = @_;
    print join("\t", $step, map { text($_) } @found), "\n";
}

my $dbh = connection();

sub rows { my ($sql, @values) = @_; return $dbh->selectall_arrayref($sql, {}, @values) }

sub failure {
    my ($sql) = @_;
    return 'no error' if eval { $dbh->do($sql); 1 };
    return [$dbh->err, $dbh->state, $dbh->errstr];
}

sub values_step {
    my ($step, $first, $server_side) = @_;
    my %how   = ("${prefix}_server_prepare" => $server_side);
    my $marks = join ', ', ('?') x @every_value;
    my $insert = $dbh->prepare("INSERT INTO value VALUES (?, ?, $marks)", \%how);
    my @all    = ($client, $first, @every_value);
    # A column of bits takes no digits as text.
    $insert->bind_param($_, $all[$_ - 1], $_ == @all ? DBI::SQL_INTEGER : ()) for 1 .. @all;
    $insert->execute;
    my $some = $dbh->prepare('INSERT INTO value (client, id, name) VALUES (?, ?, ?)', \%how);
    $some->execute($client, $first + 1, undef);
    $some->execute($client, $first + 2, '');
    my $found = $dbh->prepare('SELECT * FROM value WHERE client = ? AND id BETWEEN ? AND ? ORDER BY id', \%how);
    $found->execute($client, $first, $first + 2);
    say_step($step, @{ $found->fetchall_arrayref });
}

sub typed_values {
    $dbh->do("DELETE FROM value WHERE client = $client");
    $dbh->do(qq{INSERT INTO value VALUES ($client, 1, -128, -9223372036854775808, 18446744073709551615,
        12345678901234567890.0123456789, 0.1, '2024-02-29', '2024-02-29 23:59:59.123456', '2024-06-01 10:00:00.000001',
        '-100:59:59.000001', 2155, 'Zoë 🚲 it''s', x'00FF275C0A1A', REPEAT(x'80', 300), '{"a": [1, null, "é"]}', 'b',
        'x,y', 341)});
    $dbh->do("INSERT INTO value (client, id) VALUES ($client, 2)");
    say_step('text', @{ rows("SELECT * FROM value WHERE client = $client AND id <= 2 ORDER BY id") });
    values_step('client-side', 3, 0);
    values_step('server-side', 6, 1);
}

sub transactions {
    my $name   = "SELECT name FROM value WHERE client = $client AND id = 2";
    my $change = "UPDATE value SET name = ? WHERE client = $client AND id = 2";
    $dbh->begin_work;
    $dbh->do($change, {}, 'kept');
    $dbh->commit;
    say_step('commit', rows($name));
    # Without autocommit a transaction begins by itself.
    $dbh->{AutoCommit} = 0;
    $dbh->do($change, {}, 'undone');
    my $within = rows($name);
    $dbh->rollback;
    say_step('rollback', $within, rows($name));
    $dbh->do($change, {}, 'first');
    $dbh->do('SAVEPOINT here');
    $dbh->do($change, {}, 'second');
    $dbh->do('ROLLBACK TO SAVEPOINT here');
    $dbh->commit;
    $dbh->{AutoCommit} = 1;
    say_step('savepoint', rows($name));
}

sub answers {
    $dbh->do("INSERT INTO $own (name) VALUES ('a'), ('b'), ('c')");
    my $own_id = $dbh->last_insert_id(undef, undef, $own, 'id');
    $dbh->do('INSERT INTO entry (client, sequence, note) VALUES (?, 1, ?)', {}, -$client, 'script');
    my $told   = $dbh->{"${prefix}_insertid"};
    my $asked  = rows('SELECT LAST_INSERT_ID()')->[0][0];
    my $stored = rows('SELECT MAX(id) FROM entry WHERE client = ?', -$client)->[0][0];
    say_step('last-insert-id', $own_id, $told == $asked && $told == $stored ? 'same' : 'other');
    say_step('affected', map { $dbh->do("UPDATE $own SET more = 8") } 1, 2);
    my $ignored = $dbh->do("INSERT IGNORE INTO value (client, id, name) VALUES ($client, 1, 'again')");
    my $count   = $dbh->{"${prefix}_warning_count"};
    say_step('warnings', $ignored, $count, rows('SHOW WARNINGS'));
    say_step('duplicate', failure("INSERT INTO value (client, id) VALUES ($client, 1)"));
    say_step('no-table', failure('SELECT * FROM nowhere'), failure('SELECT FROM WHERE'));
}

sub many_results {
    my $several = $dbh->prepare("SELECT 1, 'one'; UPDATE $own SET more = 9 WHERE id = 1; SELECT id, more FROM $own");
    $several->execute;
    my @found;
    do { push @found, $several->{NUM_OF_FIELDS} ? $several->fetchall_arrayref : $several->rows } while $several->more_results;
    say_step('multi', @found);
    # At the server itself DBD::MariaDB gives no row at all when it is to read one after the other.
    my %streamed = $driver eq 'mysql' ? (mysql_use_result => 1) : ();
    my $stream   = $dbh->prepare('SELECT id, text FROM many ORDER BY id', \%streamed);
    $stream->execute;
    my ($count, $total) = (0, 0);
    while (my ($id, $text) = $stream->fetchrow_array) { $count++; $total += $id * length $text }
    print "many\t$count\t$total\n";
}

sub session {
    $dbh->do("SET SESSION time_zone = '+02:00', sql_mode = 'ANSI_QUOTES'");
    say_step('settings', rows(qq{SELECT "stamp", \@\@time_zone FROM "value" WHERE client = $client AND id = 1}));
    say_step('ping', $dbh->ping);
}

sub script {
    no strict 'refs';
    print "client\t", ${"DBD::${driver}::VERSION"}, "\n";
    say_step('hello', rows('SELECT VERSION(), DATABASE(), CURRENT_USER(), @@character_set_client'));
    say_step('attributes', rows(q{SELECT ATTR_NAME, ATTR_VALUE
        FROM performance_schema.session_account_connect_attrs WHERE PROCESSLIST_ID = CONNECTION_ID()
        AND ATTR_NAME IN ('_client_name', '_client_version') ORDER BY 1}));
    $dbh->do("DROP TABLE IF EXISTS $own");
    $dbh->do("CREATE TABLE $own (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE)");
    $dbh->do("ALTER TABLE $own ADD COLUMN more INT DEFAULT 7");
    say_step('ddl', rows("SHOW COLUMNS FROM $own"));
    typed_values();
    transactions();
    answers();
    many_results();
    session();
}

sub writes {
    my %how    = ("${prefix}_server_prepare" => 1);
    my $insert = $dbh->prepare('INSERT INTO entry (client, sequence, note) VALUES (?, ?, ?)', \%how);
    my $found  = $dbh->prepare('SELECT COUNT(*) FROM entry WHERE client = ? AND sequence = ?', \%how);
    for (my $sequence = 1; !-e $ENV{STOP}; $sequence++) {
        if ($sequence % 2 == 0) {
            $insert->execute($client, $sequence, 'autocommit');
        } else {
            $dbh->begin_work;
            $insert->execute($client, $sequence, 'transaction');
            $dbh->do('UPDATE counter SET n = n + 1 WHERE client = ?', {}, $client);
            $dbh->commit;
        }
        $found->execute($client, $sequence);
        my ($copies) = $found->fetchrow_array;
        $found->finish;
        die "write $sequence is there $copies times" if $copies != 1;
        print "ack\t$sequence\n";
        select undef, undef, undef, 0.02;
    }
}

$ENV{MODE} eq 'writes' ? writes() : script();
$dbh->disconnect;
