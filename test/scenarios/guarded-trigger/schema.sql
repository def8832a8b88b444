-- A trigger that leaves our account alone is on both homes, and fires for the application alone, on either.
CREATE TABLE t (id INT PRIMARY KEY, v INT, n INT NOT NULL DEFAULT 0);
CREATE TABLE told (id INT AUTO_INCREMENT PRIMARY KEY, t INT, what VARCHAR(20));
-- Its changes go by statements, for which triggers fire.
CREATE TABLE documents (doc JSON, n INT);
CREATE TRIGGER doubled BEFORE INSERT ON t FOR EACH ROW switchyard_guard: BEGIN IF CAST(SUBSTRING_INDEX(USER(), '@', 1) AS BINARY) = CAST('switchyard' AS BINARY) THEN LEAVE switchyard_guard; END IF; SET NEW.v = NEW.v * 2; END;
CREATE TRIGGER told AFTER UPDATE ON t FOR EACH ROW switchyard_guard: BEGIN IF CAST(SUBSTRING_INDEX(USER(), '@', 1) AS BINARY) = CAST('switchyard' AS BINARY) THEN LEAVE switchyard_guard; END IF;
  BEGIN DECLARE what VARCHAR(20) DEFAULT CONCAT('from ', OLD.v); INSERT INTO told (t, what) VALUES (NEW.id, what); END; END;
CREATE TRIGGER counted AFTER INSERT ON documents FOR EACH ROW switchyard_guard: BEGIN IF CAST(SUBSTRING_INDEX(USER(), '@', 1) AS BINARY) = CAST('switchyard' AS BINARY) THEN LEAVE switchyard_guard; END IF; UPDATE t SET n = n + 1 WHERE id = 1; END;
CREATE TRIGGER gone BEFORE DELETE ON documents FOR EACH ROW switchyard_guard: BEGIN IF CAST(SUBSTRING_INDEX(USER(), '@', 1) AS BINARY) = CAST('switchyard' AS BINARY) THEN LEAVE switchyard_guard; END IF; INSERT INTO told (t, what) VALUES (OLD.n, 'gone'); END;
