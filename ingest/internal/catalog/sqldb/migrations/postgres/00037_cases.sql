-- +goose Up
-- Cases: what items are gathered for. An item is in any number of them.

CREATE TABLE cases (
    agency     TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    number     TEXT COLLATE "C" NOT NULL, -- the agency's own
    number_key TEXT COLLATE "C" NOT NULL, -- lower case
    title      TEXT COLLATE "C" NOT NULL,
    title_key  TEXT COLLATE "C" NOT NULL,
    note       TEXT COLLATE "C" NOT NULL,
    lead       TEXT COLLATE "C" NOT NULL, -- user id; '': nobody is named
    search     TEXT COLLATE "C" NOT NULL, -- words of number and title, each after a space
    opened_at  BIGINT NOT NULL,
    opened_by  TEXT COLLATE "C" NOT NULL,
    closed_at  BIGINT NOT NULL DEFAULT 0,
    closed_by  TEXT COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (agency, id)
);
CREATE UNIQUE INDEX cases_number ON cases (agency, number_key);

CREATE TABLE case_items (
    agency   TEXT COLLATE "C" NOT NULL,
    item     TEXT COLLATE "C" NOT NULL,
    case_id  TEXT COLLATE "C" NOT NULL,
    added_at BIGINT NOT NULL,
    added_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (agency, item, case_id)
);
CREATE INDEX case_items_case ON case_items (agency, case_id, item);

-- A case is what an item, and what was made of it, can be found by: see 00032.
-- Rows without a slot are written too: who is giving them one waits, or is waited for.
-- +goose StatementBegin
CREATE FUNCTION case_items_changed() RETURNS trigger AS $$
DECLARE changed case_items;
BEGIN
    changed := OLD;
    IF TG_OP = 'INSERT' THEN
        changed := NEW;
    END IF;
    UPDATE items SET slot = 0 WHERE agency = changed.agency AND id = changed.item;
    UPDATE items SET slot = 0 WHERE agency = changed.agency AND kind = 'derivative' AND original = changed.item;
    RETURN NULL;
END;
$$ LANGUAGE plpgsql;
-- +goose StatementEnd
CREATE TRIGGER case_items_changed AFTER INSERT OR DELETE ON case_items FOR EACH ROW EXECUTE FUNCTION case_items_changed();

ALTER TABLE grants DROP CONSTRAINT grants_scope_check;
ALTER TABLE grants ADD CONSTRAINT grants_scope_check CHECK (scope IN ('agency', 'station', 'group', 'category', 'own', 'case', 'item'));
