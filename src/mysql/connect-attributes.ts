/** The connection attribute by which a proxy marks what it opens to a server; its value is the proxy's boot nonce. */
export const PROXY_ATTRIBUTE = "switchyard_proxy";

/**
 * The smallest `performance_schema_session_connect_attrs_size` with which a server keeps the attributes by which we
 * find connections: they come first in a login, and what clients add behind them may be cut off.
 */
export const CONNECT_ATTRIBUTES_BYTES_MIN = 256;
