-- The key's columns are the last of the table, and named like words.
CREATE TABLE t (v INT, `Default` INT, `ID` INT, `Key` INT, PRIMARY KEY (`Key`, `ID`));
