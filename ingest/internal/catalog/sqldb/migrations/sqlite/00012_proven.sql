-- +goose Up
-- Which stored items were proven the longest ago.

CREATE INDEX items_proven ON items (agency, proven_at, id, length) WHERE state = 'stored' AND destroyed_at = 0;
