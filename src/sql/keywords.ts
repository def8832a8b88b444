/**
 * Words that the classifier tells apart, each with a small number. The numbers mean nothing outside this folder and
 * are never stored.
 */
// biome-ignore format: a list of words
const GRAMMAR_WORDS = [
  "ALL", "ALTER", "ANALYZE", "AND", "ANY", "AS", "BEGIN", "BINLOG", "CACHE", "CALL", "CHAIN", "CHANGE", "CHARACTER",
  "CHARSET", "CHECK", "CHECKSUM", "CLONE", "COLLATE", "COLUMN", "COLUMNS", "COMMIT", "CONCURRENT", "CONNECTION",
  "CONSISTENT", "COUNT", "CREATE", "CURRENT", "DATA", "DATABASE", "DATABASES", "DEALLOCATE", "DEFAULT", "DEFINER",
  "DELAYED", "DELETE", "DESC", "DESCRIBE", "DIAGNOSTICS", "DISTINCT", "DO", "DROP", "DUAL", "DUMPFILE", "DUPLICATE",
  "ERRORS", "EVENT", "EXCEPT", "EXECUTE", "EXISTS", "EXPLAIN", "EXPORT", "EXTENDED", "FALSE", "FIELDS", "FLUSH", "FOR",
  "FORCE", "FORMAT", "FROM", "FULL", "FULLTEXT", "FUNCTION", "GET", "GLOBAL", "GRANT", "GROUP", "HANDLER", "HAVING",
  "HELP", "HIGH_PRIORITY", "IF", "IGNORE", "IMPORT", "IN", "INDEX", "INDEXES", "INFILE", "INSERT", "INSTALL",
  "INSTANCE", "INTERSECT", "INTO", "ISOLATION", "JOIN", "JSON_TABLE", "KEY", "KEYS", "KILL", "LATERAL", "LEVEL",
  "LIKE", "LIMIT", "LOAD", "LOCAL", "LOCK", "LOW_PRIORITY", "NAMES", "NO", "NOT", "NO_WRITE_TO_BINLOG", "NULL", "OFF",
  "ON", "ONLY", "OPTIMIZE", "OR", "ORDER", "OUTFILE", "PARTITION", "PARTITIONS", "PASSWORD", "PERSIST",
  "PERSIST_ONLY", "PREPARE", "PROCEDURE", "PROCESSLIST", "PURGE", "QUERY", "QUICK", "READ", "RECURSIVE", "REFERENCES", "RELEASE",
  "RENAME", "REPAIR", "REPLACE", "RESET", "RESIGNAL", "RESOURCE", "RESTART", "REVOKE", "ROLE", "ROLLBACK",
  "SAVEPOINT", "SCHEMA", "SCHEMAS", "SECURITY", "SELECT", "SESSION", "SET", "SHARE", "SHOW", "SHUTDOWN", "SIGNAL",
  "SNAPSHOT", "SPATIAL", "SQL", "SQL_CALC_FOUND_ROWS", "STACKED", "START", "STATUS", "STOP", "STRAIGHT_JOIN", "TABLE",
  "TABLES", "TEMPORARY", "TO", "TRANSACTION", "TRIGGER", "TRUE", "TRUNCATE", "UNINSTALL", "UNION", "UNIQUE",
  "UNLOCK", "UPDATE", "USE", "USER", "USING", "VALUES", "VIEW", "WARNINGS", "WHERE", "WINDOW", "WITH", "WORK", "WRITE",
  "XA", "XML",
] as const;

type GrammarWord = (typeof GRAMMAR_WORDS)[number];

/** Number of each word that the classifier tells apart; all are greater than 0. */
export const KW = Object.fromEntries(GRAMMAR_WORDS.map((word, index) => [word, index + 1])) as {
  readonly [Word in GrammarWord]: number;
};

/** Words above this number mean nothing to the grammar: other keywords and native functions. */
export const GRAMMAR_WORDS_MAX = GRAMMAR_WORDS.length;

/** The grammar's words in the order of their numbers, from 1. */
export const grammarWords: readonly string[] = GRAMMAR_WORDS;
