import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/** The common script, and the writes across a switch, through MariaDB Connector/J. See ../README.md. */
public class Client {
    static final int CLIENT = Integer.parseInt(System.getenv("CLIENT"));
    static final String OWN = "own_" + CLIENT;
    static final String INSERT = "INSERT INTO entry (client, sequence, note) VALUES (?, ?, ?)";
    static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    static final Object[] EVERY_VALUE = {
        -128, Long.MIN_VALUE, "18446744073709551615", new java.math.BigDecimal("12345678901234567890.0123456789"), 0.1,
        // A date of the language's own is sent in a form that MySQL's servers refuse as malformed.
        "2024-02-29", java.time.LocalDateTime.of(2024, 2, 29, 23, 59, 59, 123456000),
        "2024-06-01 10:00:00.000001", "-100:59:59.000001", 2155, "Zoë 🚲 it's \\ \"q\"",
        new byte[] {0, -1, '\'', '\\', '\n', 0x1a}, new byte[300], "{\"a\": [1, null, \"é\"]}", "b", "x,y", 341,
    };
    static final String EVERY_LITERAL = """
        -128, -9223372036854775808, 18446744073709551615, 12345678901234567890.0123456789, 0.1, '2024-02-29',
        '2024-02-29 23:59:59.123456', '2024-06-01 10:00:00.000001', '-100:59:59.000001', 2155, 'Zoë 🚲 it''s',
        x'00FF275C0A1A', REPEAT(x'80', 300), '{"a": [1, null, "é"]}', 'b', 'x,y', 341""";

    final Connection db;
    /** Whether its parameters go to the server as such, or into the text. */
    final boolean serverSide;

    Client(boolean serverSide) throws SQLException {
        this.serverSide = serverSide;
        String tls = System.getenv("TLS").equals("required") ? "sslMode=trust" : "sslMode=disable&allowPublicKeyRetrieval=true";
        String url = "jdbc:mariadb://" + System.getenv("HOST") + ":" + System.getenv("PORT") + "/ledger?" + tls
            + "&allowMultiQueries=true&connectionAttributes=program_name:common-script&useServerPrepStmts=" + serverSide
            + "&useCompression=" + System.getenv("COMPRESS").equals("yes");
        db = DriverManager.getConnection(url, System.getenv("USER"), System.getenv("PASSWORD"));
    }

    static void say(String step, Object... found) {
        StringBuilder line = new StringBuilder(step);
        for (Object value : found) line.append('\t').append(text(value));
        OUT.println(line);
    }

    static String text(Object value) {
        if (value instanceof byte[] bytes) return java.util.HexFormat.of().formatHex(bytes);
        if (value instanceof java.sql.Blob blob) {
            try {
                return text(blob.getBytes(1, (int) blob.length()));
            } catch (SQLException error) {
                return error.getMessage();
            }
        }
        return String.valueOf(value);
    }

    static List<List<String>> read(ResultSet result) throws SQLException {
        ResultSetMetaData columns = result.getMetaData();
        List<List<String>> rows = new ArrayList<>();
        while (result.next()) {
            List<String> row = new ArrayList<>();
            for (int i = 1; i <= columns.getColumnCount(); i++) {
                // A time of day has no negative one in this language.
                boolean odd = columns.getColumnTypeName(i).equals("TIME");
                row.add(text(odd ? result.getString(i) : result.getObject(i)));
            }
            rows.add(row);
        }
        return rows;
    }

