-- A trigger of the application would fire a second time on the target.
CREATE TABLE t (id INT PRIMARY KEY, v INT);
CREATE TRIGGER doubled BEFORE INSERT ON t FOR EACH ROW SET NEW.v = NEW.v * 2;
