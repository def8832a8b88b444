-- A definition whose default is a zero date is made anew under a strict server.
SET sql_mode = '';
CREATE TABLE t (id INT PRIMARY KEY, a DATE NOT NULL DEFAULT '0000-00-00', b DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00');
