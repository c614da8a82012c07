-- +goose Up
-- Recordings that are sealed encoded.

ALTER TABLE items ADD COLUMN encoding TEXT NOT NULL DEFAULT ''; -- '': sealed as it was read
ALTER TABLE items ADD COLUMN encoded BIGINT NOT NULL DEFAULT 0; -- bytes that are sealed, 0 with ''
