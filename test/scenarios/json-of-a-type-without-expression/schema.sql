-- A value inside JSON of a type that no expression of today's servers makes is not spelled as one of another type.
CREATE TABLE t (id INT, j JSON);
