-- The counter's column is not in the primary key.
CREATE TABLE t (a INT NOT NULL, b INT NOT NULL, n INT NOT NULL AUTO_INCREMENT, PRIMARY KEY (a, b), UNIQUE KEY counter (n), KEY other (b));
