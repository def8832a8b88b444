SET SESSION binlog_row_value_options = PARTIAL_JSON, binlog_transaction_compression = ON;
UPDATE t SET j = JSON_SET(j, '$.b', @round);
