# frozen_string_literal: true

# The common script, and the writes across a switch, through mysql2 for Ruby. See ../README.md.
require 'mysql2'
require 'bigdecimal'

$stdout.sync = true
CLIENT = Integer(ENV.fetch('CLIENT'))
OWN = "own_#{CLIENT}"
EVERY_VALUE = [
  -128, -9_223_372_036_854_775_808, '18446744073709551615', BigDecimal('12345678901234567890.0123456789'), 0.1,
  '2024-02-29', '2024-02-29 23:59:59.123456', '2024-06-01 10:00:00.000001', '12:34:56.000001', 2155,
  "Zoë 🚲 it's \\ \"q\"", "\x00\xff'\\\n\x1a".b, ("\x80" * 300).b, '{"a": [1, null, "é"]}', 'b', 'x,y', 341
].freeze

def connect
  tls = ENV.fetch('TLS') == 'required'
  Mysql2::Client.new(
    host: ENV.fetch('HOST'), port: Integer(ENV.fetch('PORT')), username: ENV.fetch('USER'),
    password: ENV.fetch('PASSWORD'), database: 'ledger', encoding: 'utf8mb4', as: :array,
    flags: Mysql2::Client::MULTI_STATEMENTS | (ENV.fetch('COMPRESS') == 'yes' ? Mysql2::Client::COMPRESS : 0), ssl_mode: tls ? :required : :disabled,
    connect_attrs: { program_name: 'common-script' }
  )
end

DB = connect

def say(step, *found)
  puts([step, *found.map { |value| text(value) }].join("\t"))
end

def text(value)
  case value
  when Array then "[#{value.map { |one| text(one) }.join(', ')}]"
  when Time then value.strftime('%F %T.%6N %z')
  when BigDecimal then value.to_s('F')
  else value.inspect
  end
end

def rows(sql) = DB.query(sql).to_a

def failure(sql)
  DB.query(sql)
  'no error'
rescue Mysql2::Error => e
  [e.error_number, e.sql_state, e.message]
end

def values
  found = "SELECT * FROM value WHERE client = #{CLIENT} AND id"
  DB.query("DELETE FROM value WHERE client = #{CLIENT}")
  DB.query(<<~SQL)
    INSERT INTO value VALUES (#{CLIENT}, 1, -128, -9223372036854775808, 18446744073709551615,
      12345678901234567890.0123456789, 0.1, '2024-02-29', '2024-02-29 23:59:59.123456', '2024-06-01 10:00:00.000001',
      '-100:59:59.000001', 2155, 'Zoë 🚲 it''s', x'00FF275C0A1A', REPEAT(x'80', 300), '{"a": [1, null, "é"]}', 'b',
      'x,y', 341)
  SQL
  DB.query("INSERT INTO value (client, id) VALUES (#{CLIENT}, 2)")
  # Its own type for a time of day holds no negative one.
  say('text', *DB.query("#{found} <= 2 ORDER BY id", cast: false).to_a)
  quoted = EVERY_VALUE.map do |value|
    value.is_a?(String) ? "_binary'#{DB.escape(value.b)}'" : text(value)
  end
  quoted[13] = %('#{EVERY_VALUE[13]}')
  DB.query("INSERT INTO value VALUES (#{CLIENT}, 3, #{quoted.map { |one| one.dup.force_encoding('UTF-8') }.join(', ')})")
  say('client-side', rows("#{found} = 3"))
  # A statement that is left to the collector of garbage is closed at any time, which ends a stream of rows unsaid.
  insert = DB.prepare("INSERT INTO value VALUES (?, ?, #{(['?'] * 17).join(', ')})")
  insert.execute(CLIENT, 4, *EVERY_VALUE)
  insert.close
  some = DB.prepare('INSERT INTO value (client, id, name) VALUES (?, ?, ?)')
  some.execute(CLIENT, 5, nil)
  some.execute(CLIENT, 6, '')
  some.close
  select = DB.prepare("#{found} >= ? ORDER BY id")
  say('server-side', select.execute(4, as: :array).to_a)
  select.close
end