    List<List<String>> rows(String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = db.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
            return read(statement.executeQuery());
        }
    }

    int run(String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = db.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
            return statement.executeUpdate();
        }
    }

    /** A statement without parameters, as text whatever the connection does with others. */
    int plain(String sql) throws SQLException {
        try (Statement statement = db.createStatement()) {
            return statement.executeUpdate(sql);
        }
    }

    String failure(String sql) {
        try {
            plain(sql);
            return "no error";
        } catch (SQLException error) {
            // The library puts the id of the connection before the server's words.
            String words = error.getMessage().replaceFirst("^\\(conn=\\d+\\) ", "");
            return error.getErrorCode() + " " + error.getSQLState() + " " + words.lines().findFirst().orElse("");
        }
    }

    void placed(String step, int first) throws SQLException {
        Object[] all = new Object[EVERY_VALUE.length + 2];
        all[0] = CLIENT;
        all[1] = first;
        System.arraycopy(EVERY_VALUE, 0, all, 2, EVERY_VALUE.length);
        run("INSERT INTO value VALUES (" + "?, ".repeat(all.length - 1) + "?)", all);
        try (PreparedStatement some = db.prepareStatement("INSERT INTO value (client, id, name) VALUES (?, ?, ?)")) {
            for (String name : new String[] {null, ""}) {
                some.setInt(1, CLIENT);
                some.setInt(2, name == null ? first + 1 : first + 2);
                some.setString(3, name);
                some.addBatch();
            }
            some.executeBatch();
        }
        String found = "SELECT * FROM value WHERE client = ? AND id >= ? ORDER BY id";
        say(step, rows(found, CLIENT, first), rows(found, CLIENT, first + 1));
    }

    void values(Client serverSide) throws SQLException {
        plain("DELETE FROM value WHERE client = " + CLIENT);
        plain("INSERT INTO value VALUES (" + CLIENT + ", 1, " + EVERY_LITERAL + ")");
        plain("INSERT INTO value (client, id) VALUES (" + CLIENT + ", 2)");
        try (Statement statement = db.createStatement()) {
            say("text", read(statement.executeQuery("SELECT * FROM value WHERE client = " + CLIENT + " ORDER BY id")));
        }
        placed("client-side", 3);
        serverSide.placed("server-side", 6);
    }

    void transactions() throws SQLException {
        String name = "SELECT name FROM value WHERE client = " + CLIENT + " AND id = 2";
        String change = "UPDATE value SET name = ? WHERE client = ? AND id = 2";
        db.setAutoCommit(false);
        run(change, "kept", CLIENT);
        db.commit();
        say("commit", rows(name));
        run(change, "undone", CLIENT);
        var within = rows(name);
        db.rollback();
        say("rollback", within, rows(name));
        db.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        run(change, "first", CLIENT);
        Savepoint here = db.setSavepoint("here");
        run(change, "second", CLIENT);
        db.rollback(here);
        db.commit();
        db.setAutoCommit(true);
        say("savepoint", rows(name), rows("SELECT @@transaction_isolation"));
    }

    void answers() throws SQLException {
        List<String> ids = new ArrayList<>();
        try (Statement statement = db.createStatement()) {
            statement.executeUpdate("INSERT INTO " + OWN + " (name) VALUES ('a')", Statement.RETURN_GENERATED_KEYS);
            ids.add(read(statement.getGeneratedKeys()).toString());
            statement.executeUpdate("INSERT INTO " + OWN + " (name) VALUES ('b'), ('c')");
            statement.executeUpdate("INSERT INTO entry (client, sequence, note) VALUES (" + -CLIENT + ", 1, 'script')",
                Statement.RETURN_GENERATED_KEYS);
            String told = read(statement.getGeneratedKeys()).toString();
            String asked = rows("SELECT LAST_INSERT_ID()").toString();
            String stored = rows("SELECT MAX(id) FROM entry WHERE client = ?", -CLIENT).toString();
            say("last-insert-id", ids, told.equals(asked) && told.equals(stored));
            String change = "UPDATE " + OWN + " SET more = 8";
            say("affected", plain(change), plain(change));
            int ignored = statement.executeUpdate("INSERT IGNORE INTO value (client, id, name) VALUES (" + CLIENT + ", 1, 'again')");
            SQLWarning warning = statement.getWarnings();
            say("warnings", ignored, warning.getErrorCode(), warning.getSQLState(), warning.getMessage());
        }
        say("duplicate", failure("INSERT INTO value (client, id) VALUES (" + CLIENT + ", 1)"));
        say("no-table", failure("SELECT * FROM nowhere"), failure("SELECT FROM WHERE"));
    }

    void manyResults() throws SQLException {
        List<Object> found = new ArrayList<>();
        try (Statement statement = db.createStatement()) {
            boolean rows = statement.execute(
                "SELECT 1, 'one'; UPDATE " + OWN + " SET more = 9 WHERE id = 1; SELECT id, more FROM " + OWN);
            while (rows || statement.getUpdateCount() >= 0) {
                found.add(rows ? read(statement.getResultSet()) : statement.getUpdateCount());
                rows = statement.getMoreResults();
            }
        }
        say("multi", found);
        long count = 0;
        long total = 0;
        try (Statement statement = db.createStatement()) {
            statement.setFetchSize(100);
            ResultSet stream = statement.executeQuery("SELECT id, text FROM many ORDER BY id");
            while (stream.next()) {
                count++;
                total += stream.getLong(1) * stream.getString(2).length();
            }
        }
        say("many", count, total);
    }

    void script() throws SQLException {
        Client serverSide = new Client(true);
        OUT.println("client\t" + db.getMetaData().getDriverVersion());
        say("hello", rows("SELECT VERSION(), DATABASE(), CURRENT_USER(), @@character_set_client"),
            db.getMetaData().getDatabaseProductVersion());
        say("attributes", rows("""
            SELECT ATTR_NAME, ATTR_VALUE
            FROM performance_schema.session_account_connect_attrs WHERE PROCESSLIST_ID = CONNECTION_ID()
            AND ATTR_NAME IN ('_client_name', 'program_name') ORDER BY 1"""));
        plain("DROP TABLE IF EXISTS " + OWN);
        plain("CREATE TABLE " + OWN + " (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE)");
        plain("ALTER TABLE " + OWN + " ADD COLUMN more INT DEFAULT 7");
        say("ddl", rows("SHOW COLUMNS FROM " + OWN), read(db.getMetaData().getColumns("ledger", null, OWN, "id")).get(0).subList(0, 8));
        values(serverSide);
        transactions();
        answers();
        manyResults();
        plain("SET SESSION time_zone = '+02:00', sql_mode = 'ANSI_QUOTES'");
        say("settings", rows("SELECT CAST(\"stamp\" AS CHAR), @@time_zone FROM \"value\" WHERE client = " + CLIENT + " AND id = 1"));
        say("ping", db.isValid(10));
        serverSide.db.close();
        db.close();
    }

    void writes() throws Exception {
        try (PreparedStatement insert = db.prepareStatement(INSERT);
                PreparedStatement found = db.prepareStatement("SELECT COUNT(*) FROM entry WHERE client = ? AND sequence = ?")) {
            for (int sequence = 1; !Files.exists(Path.of(System.getenv("STOP"))); sequence++) {
                boolean alone = sequence % 2 == 0;
                if (!alone) db.setAutoCommit(false);
                insert.setInt(1, CLIENT);
                insert.setInt(2, sequence);
                insert.setString(3, alone ? "autocommit" : "transaction");
                insert.executeUpdate();
                if (!alone) {
                    run("UPDATE counter SET n = n + 1 WHERE client = ?", CLIENT);
                    db.commit();
                    db.setAutoCommit(true);
                }
                found.setInt(1, CLIENT);
                found.setInt(2, sequence);
                String copies = read(found.executeQuery()).get(0).get(0);
                if (!copies.equals("1")) throw new IllegalStateException("write " + sequence + " is there " + copies + " times");
                OUT.println("ack\t" + sequence);
                Thread.sleep(20);
            }
        }
        db.close();
    }

    public static void main(String[] args) throws Exception {
        if (System.getenv("MODE").equals("writes")) new Client(true).writes();
        else new Client(false).script();
    }
}
