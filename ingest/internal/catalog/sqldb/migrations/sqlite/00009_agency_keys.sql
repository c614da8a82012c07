-- +goose Up
-- To which of its agency's keys a recording's key is wrapped, and which of them a
-- dock was told. '': not noted, it was the first.

ALTER TABLE offers ADD COLUMN agency_key TEXT NOT NULL DEFAULT '';
ALTER TABLE docks ADD COLUMN agency_key TEXT NOT NULL DEFAULT '';
CREATE INDEX offers_agency_key ON offers (agency, agency_key, id, attempt);

-- When the key of a stored item was destroyed; 0: it was not. The item stays
-- 'stored' here, so that its recording is never taken in again.
ALTER TABLE items ADD COLUMN destroyed_at BIGINT NOT NULL DEFAULT 0;
DROP INDEX items_state;
CREATE INDEX items_state ON items (agency, state, offered_at, id, length, stored_at, erased_at, destroyed_at);
