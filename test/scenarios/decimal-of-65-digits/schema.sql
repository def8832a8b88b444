-- A DECIMAL(65,30) keeps its 65 digits and its sign.
CREATE TABLE t (id INT PRIMARY KEY, d DECIMAL(65,30), e DECIMAL(65,0), f DECIMAL(30,30));
