-- +goose Up
-- Cases: what items are gathered for. An item is in any number of them.

CREATE TABLE cases (
    agency     TEXT NOT NULL,
    id         TEXT NOT NULL,
    number     TEXT NOT NULL, -- the agency's own
    number_key TEXT NOT NULL, -- lower case
    title      TEXT NOT NULL,
    title_key  TEXT NOT NULL,
    note       TEXT NOT NULL,
    lead       TEXT NOT NULL, -- user id; '': nobody is named
    search     TEXT NOT NULL, -- words of number and title, each after a space
    opened_at  BIGINT NOT NULL,
    opened_by  TEXT NOT NULL,
    closed_at  BIGINT NOT NULL DEFAULT 0,
    closed_by  TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (agency, id)
);
CREATE UNIQUE INDEX cases_number ON cases (agency, number_key);

CREATE TABLE case_items (
    agency   TEXT NOT NULL,
    item     TEXT NOT NULL,
    case_id  TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    added_by TEXT NOT NULL,
    PRIMARY KEY (agency, item, case_id)
) WITHOUT ROWID;
CREATE INDEX case_items_case ON case_items (agency, case_id, item);

-- A case is what an item, and what was made of it, can be found by: see 00032.
-- +goose StatementBegin
CREATE TRIGGER case_items_put AFTER INSERT ON case_items BEGIN
    UPDATE items SET slot = 0 WHERE agency = NEW.agency AND id = NEW.item;
    UPDATE items SET slot = 0 WHERE agency = NEW.agency AND kind = 'derivative' AND original = NEW.item;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER case_items_taken AFTER DELETE ON case_items BEGIN
    UPDATE items SET slot = 0 WHERE agency = OLD.agency AND id = OLD.item;
    UPDATE items SET slot = 0 WHERE agency = OLD.agency AND kind = 'derivative' AND original = OLD.item;
END;
-- +goose StatementEnd

-- Grants may be on a case. SQLite changes no condition of a table.
CREATE TABLE grants_with_cases (
    agency    TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    holder    TEXT    NOT NULL CHECK (holder IN ('person', 'group', 'role')),
    holder_id TEXT    NOT NULL,
    role      TEXT    NOT NULL,
    scope     TEXT    NOT NULL CHECK (scope IN ('agency', 'station', 'group', 'category', 'own', 'case', 'item')),
    value     TEXT    NOT NULL,
    until_at  INTEGER NOT NULL DEFAULT 0,
    view_only INTEGER NOT NULL DEFAULT 0,
    networks  TEXT    NOT NULL, -- JSON array, of CIDR; empty: from anywhere
    clients   TEXT    NOT NULL, -- JSON array; empty: by any
    reason    TEXT    NOT NULL,
    made_at   INTEGER NOT NULL,
    made_by   TEXT    NOT NULL,
    ended_at  INTEGER NOT NULL DEFAULT 0,
    ended_by  TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (agency, id)
);
INSERT INTO grants_with_cases (agency, id, holder, holder_id, role, scope, value, until_at, view_only, networks, clients, reason, made_at, made_by, ended_at, ended_by)
    SELECT agency, id, holder, holder_id, role, scope, value, until_at, view_only, networks, clients, reason, made_at, made_by, ended_at, ended_by FROM grants;
DROP TABLE grants;
ALTER TABLE grants_with_cases RENAME TO grants;
CREATE INDEX grants_standing ON grants (agency) WHERE ended_at = 0;
