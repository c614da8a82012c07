-- +goose Up
-- Who may do what. Shipped roles and their grants are part of the program; a row
-- of the same id here takes their place.

CREATE TABLE roles (
    agency     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    name_key   TEXT    NOT NULL, -- lower case
    about      TEXT    NOT NULL,
    actions    TEXT    NOT NULL, -- JSON array
    removed_at INTEGER NOT NULL DEFAULT 0,
    updated_at INTEGER NOT NULL,
    updated_by TEXT    NOT NULL,
    PRIMARY KEY (agency, id)
);
CREATE UNIQUE INDEX roles_name ON roles (agency, name_key) WHERE removed_at = 0;

CREATE TABLE people_groups (
    agency     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    name_key   TEXT    NOT NULL,
    made_at    INTEGER NOT NULL,
    made_by    TEXT    NOT NULL,
    removed_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (agency, id)
);
CREATE UNIQUE INDEX people_groups_name ON people_groups (agency, name_key) WHERE removed_at = 0;

CREATE TABLE group_members (
    agency   TEXT NOT NULL,
    group_id TEXT NOT NULL,
    user_id  TEXT NOT NULL,
    PRIMARY KEY (agency, group_id, user_id)
);

CREATE TABLE grants (
    agency    TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    holder    TEXT    NOT NULL CHECK (holder IN ('person', 'group', 'role')),
    holder_id TEXT    NOT NULL,
    role      TEXT    NOT NULL,
    scope     TEXT    NOT NULL CHECK (scope IN ('agency', 'station', 'group', 'category', 'own', 'item')),
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
CREATE INDEX grants_standing ON grants (agency) WHERE ended_at = 0;

-- Counted up by every change of the above: who has compiled a version knows
-- whether it is still the one in force.
CREATE TABLE powers_state (
    agency  TEXT    NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL
);

-- By which id assignments and cameras name the person.
ALTER TABLE users ADD COLUMN officer_id TEXT NOT NULL DEFAULT '';
CREATE INDEX users_agency ON users (agency, login_key);
CREATE INDEX items_wearer ON items (agency, wearer_id, offered_at, id);
