import { quoteText, type TableName } from "../base/table-name.ts";

/**
 * The questions to information_schema whose rows {@link parseTableShape} reads. Each gives the rows of one table,
 * in order; column names are fixed here because servers differ in the case of their own.
 */
export interface ShapeQueries {
  readonly table: string;
  readonly columns: string;
  readonly keys: string;
  readonly foreignKeys: string;
}

export function shapeQueries(name: TableName): ShapeQueries {
  const where = `table_schema = ${quoteText(name.schema)} AND table_name = ${quoteText(name.table)}`;
  return {
    table:
      "SELECT table_name AS name, engine AS engine, table_collation AS collation, table_type AS type " +
      `FROM information_schema.tables WHERE ${where}`,
    columns:
      "SELECT column_name AS name, data_type AS data_type, column_type AS column_type, is_nullable AS nullable, " +
      "character_set_name AS charset, collation_name AS collation, extra AS extra, " +
      "character_octet_length AS octets, numeric_scale AS scale, column_default AS dflt, " +
      `datetime_precision AS digits FROM information_schema.columns WHERE ${where} ORDER BY ordinal_position`,
    keys:
      "SELECT index_name AS name, non_unique AS non_unique, column_name AS col, sub_part AS sub_part, " +
      "expression AS expression, is_visible AS visible " +
      `FROM information_schema.statistics WHERE ${where} ORDER BY index_name, seq_in_index`,
    foreignKeys:
      "SELECT k.constraint_name AS name, k.column_name AS col, k.referenced_table_schema AS ref_schema, " +
      "k.referenced_table_name AS ref_table, k.referenced_column_name AS ref_col, " +
      "r.update_rule AS on_update, r.delete_rule AS on_delete " +
      "FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r " +
      "ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name " +
      `WHERE k.${where.replace(" AND ", " AND k.")} AND k.referenced_table_name IS NOT NULL ` +
      "ORDER BY k.constraint_name, k.ordinal_position",
  };
}
