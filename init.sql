-- The schema of async-starter for MySQL and MariaDB, with its migrations recorded as applied, and sample users.
-- Load it into an empty database. Written by `cargo xtask schema dump`: change the migrations, not this file.

SET NAMES utf8mb4;

CREATE TABLE `users` (
  `id` bigint NOT NULL PRIMARY KEY AUTO_INCREMENT,
  `name` varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `email` varchar(254) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `created_at` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  `updated_at` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  `version` bigint NOT NULL DEFAULT 1,
  UNIQUE KEY `uq_users_email` (`email`)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE INDEX `ix_users_created_at_id` ON `users` (`created_at`, `id`);

CREATE TABLE `idempotency_keys` (
  `key_hash` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
  `request_hash` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  `answer` mediumblob NOT NULL,
  `expires_at` datetime(6) NOT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE INDEX `ix_idempotency_keys_expires_at` ON `idempotency_keys` (`expires_at`);

CREATE TABLE `replication_beats` (
  `instance` bigint NOT NULL PRIMARY KEY,
  `beat` bigint NOT NULL,
  `written_at` datetime(6) NOT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `seaql_migrations` (
  `version` varchar(255) NOT NULL PRIMARY KEY,
  `applied_at` bigint NOT NULL
);

INSERT INTO `seaql_migrations` (`version`, `applied_at`) VALUES
  ('m20261123_000001_create_users', UNIX_TIMESTAMP()),
  ('m20261123_000002_index_users_by_creation', UNIX_TIMESTAMP()),
  ('m20261123_000003_create_idempotency_keys', UNIX_TIMESTAMP()),
  ('m20261123_000004_index_idempotency_keys_by_expiry', UNIX_TIMESTAMP()),
  ('m20261123_000005_create_replication_beats', UNIX_TIMESTAMP());

INSERT INTO `users` (`name`, `email`, `created_at`, `updated_at`) VALUES
  ('Alice', 'alice@example.com', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)),
  ('Bob', 'bob@example.com', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)),
  ('Charlie', 'charlie@example.com', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6));
