/** The statements that make the shop, in order. Every family of column types that can be migrated appears in it. */
export const SCHEMA: readonly string[] = [
  "CREATE DATABASE shop CHARACTER SET utf8mb4",
  `CREATE TABLE shop.customers (
    id INT UNSIGNED NOT NULL AUTO_INCREMENT,
    email VARCHAR(96) NOT NULL,
    name VARCHAR(80) CHARACTER SET latin1 NOT NULL,
    country CHAR(2) CHARACTER SET latin1 NOT NULL,
    born DATE NULL,
    joined_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    last_seen DATETIME NULL,
    level TINYINT NOT NULL DEFAULT 0,
    points MEDIUMINT NOT NULL DEFAULT 0,
    tier ENUM('basic','silver','gold') NOT NULL DEFAULT 'basic',
    interests SET('books','music','sport','garden','games') NOT NULL DEFAULT '',
    newsletter BIT(1) NOT NULL DEFAULT b'0',
    score FLOAT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY email (email),
    KEY country_tier (country, tier)
  )`,
  `CREATE TABLE shop.products (
    sku VARCHAR(24) CHARACTER SET latin1 NOT NULL,
    title VARCHAR(160) NOT NULL,
    description TEXT NULL,
    origin TINYTEXT CHARACTER SET latin1 NULL,
    price DECIMAL(10,2) NOT NULL,
    vat SMALLINT UNSIGNED NOT NULL,
    gross DECIMAL(12,2) GENERATED ALWAYS AS (ROUND(price + price * vat / 100, 2)) STORED,
    weight DOUBLE NOT NULL,
    attributes JSON NULL,
    picture BLOB NULL,
    fingerprint BINARY(16) NOT NULL,
    label VARBINARY(40) NULL,
    options BIT(12) NOT NULL,
    made YEAR NOT NULL,
    open_from TIME(3) NULL,
    open_until TIME NULL,
    PRIMARY KEY (sku),
    UNIQUE KEY fingerprint (fingerprint),
    KEY made_price (made, price)
  )`,
  `CREATE TABLE shop.visits (
    customer_id INT UNSIGNED NOT NULL,
    day DATE NOT NULL,
    arrived_at DATETIME(6) NOT NULL,
    pages SMALLINT NOT NULL,
    seconds DOUBLE NOT NULL,
    address VARBINARY(16) NOT NULL,
    agent VARCHAR(60) NOT NULL,
    PRIMARY KEY (customer_id, day),
    KEY arrived_at (arrived_at)
  )`,
  `CREATE TABLE shop.orders (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    customer_id INT UNSIGNED NOT NULL,
    client SMALLINT NOT NULL DEFAULT 0,
    sequence INT UNSIGNED NOT NULL DEFAULT 0,
    number BINARY(16) NOT NULL,
    placed_at DATETIME(3) NOT NULL,
    state ENUM('placed','paid','shipped','returned') NOT NULL DEFAULT 'placed',
    total DECIMAL(12,2) NOT NULL,
    total_cents BIGINT GENERATED ALWAYS AS (total * 100) STORED,
    remark VARCHAR(120) NULL,
    PRIMARY KEY (id),
    UNIQUE KEY number (number),
    KEY customer (customer_id, placed_at)
  )`,
  `CREATE TABLE shop.order_items (
    order_id BIGINT UNSIGNED NOT NULL,
    line TINYINT UNSIGNED NOT NULL,
    sku VARCHAR(24) CHARACTER SET latin1 NOT NULL,
    quantity SMALLINT UNSIGNED NOT NULL,
    price DECIMAL(10,2) NOT NULL,
    PRIMARY KEY (order_id, line),
    KEY sku (sku)
  )`,
  `CREATE TABLE shop.stock (
    sku VARCHAR(24) CHARACTER SET latin1 NOT NULL,
    warehouse TINYINT UNSIGNED NOT NULL,
    quantity INT NOT NULL,
    movements INT UNSIGNED NOT NULL DEFAULT 0,
    PRIMARY KEY (sku, warehouse)
  )`,
  `CREATE TABLE shop.accounts (
    id MEDIUMINT UNSIGNED NOT NULL,
    owner VARCHAR(60) NOT NULL,
    balance DECIMAL(14,2) NOT NULL,
    transfers INT UNSIGNED NOT NULL DEFAULT 0,
    PRIMARY KEY (id),
    KEY balance (balance)
  )`,
  // Nothing here is unique over (client, sequence): a write that is applied twice must be able to show.
  `CREATE TABLE shop.transfers (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
    client SMALLINT NOT NULL,
    sequence INT UNSIGNED NOT NULL,
    debit MEDIUMINT UNSIGNED NOT NULL,
    credit MEDIUMINT UNSIGNED NOT NULL,
    amount DECIMAL(14,2) NOT NULL,
    booked_at DATETIME(6) NOT NULL,
    memo VARCHAR(80) NOT NULL,
    PRIMARY KEY (id),
    KEY client_sequence (client, sequence)
  )`,
  `CREATE TABLE shop.carts (
    client SMALLINT NOT NULL,
    token VARCHAR(32) NOT NULL,
    sequence INT UNSIGNED NOT NULL,
    contents JSON NOT NULL,
    discount DOUBLE NOT NULL,
    note TINYTEXT CHARACTER SET latin1 NULL,
    saved_at TIMESTAMP(3) NOT NULL,
    PRIMARY KEY (client, token)
  )`,
];

/** The tables of the shop, as `migration create --tables` takes them. */
export const TABLES: readonly string[] = [
  "shop.customers",
  "shop.products",
  "shop.visits",
  "shop.orders",
  "shop.order_items",
  "shop.stock",
  "shop.accounts",
  "shop.transfers",
  "shop.carts",
];

export const ROWS = {
  customers: 120_000,
  products: 20_000,
  visits: 240_000,
  orders: 50_000,
  order_items: 100_000,
  stock: 20_000,
  accounts: 2_000,
} as const;

/** The key of product `n`, in `products` and wherever it is named. */
export function skuOf(n: number): string {
  return `SKU-${String(n).padStart(6, "0")}`;
}
