-- +goose Up
-- When the copy of a stored item in the mirror was last read and found right.

ALTER TABLE items ADD COLUMN mirrored_at BIGINT NOT NULL DEFAULT 0; -- 0: there is no such copy
CREATE INDEX items_mirrored ON items (agency, mirrored_at, id, length) WHERE state = 'stored' AND destroyed_at = 0;
-- Stored once, and damaged since.
CREATE INDEX items_damaged ON items (agency, id) WHERE state = 'quarantined' AND event_id <> 0 AND destroyed_at = 0;
