#!/bin/sh
# The common script, and the writes across a switch, through MySQL's own client, whose command comes as arguments, as a
# job of cron would use it. See ../README.md.
set -u

if [ "$TLS" = required ]; then tls=--ssl-mode=REQUIRED; else tls='--ssl-mode=DISABLED --get-server-public-key'; fi
if [ "$COMPRESS" = yes ]; then tls="$tls --compression-algorithms=zstd"; fi
export MYSQL_PWD="$PASSWORD"
client="$CLIENT"
own="own_$client"

mysql() {
  # shellcheck disable=SC2086 # several options
  "$@" --protocol=TCP --host="$HOST" --port="$PORT" --user="$USER" $tls --default-character-set=utf8mb4 \
    --local-infile=1 --commands --database=ledger --batch --skip-column-names $more
}

# Prints a step's name and all that the client prints, on one line.
step() {
  name="$1"
  shift
  printf '%s\t' "$name"
  mysql "$@" 2>&1 | tr '\n\t' '|,'
  echo
}

script() {
  more=''
  printf 'client\t%s\n' "$("$@" --version | sed 's/.*Ver \([^ ]*\).*/\1/')"
  step hello "$@" <<SQL
SELECT VERSION(), DATABASE(), CURRENT_USER(), @@character_set_client;
SQL
  step attributes "$@" <<SQL
SELECT ATTR_NAME, ATTR_VALUE FROM performance_schema.session_account_connect_attrs
  WHERE PROCESSLIST_ID = CONNECTION_ID() AND ATTR_NAME IN ('_client_name', 'program_name') ORDER BY 1;
SQL
  # Names for completion are asked of every table, at whichever home it is.
  more='--auto-rehash'
  step ddl "$@" <<SQL
DROP TABLE IF EXISTS $own;
CREATE TABLE $own (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE);
ALTER TABLE $own ADD COLUMN more INT DEFAULT 7;
DESCRIBE $own;
SHOW CREATE TABLE value;
SHOW TABLES LIKE '$own';
SQL
  more='--binary-as-hex'
  step text "$@" <<SQL
DELETE FROM value WHERE client = $client;
INSERT INTO value VALUES ($client, 1, -128, -9223372036854775808, 18446744073709551615,
  12345678901234567890.0123456789, 0.1, '2024-02-29', '2024-02-29 23:59:59.123456', '2024-06-01 10:00:00.000001',
  '-100:59:59.000001', 2155, 'Zoë 🚲 it''s', x'00FF275C0A1A', REPEAT(x'80', 300), '{"a": [1, null, "é"]}', 'b', 'x,y',
  341);
INSERT INTO value (client, id) VALUES ($client, 2);
SELECT * FROM value WHERE client = $client ORDER BY id;
SQL
  more=''
  file="$(mktemp)"
  printf '3\tZoë 🚲\n4\t\\N\n5\t\n' >"$file"
  step client-side "$@" <<SQL
LOAD DATA LOCAL INFILE '$file' INTO TABLE value (id, name) SET client = $client;
SELECT ROW_COUNT();
SELECT id, name FROM value WHERE client = $client AND id >= 3 ORDER BY id;
SQL
  rm -f "$file"
  rows="$client AND id = 2"
  step commit "$@" <<SQL
BEGIN; UPDATE value SET name = 'kept' WHERE client = $rows; COMMIT;
SELECT name FROM value WHERE client = $rows;
SQL
  step rollback "$@" <<SQL
SET autocommit = 0; UPDATE value SET name = 'undone' WHERE client = $rows;
SELECT name FROM value WHERE client = $rows; ROLLBACK; SELECT name FROM value WHERE client = $rows;
SQL
  step savepoint "$@" <<SQL
START TRANSACTION; UPDATE value SET name = 'first' WHERE client = $rows; SAVEPOINT here;
UPDATE value SET name = 'second' WHERE client = $rows; ROLLBACK TO SAVEPOINT here; COMMIT;
SELECT name FROM value WHERE client = $rows;
SQL
  step last-insert-id "$@" <<SQL
INSERT INTO $own (name) VALUES ('a'), ('b'), ('c'); SELECT LAST_INSERT_ID();
INSERT INTO entry (client, sequence, note) VALUES (-$client, 1, 'script');
SELECT LAST_INSERT_ID() INTO @told; SELECT @told = MAX(id) FROM entry WHERE client = -$client;
SQL
  more='--verbose --verbose'
  step affected "$@" <<SQL
UPDATE $own SET more = 8; UPDATE $own SET more = 8;
SQL
  step warnings "$@" <<SQL
INSERT IGNORE INTO value (client, id, name) VALUES ($client, 1, 'again'); SHOW WARNINGS;
warnings; INSERT IGNORE INTO value (client, id, name) VALUES ($client, 1, 'again');
SQL
  more='--force'
  step duplicate "$@" <<SQL
INSERT INTO value (client, id) VALUES ($client, 1);
SQL
  step no-table "$@" <<SQL
SELECT * FROM nowhere; SELECT FROM WHERE; SELECT 'goes on';
SQL
  more=''
  step multi "$@" <<SQL
DELIMITER //
SELECT 1, 'one'; UPDATE $own SET more = 9 WHERE id = 1; SELECT id, more FROM $own //
SQL
  more='--quick'
  printf 'many\t'
  echo 'SELECT id, text FROM many ORDER BY id' | mysql "$@" |
    awk -F '\t' '{ count++; total += $1 * length($2) } END { printf "%d\t%d\n", count, total }'
  more=''
  step settings "$@" <<SQL
SET SESSION time_zone = '+02:00', sql_mode = 'ANSI_QUOTES';
SELECT "stamp", @@time_zone FROM "value" WHERE client = $client AND id = 1;
SQL
  printf 'ping\t'
  echo '\s' | mysql "$@" | grep -E '^(Current (database|user)|Server version|Protocol version|(Db|Client|Conn\.).*characterset)' | tr '\n\t' '|,'
  echo
  step reset "$@" <<'SQL'
SET @x = 5, time_zone = '+02:00';
\x
SELECT @x, DATABASE(), @@time_zone;
SQL
}

# Each line is read when the one before has been answered, and its answer is printed at once.
writes() {
  more='--unbuffered'
  sequence=0
  while [ ! -e "$STOP" ]; do
    sequence=$((sequence + 1))
    insert="INSERT INTO entry (client, sequence, note) VALUES ($client, $sequence, 'mysql');"
    if [ $((sequence % 2)) -eq 1 ]; then
      insert="BEGIN; $insert UPDATE counter SET n = n + 1 WHERE client = $client; COMMIT;"
    fi
    echo "$insert SELECT 'ack', sequence FROM entry WHERE client = $client AND sequence = $sequence;"
    sleep 0.03
  done | mysql "$@"
}

if [ "$MODE" = writes ]; then writes "$@"; else script "$@"; fi
