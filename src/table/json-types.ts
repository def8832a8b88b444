/**
 * What a JSON document's text does not say: which of its values are of another type than a value of that text would get
 * by being read. These are the SQL types that functions put in (DECIMAL, DATE, TIME, DATETIME, TIMESTAMP, binary strings,
 * BIT), and integers: read from text, one below 2^32 is signed and a larger one is not.
 */
export type JsonSqlType =
  | "DECIMAL"
  | "DATE"
  | "TIME"
  | "DATETIME"
  | "TIMESTAMP"
  | "BLOB"
  | "BIT"
  | "OPAQUE"
  | "INTEGER"
  | "UNSIGNED INTEGER";

/** Integers up to this one are signed when they are read from text. */
export const SIGNED_FROM_TEXT_MAX = 0xffff_ffff;

const BY_FUNCTIONS_ONLY = "'DECIMAL','DATE','TIME','DATETIME','TIMESTAMP','BLOB','BIT','OPAQUE'";

/** A name that no column has, as those of the table are in reach where the expression stands. */
const LIST = "`switchyard json`";

/**
 * An expression for the types that the text of a JSON column, or of another JSON value, does not say: an object of {@link JsonSqlType} by the number
 * of the value, or NULL where the text says all. Equal documents have equal texts and equal types, and only they have.
 *
 * Values are counted as the paths `$**.*` and `$**[*]` of an array around the document find them: from 1 on, first the
 * members of all objects, then the document itself, then the elements of all arrays; a container comes before what is in it.
 */
export function jsonTypesExpression(json: string): string {
  const type = `JSON_TYPE(${LIST}.v)`;
  const signed = `${LIST}.v <= ${SIGNED_FROM_TEXT_MAX}`;
  return (
    `(SELECT JSON_OBJECTAGG(${LIST}.n, ${type}) FROM JSON_TABLE(` +
    `JSON_EXTRACT(JSON_ARRAY(${json}), '$**.*', '$**[*]'), '$[*]'` +
    ` COLUMNS (n FOR ORDINALITY, v JSON PATH '$')) ${LIST} WHERE ${type} IN (${BY_FUNCTIONS_ONLY})` +
    ` OR ${type} = 'UNSIGNED INTEGER' AND ${signed} OR ${type} = 'INTEGER' AND NOT ${signed})`
  );
}