def transactions
  name = "SELECT name FROM value WHERE client = #{CLIENT} AND id = 2"
  change = ->(to) { DB.query("UPDATE value SET name = '#{to}' WHERE client = #{CLIENT} AND id = 2") }
  DB.query('BEGIN')
  change.call('kept')
  DB.query('COMMIT')
  say('commit', rows(name))
  DB.query('START TRANSACTION')
  change.call('undone')
  within = rows(name)
  DB.query('ROLLBACK')
  say('rollback', within, rows(name))
  DB.query('BEGIN')
  change.call('first')
  DB.query('SAVEPOINT here')
  change.call('second')
  DB.query('ROLLBACK TO SAVEPOINT here')
  DB.query('COMMIT')
  say('savepoint', rows(name))
end

def answers
  DB.query("INSERT INTO #{OWN} (name) VALUES ('a'), ('b'), ('c')")
  own = DB.last_id
  DB.query("INSERT INTO entry (client, sequence, note) VALUES (#{-CLIENT}, 1, 'script')")
  told = DB.last_id
  asked = rows('SELECT LAST_INSERT_ID()')[0][0]
  stored = rows("SELECT MAX(id) FROM entry WHERE client = #{-CLIENT}")[0][0]
  say('last-insert-id', own, told == asked && told == stored)
  counts = [1, 2].map do
    DB.query("UPDATE #{OWN} SET more = 8")
    [DB.affected_rows, DB.query_info]
  end
  say('affected', counts)
  DB.query("INSERT IGNORE INTO value (client, id, name) VALUES (#{CLIENT}, 1, 'again')")
  say('warnings', DB.affected_rows, DB.warning_count, rows('SHOW WARNINGS'))
  say('duplicate', failure("INSERT INTO value (client, id) VALUES (#{CLIENT}, 1)"))
  say('no-table', failure('SELECT * FROM nowhere'), failure('SELECT FROM WHERE'))
end

def many_results
  found = [DB.query("SELECT 1, 'one'; UPDATE #{OWN} SET more = 9 WHERE id = 1; SELECT id, more FROM #{OWN}").to_a]
  found << DB.store_result&.to_a while DB.next_result
  say('multi', found)
  count = total = 0
  DB.query('SELECT id, text FROM many ORDER BY id', stream: true, cache_rows: false).each do |id, text|
    count += 1
    total += id * text.length
  end
  say('many', count, total)
end

def script
  puts "client\t#{Mysql2::VERSION}"
  say('hello', rows('SELECT VERSION(), DATABASE(), CURRENT_USER(), @@character_set_client'), DB.server_info)
  say('attributes', rows(<<~SQL))
    SELECT ATTR_NAME, ATTR_VALUE FROM performance_schema.session_account_connect_attrs
    WHERE PROCESSLIST_ID = CONNECTION_ID() AND ATTR_NAME IN ('_client_name', 'program_name') ORDER BY 1
  SQL
  DB.query("DROP TABLE IF EXISTS #{OWN}")
  DB.query("CREATE TABLE #{OWN} (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE)")
  DB.query("ALTER TABLE #{OWN} ADD COLUMN more INT DEFAULT 7")
  say('ddl', rows("SHOW COLUMNS FROM #{OWN}"))
  values
  transactions
  answers
  many_results
  DB.query("SET SESSION time_zone = '+02:00', sql_mode = 'ANSI_QUOTES'")
  say('settings', rows(%(SELECT "stamp", @@time_zone FROM "value" WHERE client = #{CLIENT} AND id = 1)))
  say('ping', DB.ping)
end

def writes
  insert = DB.prepare('INSERT INTO entry (client, sequence, note) VALUES (?, ?, ?)')
  found = DB.prepare('SELECT COUNT(*) FROM entry WHERE client = ? AND sequence = ?')
  (1..).each do |sequence|
    break if File.exist?(ENV.fetch('STOP'))

    if sequence.even?
      insert.execute(CLIENT, sequence, 'autocommit')
    else
      DB.query('BEGIN')
      insert.execute(CLIENT, sequence, 'transaction')
      DB.query("UPDATE counter SET n = n + 1 WHERE client = #{CLIENT}")
      DB.query('COMMIT')
    end
    copies = found.execute(CLIENT, sequence, as: :array).first[0]
    abort "write #{sequence} is there #{copies} times" if copies != 1
    puts "ack\t#{sequence}"
    sleep 0.02
  end
end

ENV.fetch('MODE') == 'writes' ? writes : script
DB.close
