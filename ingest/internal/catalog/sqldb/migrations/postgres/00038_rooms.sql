-- +goose Up
-- Docks: until when the certificate of an enrolment is good, and tokens that people took
-- back.
ALTER TABLE docks ADD COLUMN certificate_until BIGINT NOT NULL DEFAULT 0; -- 0: not known
UPDATE docks SET certificate_until = enrolled_at + 7776000000000; -- 90 days, for which every certificate of a dock was issued
ALTER TABLE dock_tokens ADD COLUMN withdrawn_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX dock_tokens_open ON dock_tokens (agency, dock, expires_at) WHERE used_at = 0 AND withdrawn_at = 0;

-- Items: what an agency says of a recording, beside what was recorded. category is the one
-- that counts; where people gave it, claimed_category is the camera's.
ALTER TABLE items ADD COLUMN annotated BIGINT NOT NULL DEFAULT 0; -- how often it was changed
ALTER TABLE items ADD COLUMN title TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN note TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN incident TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN place TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN tags TEXT COLLATE "C" NOT NULL DEFAULT ''; -- each between line ends
ALTER TABLE items ADD COLUMN given_category TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN claimed_category TEXT COLLATE "C" NOT NULL DEFAULT '';

DROP TRIGGER items_changed ON items;
CREATE TRIGGER items_changed BEFORE UPDATE ON items
    FOR EACH ROW WHEN (OLD.slot > 0 AND NEW.slot = OLD.slot AND
        (OLD.dock, OLD.station, OLD.camera, OLD.camera_model, OLD.path, OLD.kind, OLD.officer, OLD.officer_id, OLD.category, OLD.state, OLD.destroyed_at, OLD.original, OLD.wearer, OLD.wearer_id, OLD.search, OLD.wearer_search, OLD.offered_at, OLD.recorded_at, OLD.tags, OLD.incident) IS DISTINCT FROM
        (NEW.dock, NEW.station, NEW.camera, NEW.camera_model, NEW.path, NEW.kind, NEW.officer, NEW.officer_id, NEW.category, NEW.state, NEW.destroyed_at, NEW.original, NEW.wearer, NEW.wearer_id, NEW.search, NEW.wearer_search, NEW.offered_at, NEW.recorded_at, NEW.tags, NEW.incident))
    EXECUTE FUNCTION items_lose_slot();
