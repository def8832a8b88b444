-- A view that also reads a table that stays would find half of what it reads at either home.
CREATE TABLE t (id INT PRIMARY KEY);
CREATE VIEW seen AS SELECT t.id FROM t LEFT JOIN mysql.time_zone_name z ON z.Time_zone_id = t.id;
