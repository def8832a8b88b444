/** Whether a column of this type, as `information_schema.COLUMNS.DATA_TYPE` names it, holds geometries. */
export function isSpatial(dataType: string): boolean {
  return /^(?:multi)?(?:point|linestring|polygon)$|^geom/.test(dataType);
}
