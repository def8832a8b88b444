INSERT INTO Item VALUES (1, 'upper'), (2, 'upper');
INSERT INTO item VALUES (1, 'lower');
