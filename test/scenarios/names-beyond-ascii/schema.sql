-- Names have dashes, dollars and letters of other scripts.
CREATE TABLE `tëst-$таблица` (`clé` INT PRIMARY KEY, `値` VARCHAR(20), KEY `индекс` (`値`)) COMMENT = 'with 🦊 and ''quotes''';
