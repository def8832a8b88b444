// The common script, and the writes across a switch, through the Go driver. See ../README.md.
package main

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

const insert = "INSERT INTO entry (client, sequence, note) VALUES (?, ?, ?)"

var (
	ctx       = context.Background()
	client, _ = strconv.Atoi(os.Getenv("CLIENT"))
	own       = fmt.Sprintf("own_%d", client)
)

var everyValue = []any{
	-128, int64(-9223372036854775808), uint64(18446744073709551615), "12345678901234567890.0123456789", 0.1, "2024-02-29",
	time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC), time.Date(2024, 6, 1, 10, 0, 0, 1000, time.UTC),
	"-100:59:59.000001", 2155, "Zoë 🚲 it's \\ \"q\"", []byte("\x00\xff'\\\n\x1a"), []byte(strings.Repeat("\x80", 300)),
	`{"a": [1, null, "é"]}`, "b", "x,y", 341,
}

const everyLiteral = `-128, -9223372036854775808, 18446744073709551615, 12345678901234567890.0123456789, 0.1,
	'2024-02-29', '2024-02-29 23:59:59.123456', '2024-06-01 10:00:00.000001', '-100:59:59.000001', 2155,
	'Zoë 🚲 it''s', x'00FF275C0A1A', REPEAT(x'80', 300), '{"a": [1, null, "é"]}', 'b', 'x,y', 341`

// open makes a pool; interpolate says whether parameters are put into the text by the driver.
func open(interpolate bool) *sql.DB {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", os.Getenv("HOST")+":"+os.Getenv("PORT")
	config.User, config.Passwd, config.DBName = os.Getenv("USER"), os.Getenv("PASSWORD"), "ledger"
	config.InterpolateParams, config.MultiStatements, config.ParseTime = interpolate, true, true
	config.ConnectionAttributes = "program_name:common-script"
	if os.Getenv("TLS") == "required" {
		config.TLS = &tls.Config{InsecureSkipVerify: true}
	}
	check(config.Apply(mysql.EnableCompression(os.Getenv("COMPRESS") == "yes")))
	connector, err := mysql.NewConnector(config)
	check(err)
	return sql.OpenDB(connector)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func say(step string, found ...any) {
	texts := []string{step}
	for _, value := range found {
		texts = append(texts, text(value))
	}
	fmt.Println(strings.Join(texts, "\t"))
}

func text(value any) string {
	switch it := value.(type) {
	case []any:
		texts := make([]string, len(it))
		for i, one := range it {
			texts[i] = text(one)
		}
		return "[" + strings.Join(texts, ", ") + "]"
	case [][]any:
		texts := make([]string, len(it))
		for i, one := range it {
			texts[i] = text(one)
		}
		return "[" + strings.Join(texts, ", ") + "]"
	case []byte:
		return fmt.Sprintf("bytes %q", it)
	case time.Time:
		return it.Format(time.RFC3339Nano)
	default:
		return fmt.Sprintf("%T %#v", it, it)
	}
}

func read(rows *sql.Rows) [][]any {
	types, err := rows.ColumnTypes()
	check(err)
	found := [][]any{}
	for rows.Next() {
		row, places := make([]any, len(types)), make([]any, len(types))
		for i := range row {
			places[i] = &row[i]
		}
		check(rows.Scan(places...))
		found = append(found, row)
	}
	check(rows.Err())
	return found
}

func rows(on *sql.Conn, query string, values ...any) [][]any {
	found, err := on.QueryContext(ctx, query, values...)
	check(err)
	defer found.Close()
	return read(found)
}

func run(on *sql.Conn, query string, values ...any) (id, affected int64) {
	result, err := on.ExecContext(ctx, query, values...)
	check(err)
	id, err = result.LastInsertId()
	check(err)
	affected, err = result.RowsAffected()
	check(err)
	return id, affected
}

func failure(on *sql.Conn, query string) []any {
	_, err := on.ExecContext(ctx, query)
	var told *mysql.MySQLError
	if errors.As(err, &told) {
		return []any{told.Number, string(told.SQLState[:]), told.Message}
	}
	return []any{"no error of the server", err}
}

func placed(step string, on *sql.Conn, first int) {
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(everyValue)), ", ")
	run(on, "INSERT INTO value VALUES (?, ?, "+marks+")", append([]any{client, first}, everyValue...)...)
	some, err := on.PrepareContext(ctx, "INSERT INTO value (client, id, name) VALUES (?, ?, ?)")
	check(err)
	defer some.Close()
	for i, name := range []any{nil, ""} {
		_, err := some.ExecContext(ctx, client, first+1+i, name)
		check(err)
	}
	say(step, rows(on, "SELECT * FROM value WHERE client = ? AND id >= ? ORDER BY id", client, first))
}

func values(on, interpolating *sql.Conn) {
	run(on, fmt.Sprintf("DELETE FROM value WHERE client = %d", client))
	run(on, fmt.Sprintf("INSERT INTO value VALUES (%d, 1, %s)", client, everyLiteral))
	run(on, fmt.Sprintf("INSERT INTO value (client, id) VALUES (%d, 2)", client))
	say("text", rows(on, fmt.Sprintf("SELECT * FROM value WHERE client = %d ORDER BY id", client)))
	placed("client-side", interpolating, 3)
	placed("server-side", on, 6)
}

