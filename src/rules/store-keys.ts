/** How every key begins; an etcd may be told to store another beginning instead. */
export const KEYS_ROOT = "/switchyard";

/** Where each document lives in the store. */
export const RULES_KEY = "/switchyard/rules";
export const MIGRATIONS_PREFIX = "/switchyard/migrations/";
/** Registrations of proxies; not leased. */
export const PROXIES_PREFIX = "/switchyard/proxies/";
/** Leased: the proxy of that id lives. */
export const ALIVE_PREFIX = "/switchyard/alive/";
/** Leased: sessions of a proxy, for people to look at. */
export const SESSIONS_PREFIX = "/switchyard/sessions/";
/** Leased: live progress of a migration's streams and diffs, for people to look at. */
export const STATUS_PREFIX = "/switchyard/status/";
/** What somebody asked for, taken and answered by the controller that runs the migration, or by the leading one. */
export const ORDERS_PREFIX = "/switchyard/orders/";
/** What is kept of each order that has ended: `<migration>/<order>`. */
export const ORDER_RECORDS_PREFIX = "/switchyard/order-records/";
/** Results of diffs, by migration. */
export const DIFFS_PREFIX = "/switchyard/diffs/";
/** Claims of tables by unfinished migrations: `<server uuid>/<schema>.<table>`. */
export const CLAIMS_PREFIX = "/switchyard/claims/";
/** Leased, for seconds: statements that a KILL of one proxy meant and another proxy has. */
export const KILLS_PREFIX = "/switchyard/kills/";
/** Leased: the controller of that id lives. */
export const CONTROLLERS_PREFIX = "/switchyard/controllers/";
/** Leased: which controller runs the migration of that id, its streams and its orders. */
export const STREAMS_PREFIX = "/switchyard/streams/";
/** Leased: the controller that does what concerns no single migration. */
export const LEADER_KEY = "/switchyard/leader";
