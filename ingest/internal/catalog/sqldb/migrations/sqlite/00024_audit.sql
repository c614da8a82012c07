-- +goose Up
-- What the audit desk filters by stands beside the event; lists go by time, whatever
-- the filter is.

DROP TRIGGER events_never_changed;
ALTER TABLE events ADD COLUMN actor_kind TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN outcome TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN source TEXT NOT NULL DEFAULT ''; -- its first 128 bytes
UPDATE events SET
    actor_kind = coalesce(json_extract(CAST(event AS TEXT), '$.actor.kind'), ''),
    outcome = coalesce(json_extract(CAST(event AS TEXT), '$.outcome'), ''),
    source = coalesce(substr(json_extract(CAST(event AS TEXT), '$.source'), 1, 128), '')
    WHERE json_valid(CAST(event AS TEXT));
-- +goose StatementBegin
CREATE TRIGGER events_never_changed BEFORE UPDATE ON events
WHEN OLD.log_index IS NOT NULL OR NEW.id <> OLD.id OR NEW.agency <> OLD.agency OR NEW.type <> OLD.type OR NEW.at <> OLD.at OR NEW.actor_id <> OLD.actor_id OR NEW.object <> OLD.object OR NEW.event <> OLD.event OR NEW.salt <> OLD.salt
    OR NEW.actor_kind <> OLD.actor_kind OR NEW.outcome <> OLD.outcome OR NEW.source <> OLD.source
BEGIN
    SELECT RAISE(ABORT, 'custody events are never changed');
END;
-- +goose StatementEnd

DROP INDEX events_object;
DROP INDEX events_type;
DROP INDEX events_actor;
CREATE INDEX events_time ON events (agency, at, id);
CREATE INDEX events_object ON events (agency, object, at, id);
CREATE INDEX events_type ON events (agency, type, at, id);
CREATE INDEX events_kind ON events (agency, actor_kind, at, id);
CREATE INDEX events_actor ON events (agency, actor_id, at, id);
CREATE INDEX events_source ON events (agency, source, at, id);
CREATE INDEX events_not_done ON events (agency, at, id) WHERE outcome <> 'done';

-- Searches: the words of each item, cut to 16 characters, and what lists go by that
-- are narrowed or sorted otherwise. Items of older servers get their words when this
-- one opens the catalog.

CREATE TABLE item_words (
    agency TEXT NOT NULL,
    word   TEXT NOT NULL,
    id     TEXT NOT NULL,
    offered_at  BIGINT NOT NULL, -- as in items, so that a list by it reads nothing else
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (agency, word, id)
) WITHOUT ROWID;
ALTER TABLE items ADD COLUMN worded BIGINT NOT NULL DEFAULT 0; -- 1: item_words has its words, and search is of them
CREATE INDEX items_unworded ON items (agency, id) WHERE worded = 0;
DROP INDEX items_arrival;
DROP INDEX items_recorded;
DROP INDEX items_camera;
DROP INDEX items_state;
CREATE INDEX items_arrival ON items (agency, offered_at, id, recorded_at);
CREATE INDEX items_recorded ON items (agency, recorded_at, id, offered_at);
CREATE INDEX items_camera ON items (agency, camera, offered_at, id, recorded_at);
CREATE INDEX items_state ON items (agency, state, offered_at, id, recorded_at, length, stored_at, erased_at);
CREATE INDEX items_dock ON items (agency, dock, offered_at, id, recorded_at);
CREATE INDEX items_station ON items (agency, station, offered_at, id, recorded_at);
CREATE INDEX items_kind ON items (agency, kind, offered_at, id, recorded_at);
CREATE INDEX items_length ON items (agency, length, id);
CREATE INDEX items_officer ON items (agency, (CASE WHEN wearer <> '' THEN wearer ELSE officer END), id);
CREATE INDEX items_destroyed ON items (agency, offered_at, id) WHERE destroyed_at > 0;
CREATE INDEX items_unworn ON items (agency, offered_at, id) WHERE wearer = '' AND wearer_id = '';

-- Searches that people keep, and under the name '' the one that they made last.
CREATE TABLE saved_searches (
    user_id TEXT NOT NULL,
    name    TEXT NOT NULL,
    query   TEXT NOT NULL, -- as in the address of the list
    at      BIGINT NOT NULL,
    PRIMARY KEY (user_id, name)
);
