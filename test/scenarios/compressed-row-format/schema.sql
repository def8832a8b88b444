-- Row formats and key block sizes are part of the definition.
CREATE TABLE c (id INT PRIMARY KEY, v TEXT) ROW_FORMAT = COMPRESSED KEY_BLOCK_SIZE = 8;
CREATE TABLE r (id INT PRIMARY KEY, v VARCHAR(100)) ROW_FORMAT = REDUNDANT STATS_PERSISTENT = 0 COMMENT = 'it''s "here"';
