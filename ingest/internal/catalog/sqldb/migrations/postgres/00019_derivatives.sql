-- +goose Up
-- Items that are no recordings, but were made of one at the server.

ALTER TABLE items ADD COLUMN original TEXT NOT NULL DEFAULT '00000000000000000000000000000000'; -- of which item; zero: of none
CREATE INDEX items_derivatives ON items (agency, original, offered_at, id) WHERE kind = 'derivative';
