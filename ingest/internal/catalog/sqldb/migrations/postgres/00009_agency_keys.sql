-- +goose Up
-- To which of its agency's keys a recording's key is wrapped, and which of them a
-- dock was told. '': not noted, it was the first.

ALTER TABLE offers ADD COLUMN agency_key TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE docks ADD COLUMN agency_key TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX offers_agency_key ON offers (agency, agency_key, id, attempt);
