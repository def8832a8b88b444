DROP DATABASE `schema-dropped`;