func transactions(on *sql.Conn) {
	name := fmt.Sprintf("SELECT name FROM value WHERE client = %d AND id = 2", client)
	change := "UPDATE value SET name = ? WHERE client = ? AND id = 2"
	begin := func() *sql.Tx {
		tx, err := on.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
		check(err)
		return tx
	}
	exec := func(tx *sql.Tx, query string, values ...any) {
		_, err := tx.Exec(query, values...)
		check(err)
	}
	tx := begin()
	exec(tx, change, "kept", client)
	check(tx.Commit())
	say("commit", rows(on, name))
	tx = begin()
	exec(tx, change, "undone", client)
	within, err := tx.Query(name)
	check(err)
	seen := read(within)
	within.Close()
	check(tx.Rollback())
	say("rollback", seen, rows(on, name))
	tx = begin()
	exec(tx, change, "first", client)
	exec(tx, "SAVEPOINT here")
	exec(tx, change, "second", client)
	exec(tx, "ROLLBACK TO SAVEPOINT here")
	check(tx.Commit())
	say("savepoint", rows(on, name))
}

func answers(on *sql.Conn) {
	ownId, _ := run(on, "INSERT INTO "+own+" (name) VALUES ('a'), ('b'), ('c')")
	told, _ := run(on, insert, -client, 1, "script")
	var asked, stored int64
	check(on.QueryRowContext(ctx, "SELECT LAST_INSERT_ID()").Scan(&asked))
	check(on.QueryRowContext(ctx, "SELECT MAX(id) FROM entry WHERE client = ?", -client).Scan(&stored))
	say("last-insert-id", ownId, told == asked && told == stored)
	_, first := run(on, "UPDATE "+own+" SET more = 8")
	_, second := run(on, "UPDATE "+own+" SET more = 8")
	say("affected", first, second)
	_, ignored := run(on, fmt.Sprintf("INSERT IGNORE INTO value (client, id, name) VALUES (%d, 1, 'again')", client))
	say("warnings", ignored, rows(on, "SHOW WARNINGS"))
	say("duplicate", failure(on, fmt.Sprintf("INSERT INTO value (client, id) VALUES (%d, 1)", client)))
	say("no-table", failure(on, "SELECT * FROM nowhere"), failure(on, "SELECT FROM WHERE"))
}

func manyResults(on *sql.Conn) {
	several, err := on.QueryContext(ctx, "SELECT 1, 'one'; UPDATE "+own+" SET more = 9 WHERE id = 1; SELECT id, more FROM "+own)
	check(err)
	all := []any{read(several)}
	for several.NextResultSet() {
		all = append(all, read(several))
	}
	several.Close()
	say("multi", all)
	stream, err := on.QueryContext(ctx, "SELECT id, text FROM many ORDER BY id")
	check(err)
	count, total := 0, 0
	for stream.Next() {
		var id int
		var content string
		check(stream.Scan(&id, &content))
		count, total = count+1, total+id*len(content)
	}
	check(stream.Err())
	fmt.Printf("many\t%d\t%d\n", count, total)
}

func script() {
	pool, interpolating := open(false), open(true)
	on, err := pool.Conn(ctx)
	check(err)
	other, err := interpolating.Conn(ctx)
	check(err)
	fmt.Printf("client\t%s\n", runtime.Version())
	say("hello", rows(on, "SELECT VERSION(), DATABASE(), CURRENT_USER(), @@character_set_client"))
	say("attributes", rows(on, `SELECT ATTR_NAME, ATTR_VALUE
		FROM performance_schema.session_account_connect_attrs WHERE PROCESSLIST_ID = CONNECTION_ID()
		AND ATTR_NAME IN ('_client_name', 'program_name') ORDER BY 1`))
	run(on, "DROP TABLE IF EXISTS "+own)
	run(on, "CREATE TABLE "+own+" (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE)")
	run(on, "ALTER TABLE "+own+" ADD COLUMN more INT DEFAULT 7")
	say("ddl", rows(on, "SHOW COLUMNS FROM "+own))
	values(on, other)
	transactions(on)
	answers(on)
	manyResults(on)
	run(on, "SET SESSION time_zone = '+02:00', sql_mode = 'ANSI_QUOTES'")
	say("settings", rows(on, fmt.Sprintf(`SELECT "stamp", @@time_zone FROM "value" WHERE client = %d AND id = 1`, client)))
	check(on.PingContext(ctx))
	say("ping", true)
}

func writes() {
	on, err := open(false).Conn(ctx)
	check(err)
	prepared, err := on.PrepareContext(ctx, insert)
	check(err)
	for sequence := 1; ; sequence++ {
		if _, err := os.Stat(os.Getenv("STOP")); err == nil {
			return
		}
		if sequence%2 == 0 {
			_, err = prepared.Exec(client, sequence, "autocommit")
			check(err)
		} else {
			tx, err := on.BeginTx(ctx, nil)
			check(err)
			_, err = tx.Stmt(prepared).Exec(client, sequence, "transaction")
			check(err)
			_, err = tx.Exec("UPDATE counter SET n = n + 1 WHERE client = ?", client)
			check(err)
			check(tx.Commit())
		}
		var copies int
		found := on.QueryRowContext(ctx, "SELECT COUNT(*) FROM entry WHERE client = ? AND sequence = ?", client, sequence)
		check(found.Scan(&copies))
		if copies != 1 {
			log.Fatalf("write %d is there %d times", sequence, copies)
		}
		fmt.Printf("ack\t%d\n", sequence)
		time.Sleep(20 * time.Millisecond)
	}
}

func main() {
	if os.Getenv("MODE") == "writes" {
		writes()
	} else {
		script()
	}
}
