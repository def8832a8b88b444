-- Each element of a VECTOR keeps all of its bits, and the vector its length.
CREATE TABLE t (id INT PRIMARY KEY, v VECTOR(3), long_one VECTOR(2048), longest VECTOR(16383));
