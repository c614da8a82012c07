-- +goose Up
-- Searches: items get numbers, slots, in blocks of 4096, and for each term that an item
-- can be found by, such as the beginning of a word or a station, item_terms says which
-- slots of a block have it. An item whose searchable columns change loses its slot and
-- gets another one later; a slot is never used again. What has no slot yet is searched
-- row by row.

ALTER TABLE items ADD COLUMN slot BIGINT NOT NULL DEFAULT 0; -- 0: none
CREATE TABLE item_terms (
    agency TEXT COLLATE "C" NOT NULL,
    term   TEXT COLLATE "C" NOT NULL,
    block  BIGINT NOT NULL, -- slot / 4096
    slots  BYTEA NOT NULL,    -- slot % 4096: a set of fewer than 256 as 16-bit little-endian numbers that rise, else as 4096 bits
    PRIMARY KEY (agency, term, block)
);
CREATE TABLE item_blocks (
    agency TEXT COLLATE "C" NOT NULL,
    block  BIGINT NOT NULL,
    offered_from  BIGINT NOT NULL, -- of its items when they got their slots; to: the last one
    offered_to    BIGINT NOT NULL,
    recorded_from BIGINT NOT NULL,
    recorded_to   BIGINT NOT NULL,
    PRIMARY KEY (agency, block)
);
ALTER TABLE item_terms ALTER COLUMN slots SET STORAGE PLAIN;

DROP TABLE item_words;
DROP INDEX items_station;
DROP INDEX items_dock;
DROP INDEX items_kind;
DROP INDEX items_unworn;
DROP INDEX items_destroyed;
DROP INDEX items_length;
DROP INDEX items_officer;
CREATE INDEX items_slotless ON items (agency, offered_at, id) WHERE slot = 0;
CREATE INDEX items_slot ON items (agency, slot) INCLUDE (offered_at, recorded_at, length, id, wearer, officer);
CREATE INDEX items_length ON items (agency, length, id) INCLUDE (slot, offered_at, recorded_at);
CREATE INDEX items_kind ON items (agency, kind, length, id) INCLUDE (slot, offered_at, recorded_at);
CREATE INDEX items_officer ON items (agency, (CASE WHEN wearer <> '' THEN wearer ELSE officer END), id) INCLUDE (slot, offered_at, recorded_at, wearer, officer);

-- +goose StatementBegin
CREATE FUNCTION items_lose_slot() RETURNS trigger AS $$
BEGIN
    NEW.slot := 0;
    RETURN NEW;
END;
$$ LANGUAGE plpgsql;
-- +goose StatementEnd
CREATE TRIGGER items_changed BEFORE UPDATE ON items
    FOR EACH ROW WHEN (OLD.slot > 0 AND NEW.slot = OLD.slot AND
        (OLD.dock, OLD.station, OLD.camera, OLD.camera_model, OLD.path, OLD.kind, OLD.officer, OLD.officer_id, OLD.category, OLD.state, OLD.destroyed_at, OLD.original, OLD.wearer, OLD.wearer_id, OLD.search, OLD.wearer_search, OLD.offered_at, OLD.recorded_at) IS DISTINCT FROM
        (NEW.dock, NEW.station, NEW.camera, NEW.camera_model, NEW.path, NEW.kind, NEW.officer, NEW.officer_id, NEW.category, NEW.state, NEW.destroyed_at, NEW.original, NEW.wearer, NEW.wearer_id, NEW.search, NEW.wearer_search, NEW.offered_at, NEW.recorded_at))
    EXECUTE FUNCTION items_lose_slot();
