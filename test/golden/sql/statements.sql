## selects of one table
SELECT 1 FROM orders
SELECT * FROM orders WHERE id = 1
SELECT id, status FROM shop.orders WHERE customer_id = 42 ORDER BY created_at DESC LIMIT 10
SELECT o.* FROM orders o WHERE o.id IN (1, 2, 3)
SELECT o.id AS order_id FROM orders AS o WHERE o.total > 100.50
SELECT `o`.`id` FROM `shop`.`orders` `o` WHERE `o`.`note` LIKE '%it''s%'
SELECT COUNT(*) FROM orders
SELECT COUNT(DISTINCT customer_id) FROM orders WHERE created_at >= '2026-01-01'
SELECT SUM(total) AS revenue FROM orders GROUP BY status HAVING SUM(total) > 1000
SELECT status, COUNT(*) AS n FROM orders GROUP BY status WITH ROLLUP
SELECT DISTINCT status FROM orders
SELECT SQL_NO_CACHE id FROM orders WHERE id = 7
SELECT HIGH_PRIORITY id FROM orders WHERE id = 7
SELECT STRAIGHT_JOIN o.id FROM orders o JOIN items i ON i.order_id = o.id
SELECT id FROM orders USE INDEX (idx_status) WHERE status = 'open'
SELECT id FROM orders FORCE INDEX (PRIMARY) WHERE id > 10
SELECT id FROM orders IGNORE INDEX (idx_a, idx_b) WHERE a = 1
SELECT id FROM orders WHERE id BETWEEN 10 AND 20
SELECT id FROM orders WHERE note IS NULL
SELECT id FROM orders WHERE note IS NOT NULL AND NOT (status = 'x')
SELECT id FROM orders WHERE (a, b) = (1, 2)
SELECT id FROM orders WHERE (a, b) IN ((1, 2), (3, 4))
SELECT id FROM orders LIMIT 5 OFFSET 10
SELECT id FROM orders LIMIT 10, 5
SELECT id FROM orders FOR UPDATE
SELECT id FROM orders WHERE id = 5 FOR UPDATE NOWAIT
SELECT id FROM orders WHERE id = 5 FOR UPDATE SKIP LOCKED
SELECT id FROM orders WHERE id = 5 FOR SHARE
SELECT id FROM orders WHERE id = 5 LOCK IN SHARE MODE
SELECT CASE WHEN total > 10 THEN 'big' ELSE 'small' END AS size FROM orders
SELECT CASE status WHEN 'a' THEN 1 WHEN 'b' THEN 2 END FROM orders
SELECT IF(total > 10, 'big', 'small') FROM orders
SELECT IFNULL(note, '-') FROM orders
SELECT COALESCE(note, status, '?') FROM orders
SELECT CONCAT(status, ' ', note) FROM orders
SELECT CAST(total AS SIGNED) FROM orders
SELECT CONVERT(note USING utf8mb4) FROM orders
SELECT DATE_ADD(created_at, INTERVAL 1 DAY) FROM orders
SELECT created_at + INTERVAL 3 MONTH FROM orders
SELECT EXTRACT(YEAR FROM created_at) FROM orders
SELECT TRIM(BOTH ' ' FROM note) FROM orders
SELECT SUBSTRING(note FROM 2 FOR 3) FROM orders
SELECT note COLLATE utf8mb4_bin FROM orders
SELECT -total, +total, ~id, !id FROM orders
SELECT id DIV 2, id MOD 2, id % 2 FROM orders
SELECT id & 1, id | 2, id ^ 3, id << 1, id >> 1 FROM orders
SELECT id FROM orders WHERE note REGEXP '^a'
SELECT id FROM orders WHERE note NOT LIKE 'a\_%' ESCAPE '|'
SELECT id FROM orders WHERE status <=> NULL
SELECT id FROM orders WHERE a XOR b
SELECT data->'$.name' FROM orders
SELECT data->>'$.items[0].sku' FROM orders WHERE data->'$.total' > 5
SELECT JSON_EXTRACT(data, '$.a') FROM orders
SELECT JSON_ARRAYAGG(id) FROM orders
SELECT GROUP_CONCAT(DISTINCT status ORDER BY status SEPARATOR ';') FROM orders
SELECT id FROM orders PARTITION (p0, p1)
SELECT orders.id, orders.status FROM orders
SELECT shop.orders.id FROM shop.orders
SELECT ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY created_at) AS rn FROM orders
SELECT SUM(total) OVER w FROM orders WINDOW w AS (PARTITION BY status)
SELECT LAG(total, 1) OVER (ORDER BY id) FROM orders
SELECT AVG(total) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM orders
SELECT id, MATCH (note) AGAINST ('quick fox') AS score FROM orders
SELECT id FROM orders WHERE MATCH (note) AGAINST ('+quick -fox' IN BOOLEAN MODE)
SELECT 0x1F, X'0A', b'101', B'11', 1e5, 1.5E-3, .5, 5. FROM orders
SELECT _utf8mb4'abc', N'abc', _binary'x', _latin1 X'41' FROM orders
SELECT "double quoted" FROM orders
SELECT 'a' 'b' 'c' FROM orders
SELECT TRUE, FALSE, NULL FROM orders
SELECT DATE '2026-01-01', TIME '10:00:00', TIMESTAMP '2026-01-01 10:00:00' FROM orders
SELECT id FROM `order-items` WHERE `weird ``name` = 1
SELECT id FROM orders /* a comment */ WHERE id = 1
SELECT id FROM orders -- to the end
SELECT id FROM orders # to the end
SELECT /*+ MAX_EXECUTION_TIME(1000) */ id FROM orders
SELECT /*+ INDEX(o idx) NO_MERGE(x) */ o.id FROM orders o
SELECT /*! STRAIGHT_JOIN */ id FROM orders
SELECT id /*!80000 , status */ FROM orders
SELECT id FROM orders WHERE note = 'FROM items' AND status = "JOIN parts"
SELECT id FROM orders WHERE note = 'a\'b' OR note = "c\"d"
SELECT id FROM orders PROCEDURE_NAME WHERE 1 = 1
SELECT MAX(id) FROM orders WHERE status = 'open' AND customer_id = 5
SELECT id FROM orders ORDER BY FIELD(status, 'open', 'paid', 'sent'), id DESC
SELECT id FROM orders ORDER BY RAND() LIMIT 1
## joins
SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id
SELECT o.id, c.name FROM orders o INNER JOIN customers c ON c.id = o.customer_id WHERE c.country = 'DE'
SELECT o.id, c.name FROM orders o LEFT JOIN customers c ON c.id = o.customer_id
SELECT o.id, c.name FROM orders o LEFT OUTER JOIN customers c USING (customer_id)
SELECT o.id, c.name FROM orders o RIGHT JOIN customers c ON c.id = o.customer_id
SELECT o.id, c.name FROM orders o CROSS JOIN customers c
SELECT o.id, c.name FROM orders o NATURAL JOIN customers c
SELECT o.id, c.name FROM orders o NATURAL LEFT JOIN customers c
SELECT o.id, c.name FROM orders o, customers c WHERE c.id = o.customer_id
SELECT o.id FROM orders o, customers c, shop.regions r WHERE c.id = o.customer_id AND r.id = c.region_id
SELECT o.id FROM orders o JOIN items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id
SELECT o.id FROM orders o STRAIGHT_JOIN items i ON i.order_id = o.id
SELECT o.id FROM (orders o JOIN items i ON i.order_id = o.id) LEFT JOIN notes n ON n.order_id = o.id
SELECT a.id, b.id FROM orders a JOIN orders b ON a.parent_id = b.id
SELECT o.id FROM shop.orders o JOIN crm.customers c ON c.id = o.customer_id
SELECT o.id FROM orders o JOIN (items i, parts p) ON i.order_id = o.id AND p.item_id = i.id
SELECT o.id FROM orders o LEFT JOIN (items i INNER JOIN parts p ON p.item_id = i.id) ON i.order_id = o.id
SELECT * FROM orders o JOIN items i USING (order_id, shop_id) JOIN parts USING (item_id)
SELECT c.*, COUNT(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id
SELECT c.name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)
SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer_id FOR UPDATE OF o
SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer_id FOR SHARE OF c SKIP LOCKED
## subqueries and derived tables
SELECT id FROM orders WHERE customer_id IN (SELECT id FROM customers WHERE country = 'FR')
SELECT id FROM orders WHERE customer_id NOT IN (SELECT customer_id FROM blocked)
SELECT id FROM orders WHERE total > (SELECT AVG(total) FROM orders)
SELECT id FROM orders WHERE total > ALL (SELECT total FROM archive)
SELECT id FROM orders WHERE total = ANY (SELECT total FROM archive)
SELECT id FROM orders WHERE total = SOME (SELECT total FROM archive)
SELECT id, (SELECT name FROM customers c WHERE c.id = o.customer_id) AS customer FROM orders o
SELECT d.n FROM (SELECT COUNT(*) AS n FROM orders) d
SELECT d.n FROM (SELECT COUNT(*) AS n FROM orders) AS d JOIN customers c ON c.n = d.n
SELECT x FROM (SELECT id AS x FROM orders UNION SELECT id FROM archive) u
SELECT x FROM (SELECT id FROM orders WHERE id IN (SELECT order_id FROM items)) AS d (x)
SELECT o.id FROM orders o, LATERAL (SELECT i.id FROM items i WHERE i.order_id = o.id LIMIT 1) AS first_item
SELECT o.id FROM orders o LEFT JOIN LATERAL (SELECT MAX(i.id) AS m FROM items i WHERE i.order_id = o.id) t ON TRUE
SELECT * FROM orders WHERE (SELECT COUNT(*) FROM items WHERE items.order_id = orders.id) > 3
SELECT * FROM (SELECT * FROM (SELECT * FROM orders) a) b
SELECT EXISTS (SELECT * FROM orders WHERE id = 5)
SELECT NOT EXISTS (SELECT * FROM orders WHERE id = 5) AS missing
SELECT id FROM orders ORDER BY (SELECT priority FROM statuses s WHERE s.code = orders.status)
SELECT id FROM orders GROUP BY id HAVING MAX(total) > (SELECT AVG(total) FROM archive)
SELECT jt.name FROM orders o, JSON_TABLE(o.data, '$.items[*]' COLUMNS (name VARCHAR(40) PATH '$.name')) AS jt
## unions
SELECT id FROM orders UNION SELECT id FROM archive
SELECT id FROM orders UNION ALL SELECT id FROM archive
SELECT id FROM orders UNION DISTINCT SELECT id FROM archive ORDER BY id LIMIT 5
(SELECT id FROM orders ORDER BY id LIMIT 1) UNION (SELECT id FROM archive ORDER BY id LIMIT 1)
SELECT id FROM orders UNION SELECT id FROM archive UNION ALL SELECT id FROM backlog
SELECT id FROM orders WHERE id IN (SELECT id FROM archive UNION SELECT id FROM backlog)
(SELECT id FROM orders) UNION (SELECT id FROM archive) ORDER BY 1
SELECT id FROM orders EXCEPT SELECT id FROM archive
SELECT id FROM orders INTERSECT SELECT id FROM archive
## common table expressions
WITH recent AS (SELECT * FROM orders WHERE created_at > '2026-01-01') SELECT * FROM recent
WITH recent AS (SELECT * FROM orders), c AS (SELECT * FROM customers) SELECT * FROM recent JOIN c ON c.id = recent.customer_id
WITH orders AS (SELECT * FROM archive) SELECT * FROM orders
WITH RECURSIVE tree AS (SELECT id, parent_id FROM nodes WHERE id = 1 UNION ALL SELECT n.id, n.parent_id FROM nodes n JOIN tree t ON n.parent_id = t.id) SELECT * FROM tree
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT i FROM n JOIN orders ON orders.id = n.i
WITH a AS (SELECT id FROM orders), b AS (SELECT id FROM a) SELECT * FROM b
WITH a (x, y) AS (SELECT id, status FROM orders) SELECT x FROM a WHERE y = 'open'
SELECT * FROM (WITH a AS (SELECT id FROM orders) SELECT * FROM a) d
WITH t AS (SELECT customer_id, SUM(total) s FROM orders GROUP BY customer_id) SELECT c.name, t.s FROM customers c JOIN t ON t.customer_id = c.id
## inserts
INSERT INTO orders (id, status) VALUES (1, 'open')
INSERT INTO orders VALUES (1, 'open', NOW())
INSERT INTO orders (status) VALUES ('a'), ('b'), ('c')
INSERT orders (status) VALUES ('a')
INSERT INTO shop.orders (id) VALUES (DEFAULT)
INSERT INTO orders () VALUES ()
INSERT INTO orders SET status = 'open', total = 5
INSERT IGNORE INTO orders (id) VALUES (1)
INSERT LOW_PRIORITY INTO orders (id) VALUES (1)
INSERT HIGH_PRIORITY INTO orders (id) VALUES (1)
INSERT INTO orders (id, n) VALUES (1, 1) ON DUPLICATE KEY UPDATE n = n + 1
INSERT INTO orders (id, n) VALUES (1, 1) ON DUPLICATE KEY UPDATE n = VALUES(n)
INSERT INTO orders (id, n) VALUES (1, 1) AS new ON DUPLICATE KEY UPDATE n = new.n
INSERT INTO archive SELECT * FROM orders WHERE created_at < '2020-01-01'
INSERT INTO archive (id, status) SELECT o.id, o.status FROM orders o JOIN customers c ON c.id = o.customer_id
INSERT INTO archive (id) SELECT id FROM orders ON DUPLICATE KEY UPDATE archive.id = archive.id
INSERT INTO orders (id, total) VALUES (1, (SELECT MAX(total) FROM archive))
INSERT INTO archive SELECT id FROM orders UNION SELECT id FROM backlog
INSERT INTO archive WITH t AS (SELECT * FROM orders) SELECT * FROM t
INSERT INTO archive (SELECT * FROM orders)
INSERT INTO archive TABLE orders
INSERT INTO orders PARTITION (p0) (id) VALUES (5)
INSERT INTO orders (id, data) VALUES (1, '{"a": "INSERT INTO items"}')
INSERT INTO orders (blob_column) VALUES (0xDEADBEEF), (X'00FF'), (_binary 'abc')
INSERT INTO `orders` (`id`, `select`) VALUES (1, 'x')
INSERT INTO log (message) VALUES ('it''s; done'), ("a; b")
REPLACE INTO orders (id, status) VALUES (1, 'open')
REPLACE orders (id) VALUES (1)
REPLACE INTO orders SET id = 1
REPLACE INTO archive SELECT * FROM orders
REPLACE LOW_PRIORITY INTO orders (id) VALUES (1)
## updates
UPDATE orders SET status = 'paid' WHERE id = 1
UPDATE shop.orders SET total = total + 1
UPDATE orders o SET o.status = 'paid' WHERE o.id = 1
UPDATE orders AS o SET status = DEFAULT WHERE o.id = 1
UPDATE LOW_PRIORITY orders SET status = 'paid'
UPDATE IGNORE orders SET id = id + 1 ORDER BY id DESC LIMIT 10
UPDATE orders SET status = 'paid', paid_at = NOW(), n = n + 1 WHERE status = 'open' AND created_at < NOW() - INTERVAL 1 DAY
UPDATE orders, customers SET orders.name = customers.name WHERE customers.id = orders.customer_id
UPDATE orders o JOIN customers c ON c.id = o.customer_id SET o.name = c.name
UPDATE orders o LEFT JOIN items i ON i.order_id = o.id SET o.empty = 1 WHERE i.id IS NULL
UPDATE orders o INNER JOIN (SELECT order_id, SUM(price) s FROM items GROUP BY order_id) t ON t.order_id = o.id SET o.total = t.s
UPDATE orders SET total = (SELECT SUM(price) FROM items WHERE items.order_id = orders.id)
UPDATE orders SET status = 'x' WHERE customer_id IN (SELECT id FROM customers WHERE blocked = 1)
UPDATE orders SET data = JSON_SET(data, '$.a', 1) WHERE id = 5
UPDATE orders SET note = 'WHERE id = 1' WHERE id = 2
UPDATE orders USE INDEX (idx) SET status = 'x' WHERE a = 1
WITH t AS (SELECT id FROM archive) UPDATE orders SET status = 'old' WHERE id IN (SELECT id FROM t)
UPDATE crm.customers c, shop.orders o SET c.n = c.n + 1 WHERE o.customer_id = c.id
UPDATE orders PARTITION (p1) SET status = 'x'
## deletes
DELETE FROM orders WHERE id = 1
DELETE FROM shop.orders
DELETE LOW_PRIORITY QUICK IGNORE FROM orders WHERE id = 1
DELETE FROM orders WHERE status = 'old' ORDER BY id LIMIT 100
DELETE FROM orders o WHERE o.id = 5
DELETE FROM orders AS o WHERE o.id = 5
DELETE orders FROM orders JOIN customers ON customers.id = orders.customer_id WHERE customers.gone = 1
DELETE o, i FROM orders o INNER JOIN items i ON i.order_id = o.id WHERE o.id = 5
DELETE o FROM orders o LEFT JOIN customers c ON c.id = o.customer_id WHERE c.id IS NULL
DELETE FROM o USING orders o INNER JOIN items i ON i.order_id = o.id WHERE i.id = 7
DELETE FROM orders, items USING orders INNER JOIN items ON items.order_id = orders.id
DELETE FROM orders WHERE id IN (SELECT order_id FROM cancelled)
DELETE FROM orders WHERE EXISTS (SELECT 1 FROM archive a WHERE a.id = orders.id)
WITH t AS (SELECT id FROM archive) DELETE FROM orders WHERE id IN (SELECT id FROM t)
DELETE FROM orders PARTITION (p0) WHERE id = 1
DELETE FROM `orders` WHERE `id` = '5'
## other reads
TABLE orders
TABLE orders ORDER BY id LIMIT 5
VALUES ROW(1, 2), ROW(3, 4)
DO SLEEP(0)
DO RELEASE_LOCK('x')
SELECT 1
SELECT NOW()
SELECT @@version
SELECT @@session.sql_mode, @@global.max_connections
SELECT @a, @b := 5
SELECT CONNECTION_ID(), DATABASE(), USER()
SELECT LAST_INSERT_ID()
SELECT 1 FROM DUAL
SELECT 1 FROM DUAL WHERE 1 = 1
SELECT id INTO @x FROM orders WHERE id = 1
SELECT id, status INTO @x, @y FROM orders LIMIT 1
SELECT * FROM information_schema.tables WHERE table_schema = 'shop'
SELECT * FROM performance_schema.threads
SELECT * FROM mysql.user
EXPLAIN SELECT * FROM orders WHERE id = 1
EXPLAIN FORMAT=JSON SELECT * FROM orders o JOIN items i ON i.order_id = o.id
EXPLAIN ANALYZE SELECT * FROM orders
DESCRIBE orders
DESC orders status
EXPLAIN UPDATE orders SET status = 'x'
EXPLAIN DELETE FROM orders WHERE id = 1
EXPLAIN INSERT INTO archive SELECT * FROM orders
HANDLER orders OPEN
HANDLER orders READ FIRST
HANDLER orders CLOSE
## definitions
CREATE TABLE parts (id INT PRIMARY KEY)
CREATE TABLE IF NOT EXISTS shop.parts (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) DEFAULT 'x')
CREATE TABLE parts (id INT, order_id INT, FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE)
CREATE TABLE parts (id INT, CONSTRAINT fk FOREIGN KEY (order_id) REFERENCES shop.orders (id))
CREATE TABLE parts (id INT, KEY idx (id), UNIQUE KEY u (name(10)), FULLTEXT KEY f (note)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
CREATE TABLE parts (id INT, g INT AS (id + 1) STORED, CHECK (id > 0))
CREATE TABLE parts LIKE orders
CREATE TABLE parts (LIKE shop.orders)
CREATE TABLE parts AS SELECT * FROM orders
CREATE TABLE parts SELECT id, status FROM orders JOIN items USING (order_id)
CREATE TABLE parts (id INT) AS SELECT id FROM orders
CREATE TABLE parts (id INT) PARTITION BY HASH (id) PARTITIONS 4
CREATE TABLE parts (id INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)
CREATE TABLE parts (e ENUM('a', 'b'), s SET('x', 'y'), j JSON, d DECIMAL(10, 2), t TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))
CREATE TEMPORARY TABLE scratch (id INT)
CREATE TEMPORARY TABLE scratch AS SELECT * FROM orders
ALTER TABLE orders ADD COLUMN note TEXT
ALTER TABLE orders ADD note TEXT AFTER status, DROP COLUMN old
ALTER TABLE shop.orders MODIFY COLUMN note VARCHAR(200) NOT NULL
ALTER TABLE orders CHANGE COLUMN a b INT
ALTER TABLE orders RENAME COLUMN a TO b
ALTER TABLE orders ADD INDEX idx (status), ADD UNIQUE KEY u (code)
ALTER TABLE orders DROP INDEX idx
ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (customer_id) REFERENCES customers (id)
ALTER TABLE orders DROP FOREIGN KEY fk
ALTER TABLE orders ENGINE=InnoDB
ALTER TABLE orders AUTO_INCREMENT = 1000
ALTER TABLE orders RENAME TO old_orders
ALTER TABLE orders CONVERT TO CHARACTER SET utf8mb4
ALTER TABLE orders ADD PARTITION (PARTITION p3 VALUES LESS THAN (100))
ALTER TABLE orders TRUNCATE PARTITION p0
ALTER TABLE orders EXCHANGE PARTITION p0 WITH TABLE archive
ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'x'
ALTER TABLE orders ADD PRIMARY KEY (id)
ALTER TABLE orders DROP PRIMARY KEY
DROP TABLE orders
DROP TABLE IF EXISTS orders, shop.items
DROP TABLE orders RESTRICT
DROP TEMPORARY TABLE IF EXISTS scratch
TRUNCATE TABLE orders
TRUNCATE shop.orders
RENAME TABLE orders TO old_orders
RENAME TABLE orders TO tmp, items TO orders, tmp TO items
RENAME TABLE shop.orders TO archive.orders
CREATE INDEX idx ON orders (status)
CREATE UNIQUE INDEX u ON shop.orders (code, shop_id DESC)
CREATE FULLTEXT INDEX f ON orders (note)
CREATE INDEX e ON orders ((LOWER(name)))
DROP INDEX idx ON orders
CREATE VIEW open_orders AS SELECT * FROM orders WHERE status = 'open'
CREATE OR REPLACE VIEW v AS SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer_id
CREATE ALGORITHM=MERGE DEFINER=`a`@`%` SQL SECURITY INVOKER VIEW v AS SELECT id FROM orders
ALTER VIEW v AS SELECT id FROM orders
DROP VIEW v
DROP VIEW IF EXISTS v, w
CREATE DATABASE shop
CREATE DATABASE IF NOT EXISTS shop CHARACTER SET utf8mb4
CREATE SCHEMA shop
ALTER DATABASE shop COLLATE utf8mb4_bin
DROP DATABASE shop
DROP SCHEMA IF EXISTS shop
CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.n = 1
CREATE TRIGGER t AFTER UPDATE ON shop.orders FOR EACH ROW INSERT INTO log VALUES (NEW.id)
DROP TRIGGER IF EXISTS shop.t
CREATE PROCEDURE p () SELECT 1
CREATE PROCEDURE p (IN a INT, OUT b INT) BEGIN SELECT COUNT(*) INTO b FROM orders WHERE id > a; END
CREATE FUNCTION f (a INT) RETURNS INT DETERMINISTIC RETURN a + 1
DROP PROCEDURE IF EXISTS p
DROP FUNCTION f
CREATE EVENT e ON SCHEDULE EVERY 1 HOUR DO DELETE FROM sessions
DROP EVENT e
ANALYZE TABLE orders
ANALYZE TABLE orders, shop.items
ANALYZE TABLE orders UPDATE HISTOGRAM ON status WITH 10 BUCKETS
OPTIMIZE TABLE orders
CHECK TABLE orders QUICK
REPAIR TABLE orders
CHECKSUM TABLE orders, items
## transactions and locks
BEGIN
BEGIN WORK
START TRANSACTION
START TRANSACTION READ ONLY
START TRANSACTION WITH CONSISTENT SNAPSHOT
START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE
COMMIT
COMMIT WORK
COMMIT AND CHAIN
ROLLBACK
ROLLBACK AND NO CHAIN RELEASE
SAVEPOINT a
ROLLBACK TO SAVEPOINT a
ROLLBACK TO a
RELEASE SAVEPOINT a
SET autocommit = 0
SET TRANSACTION ISOLATION LEVEL READ COMMITTED
SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE
SET TRANSACTION READ ONLY
XA START 'a'
XA END 'a'
XA PREPARE 'a'
XA COMMIT 'a'
XA ROLLBACK 'a'
XA RECOVER
LOCK TABLES orders WRITE
LOCK TABLES orders READ, shop.items WRITE
LOCK TABLES orders AS o READ LOCAL, orders WRITE
UNLOCK TABLES
LOCK INSTANCE FOR BACKUP
UNLOCK INSTANCE
FLUSH TABLES
FLUSH TABLES orders, items
FLUSH TABLES WITH READ LOCK
FLUSH TABLES orders WITH READ LOCK
FLUSH TABLES orders FOR EXPORT
## session
SET NAMES utf8mb4
SET NAMES utf8mb4 COLLATE utf8mb4_general_ci
SET CHARACTER SET utf8mb4
SET sql_mode = 'ANSI_QUOTES'
SET SESSION sql_mode = '', time_zone = '+00:00'
SET @@session.wait_timeout = 100
SET GLOBAL max_connections = 100
SET @a = 1, @b = 'x'
SET @n = (SELECT COUNT(*) FROM orders)
SET PERSIST max_connections = 100
SET ROLE ALL
SET PASSWORD = 'x'
USE shop
USE `shop`
SHOW TABLES
SHOW FULL TABLES FROM shop LIKE 'o%'
SHOW DATABASES
SHOW COLUMNS FROM orders
SHOW FULL COLUMNS FROM orders FROM shop
SHOW FIELDS IN shop.orders
SHOW INDEX FROM orders
SHOW KEYS FROM orders IN shop
SHOW CREATE TABLE orders
SHOW CREATE TABLE shop.orders
SHOW CREATE VIEW v
SHOW CREATE DATABASE shop
SHOW CREATE TRIGGER t
SHOW CREATE PROCEDURE p
SHOW TABLE STATUS LIKE 'orders'
SHOW TRIGGERS LIKE 'orders'
SHOW VARIABLES LIKE 'sql_mode'
SHOW GLOBAL STATUS
SHOW PROCESSLIST
SHOW FULL PROCESSLIST
SHOW WARNINGS
SHOW ERRORS LIMIT 1
SHOW GRANTS
SHOW GRANTS FOR 'a'@'%'
SHOW ENGINE INNODB STATUS
SHOW ENGINES
SHOW PLUGINS
SHOW PRIVILEGES
SHOW CHARACTER SET
SHOW COLLATION
SHOW EVENTS
SHOW PROCEDURE STATUS
SHOW BINARY LOGS
SHOW OPEN TABLES
PREPARE s FROM 'SELECT * FROM orders WHERE id = ?'
PREPARE s FROM @sql
EXECUTE s
EXECUTE s USING @a, @b
DEALLOCATE PREPARE s
DROP PREPARE s
CALL p()
CALL shop.p(1, @out)
CALL p
KILL 5
KILL QUERY 5
KILL CONNECTION 5
## accounts and the rest
CREATE USER 'a'@'%' IDENTIFIED BY 'x'
CREATE USER IF NOT EXISTS a
ALTER USER 'a'@'%' IDENTIFIED BY 'y'
DROP USER 'a'@'%'
GRANT SELECT ON shop.* TO 'a'@'%'
GRANT SELECT, INSERT ON shop.orders TO 'a'@'%' WITH GRANT OPTION
REVOKE INSERT ON shop.orders FROM 'a'@'%'
FLUSH PRIVILEGES
FLUSH LOGS
LOAD DATA INFILE '/tmp/x' INTO TABLE orders
LOAD DATA LOCAL INFILE 'x.csv' REPLACE INTO TABLE shop.orders FIELDS TERMINATED BY ',' LINES TERMINATED BY '\n' IGNORE 1 LINES (a, b, @c) SET d = @c
LOAD DATA LOCAL INFILE 'x' IGNORE INTO TABLE orders CHARACTER SET utf8mb4
SELECT * FROM orders INTO OUTFILE '/tmp/y' FIELDS TERMINATED BY ','
SELECT SQL_CALC_FOUND_ROWS id FROM orders LIMIT 5
SELECT FOUND_ROWS()
SELECT ROW_COUNT()
SELECT GET_LOCK('a', 10)
SELECT RELEASE_LOCK('a')
SELECT IS_FREE_LOCK('a')
GET DIAGNOSTICS @n = NUMBER
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'
HELP 'SELECT'
BINLOG 'abc'
RESET MASTER
PURGE BINARY LOGS TO 'binlog.000010'
CACHE INDEX orders IN hot
LOAD INDEX INTO CACHE orders
INSTALL PLUGIN x SONAME 'x.so'
UNINSTALL PLUGIN x
SHUTDOWN
RESTART
## what frameworks send
SELECT `users`.* FROM `users` WHERE `users`.`email` = 'a@b.c' LIMIT 1
SELECT `posts`.`id` AS t0_r0, `comments`.`id` AS t1_r0 FROM `posts` LEFT OUTER JOIN `comments` ON `comments`.`post_id` = `posts`.`id` WHERE `posts`.`author_id` IN (1, 2, 3) ORDER BY `posts`.`id` ASC
INSERT INTO `sessions` (`id`, `data`, `expires`) VALUES ('abc', 'a:1:{s:1:"x";i:1;}', 1790000000) ON DUPLICATE KEY UPDATE `data` = VALUES(`data`), `expires` = VALUES(`expires`)
SELECT option_name, option_value FROM wp_options WHERE autoload = 'yes'
SELECT SQL_CALC_FOUND_ROWS wp_posts.ID FROM wp_posts INNER JOIN wp_term_relationships ON (wp_posts.ID = wp_term_relationships.object_id) WHERE 1=1 AND ( wp_term_relationships.term_taxonomy_id IN (1) ) AND wp_posts.post_type = 'post' AND ((wp_posts.post_status = 'publish')) GROUP BY wp_posts.ID ORDER BY wp_posts.post_date DESC LIMIT 0, 10
SELECT t.*, tt.* FROM wp_terms AS t INNER JOIN wp_term_taxonomy AS tt ON t.term_id = tt.term_id WHERE tt.taxonomy IN ('category') ORDER BY t.name ASC
select user0_.id as id1_0_, user0_.name as name2_0_ from user user0_ where user0_.name=? and (user0_.deleted is null)
select o1_0.id, o1_0.total from orders o1_0 join customers c1_0 on c1_0.id=o1_0.customer_id where c1_0.id=? order by o1_0.id desc limit ?
insert into orders (customer_id, total, version) values (?, ?, ?)
update orders set total=?, version=? where id=? and version=?
delete from order_lines where order_id=?
SELECT COUNT(*) AS `__count` FROM `auth_user` WHERE `auth_user`.`is_active`
SELECT (1) AS `a` FROM `django_session` WHERE `django_session`.`session_key` = 'x' LIMIT 1
SELECT `id` FROM `jobs` WHERE `queue` = 'default' AND ((`reserved_at` IS NULL AND `available_at` <= 1790000000) OR (`reserved_at` <= 1789999910)) ORDER BY `id` ASC LIMIT 1 FOR UPDATE SKIP LOCKED
UPDATE `accounts` SET `balance` = `balance` - 10, `updated_at` = '2026-11-24 10:00:00' WHERE `accounts`.`id` = 5
SELECT c FROM sbtest1 WHERE id=5
SELECT c FROM sbtest1 WHERE id BETWEEN 5 AND 104
SELECT SUM(k) FROM sbtest1 WHERE id BETWEEN 5 AND 104
SELECT DISTINCT c FROM sbtest1 WHERE id BETWEEN 5 AND 104 ORDER BY c
UPDATE sbtest1 SET k=k+1 WHERE id=5
UPDATE sbtest1 SET c='68487932199-96439406143' WHERE id=5
DELETE FROM sbtest1 WHERE id=5
INSERT INTO sbtest1 (id, k, c, pad) VALUES (5, 1, 'c', 'pad')
SELECT /*!40001 SQL_NO_CACHE */ * FROM `orders`
LOCK TABLES `orders` READ /*!32311 LOCAL */
/*!40000 ALTER TABLE `orders` DISABLE KEYS */
/*!40101 SET NAMES utf8mb4 */
/*!50003 CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.n = 1 */
SELECT LOGFILE_GROUP_NAME FROM INFORMATION_SCHEMA.FILES WHERE FILE_TYPE = 'UNDO LOG'
SELECT t1.a, t2.b FROM db1.t1, db2.t2 WHERE t1.id = t2.id
SELECT a.x FROM t1 a WHERE a.y IN (SELECT b.y FROM t2 b WHERE b.z IN (SELECT c.z FROM t3 c))
## of shops, ledgers, tickets and logs
SELECT p.id, p.name, s.quantity FROM products p JOIN stock s ON s.product_id = p.id WHERE s.quantity < p.reorder_level
SELECT p.* FROM products p LEFT JOIN product_tags pt ON pt.product_id = p.id WHERE pt.tag_id IS NULL ORDER BY p.name
SELECT category_id, COUNT(*) c, MIN(price) lo, MAX(price) hi FROM products GROUP BY category_id ORDER BY c DESC
SELECT a.id, a.balance FROM accounts a WHERE a.balance < 0 FOR UPDATE
SELECT SUM(amount) FROM ledger_entries WHERE account_id = 7 AND booked_at BETWEEN '2026-01-01' AND '2026-12-31'
SELECT l.account_id, SUM(CASE WHEN l.side = 'D' THEN l.amount ELSE -l.amount END) AS saldo FROM ledger_entries l GROUP BY l.account_id
SELECT t.id, t.subject, u.name FROM tickets t JOIN users u ON u.id = t.assignee_id WHERE t.state IN ('open', 'waiting') ORDER BY t.priority, t.id
SELECT t.id, (SELECT COUNT(*) FROM ticket_comments tc WHERE tc.ticket_id = t.id) AS comments FROM tickets t WHERE t.id = 99
SELECT u.id FROM users u WHERE NOT EXISTS (SELECT 1 FROM logins l WHERE l.user_id = u.id AND l.at > '2026-10-01')
SELECT u.email, MAX(l.at) FROM users u LEFT JOIN logins l ON l.user_id = u.id GROUP BY u.email HAVING MAX(l.at) IS NULL
SELECT DATE(created_at) d, COUNT(*) FROM events WHERE kind = 'click' GROUP BY d ORDER BY d
SELECT e1.id FROM events e1 JOIN events e2 ON e2.parent_id = e1.id AND e2.kind = 'error'
SELECT * FROM audit_log WHERE entity = 'order' AND entity_id = 5 ORDER BY id DESC LIMIT 50
SELECT m.body FROM messages m JOIN conversations c ON c.id = m.conversation_id JOIN members mb ON mb.conversation_id = c.id WHERE mb.user_id = 3
SELECT r.name, COUNT(b.id) FROM rooms r LEFT JOIN bookings b ON b.room_id = r.id AND b.day = '2026-11-24' GROUP BY r.id
SELECT v.plate FROM vehicles v WHERE v.id IN (SELECT vehicle_id FROM trips WHERE km > 500 UNION SELECT vehicle_id FROM repairs)
SELECT s.id FROM sensors s, LATERAL (SELECT value FROM readings r WHERE r.sensor_id = s.id ORDER BY r.at DESC LIMIT 1) last WHERE last.value > 90
SELECT employee_id, salary, RANK() OVER (PARTITION BY department_id ORDER BY salary DESC) rnk FROM salaries
SELECT d.name, e.name FROM departments d JOIN employees e ON e.id = d.head_id UNION ALL SELECT 'none', name FROM contractors
SELECT i.number, i.total - COALESCE(SUM(pay.amount), 0) AS due FROM invoices i LEFT JOIN payments pay ON pay.invoice_id = i.id GROUP BY i.id
SELECT k.value FROM settings k WHERE k.`key` = 'theme' AND k.user_id = 12
SELECT id, path FROM files WHERE path LIKE '/home/%' AND size > 1024 * 1024
SELECT f.id FROM files f FORCE INDEX (idx_path) JOIN folders d ON d.id = f.folder_id WHERE d.owner = 4
SELECT url, hits FROM pages ORDER BY hits DESC LIMIT 10
SELECT AVG(rating) FROM reviews WHERE product_id = 17 AND approved = TRUE
SELECT c.code FROM coupons c WHERE c.code = 'XMAS' AND c.used < c.max_uses FOR UPDATE NOWAIT
SELECT a.street, c.name FROM addresses a JOIN countries c USING (country_code) WHERE a.customer_id = 9
SELECT lang, text FROM translations WHERE `key` = 'hello' AND lang IN ('de', 'fr')
SELECT device_id, MAX(seen_at) FROM heartbeats GROUP BY device_id
SELECT * FROM queue WHERE locked_until < NOW() ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED
SELECT n.* FROM nodes n WHERE n.lft BETWEEN 2 AND 9
SELECT ST_AsText(location) FROM shops WHERE ST_Distance_Sphere(location, POINT(13.4, 52.5)) < 1000
SELECT HEX(uuid), BIN_TO_UUID(uuid) FROM devices WHERE uuid = UUID_TO_BIN('3e11fa47-71ca-11e1-9e33-c80aa9429562')
SELECT JSON_UNQUOTE(JSON_EXTRACT(payload, '$.user.id')) FROM webhooks WHERE status = 500
SELECT w.id FROM webhooks w WHERE JSON_CONTAINS(w.payload, '"paid"', '$.states')
SELECT COUNT(*) FROM tickets WHERE MATCH (subject) AGAINST ('printer')
SELECT x.id, y.id FROM matrix x CROSS JOIN matrix y WHERE x.id < y.id
SELECT g.id FROM games g WHERE (g.home_id, g.day) IN (SELECT team_id, day FROM fixtures)
SELECT COUNT(*) FROM crm.leads l JOIN sales.deals d ON d.lead_id = l.id WHERE d.won = 1
SELECT o.id FROM shop.orders AS o USE INDEX FOR ORDER BY (PRIMARY) ORDER BY o.id LIMIT 3
INSERT INTO ledger_entries (account_id, side, amount) VALUES (7, 'D', 10.00), (8, 'C', 10.00)
INSERT INTO ticket_comments (ticket_id, body) VALUES (99, 'it works; closing')
INSERT INTO logins (user_id, at, ip) VALUES (3, NOW(6), INET6_ATON('::1'))
INSERT INTO daily_sales (day, total) SELECT DATE(created_at), SUM(total) FROM orders GROUP BY DATE(created_at)
INSERT INTO product_tags (product_id, tag_id) SELECT p.id, t.id FROM products p CROSS JOIN tags t WHERE t.name = 'new'
INSERT INTO stock (product_id, quantity) VALUES (17, 5) ON DUPLICATE KEY UPDATE quantity = quantity + VALUES(quantity)
INSERT IGNORE INTO followers (user_id, follows_id) VALUES (1, 2), (2, 1)
INSERT INTO messages SET conversation_id = 4, body = 'hi', sent_at = CURRENT_TIMESTAMP
INSERT INTO history (entity, old) SELECT 'user', JSON_OBJECT('id', id, 'name', name) FROM users WHERE id = 3
INSERT INTO readings (sensor_id, at, value) VALUES (1, '2026-11-24 10:00:00.123456', 21.5)
INSERT INTO files (name, data) VALUES ('a.bin', _binary 0x0001FEFF)
INSERT INTO countries VALUES ('DE', 'Deutschland'), ('FR', 'France')
INSERT INTO settings (user_id, `key`, value) VALUES (12, 'theme', 'dark') AS v ON DUPLICATE KEY UPDATE value = v.value
REPLACE INTO heartbeats (device_id, seen_at) VALUES (5, UTC_TIMESTAMP())
REPLACE INTO translations (`key`, lang, text) SELECT `key`, 'en-GB', text FROM translations_us
UPDATE accounts SET balance = balance - 10 WHERE id = 7 AND balance >= 10
UPDATE accounts a JOIN (SELECT account_id, SUM(amount) s FROM ledger_entries GROUP BY account_id) l ON l.account_id = a.id SET a.balance = l.s
UPDATE tickets SET state = 'closed', closed_at = NOW() WHERE state = 'waiting' AND updated_at < NOW() - INTERVAL 14 DAY LIMIT 500
UPDATE stock s, order_lines ol SET s.quantity = s.quantity - ol.quantity WHERE ol.product_id = s.product_id AND ol.order_id = 5
UPDATE users SET password_hash = 'x', failed = 0 WHERE email = 'ann@example.org'
UPDATE queue SET locked_until = NOW() + INTERVAL 5 MINUTE WHERE id = 31 AND locked_until < NOW()
UPDATE products SET price = ROUND(price * 1.19, 2) WHERE category_id IN (SELECT id FROM categories WHERE taxed = 1)
UPDATE nodes SET rgt = rgt + 2 WHERE rgt > 9 ORDER BY rgt DESC
UPDATE coupons SET used = used + 1 WHERE code = 'XMAS' AND used < max_uses
UPDATE webhooks SET payload = JSON_REMOVE(payload, '$.secret'), tries = tries + 1 WHERE id = 8
UPDATE crm.leads l LEFT JOIN sales.deals d ON d.lead_id = l.id SET l.cold = 1 WHERE d.id IS NULL
DELETE FROM logins WHERE at < '2025-01-01' ORDER BY at LIMIT 10000
DELETE FROM followers WHERE user_id = 1 OR follows_id = 1
DELETE tc FROM ticket_comments tc JOIN tickets t ON t.id = tc.ticket_id WHERE t.state = 'spam'
DELETE m, mb FROM messages m INNER JOIN members mb ON mb.conversation_id = m.conversation_id WHERE m.conversation_id = 4
DELETE FROM heartbeats WHERE device_id NOT IN (SELECT id FROM devices)
DELETE FROM bookings WHERE room_id = (SELECT id FROM rooms WHERE name = 'A1') AND day = '2026-11-24'
WITH late AS (SELECT id FROM invoices WHERE due_on < CURDATE()) SELECT i.number FROM invoices i JOIN late ON late.id = i.id
WITH per_day AS (SELECT DATE(at) d, COUNT(*) n FROM logins GROUP BY d) SELECT d, n, SUM(n) OVER (ORDER BY d) FROM per_day
WITH RECURSIVE chain (id, boss) AS (SELECT id, boss_id FROM employees WHERE id = 5 UNION ALL SELECT e.id, e.boss_id FROM employees e JOIN chain ON chain.boss = e.id) SELECT id FROM chain
CREATE TABLE reviews (id BIGINT AUTO_INCREMENT PRIMARY KEY, product_id INT NOT NULL, rating TINYINT, KEY (product_id))
CREATE TABLE IF NOT EXISTS sales.deals (id INT PRIMARY KEY, lead_id INT, won BOOLEAN DEFAULT FALSE) COMMENT = 'x'
ALTER TABLE reviews ADD COLUMN approved BOOLEAN NOT NULL DEFAULT FALSE, ADD KEY idx_approved (approved)
ALTER TABLE crm.leads DROP COLUMN cold, ALGORITHM=INPLACE, LOCK=NONE
ALTER TABLE sensors MODIFY name VARCHAR(80) CHARACTER SET utf8mb4 NOT NULL, COMMENT = 'new'
CREATE INDEX idx_due ON invoices (due_on, number(10))
DROP INDEX idx_due ON invoices
TRUNCATE TABLE daily_sales
DROP TABLE IF EXISTS translations_us
RENAME TABLE readings TO readings_old, readings_new TO readings
LOCK TABLES tickets WRITE, users READ
ANALYZE TABLE invoices, payments
SHOW CREATE TABLE invoices
SHOW INDEX FROM payments
EXPLAIN SELECT i.id FROM invoices i JOIN payments p ON p.invoice_id = i.id
TABLE countries ORDER BY name LIMIT 3
