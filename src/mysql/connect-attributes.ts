/** The connection attribute by which a proxy marks what it opens to a server; its value is the proxy's boot nonce. */
export const PROXY_ATTRIBUTE = "switchyard_proxy";

/** Those by which our own sessions on a server are told apart: the migration that one works for, and what it does there. */
export const MIGRATION_ATTRIBUTE = "switchyard_migration";
export const ROLE_ATTRIBUTE = "switchyard_role";

/**
 * The smallest `performance_schema_session_connect_attrs_size` with which a server keeps the attributes by which we
 * find connections: they come first in a login, and what clients add behind them may be cut off.
 */
export const CONNECT_ATTRIBUTES_BYTES_MIN = 256;
