-- +goose Up
-- Who may do what. Shipped roles and their grants are part of the program; a row
-- of the same id here takes their place.

CREATE TABLE roles (
    agency     TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    name_key   TEXT COLLATE "C" NOT NULL, -- lower case
    about      TEXT COLLATE "C" NOT NULL,
    actions    TEXT COLLATE "C" NOT NULL, -- JSON array
    removed_at BIGINT NOT NULL DEFAULT 0,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (agency, id)
);
CREATE UNIQUE INDEX roles_name ON roles (agency, name_key) WHERE removed_at = 0;

CREATE TABLE people_groups (
    agency     TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    name_key   TEXT COLLATE "C" NOT NULL,
    made_at    BIGINT NOT NULL,
    made_by    TEXT COLLATE "C" NOT NULL,
    removed_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (agency, id)
);
CREATE UNIQUE INDEX people_groups_name ON people_groups (agency, name_key) WHERE removed_at = 0;

CREATE TABLE group_members (
    agency   TEXT COLLATE "C" NOT NULL,
    group_id TEXT COLLATE "C" NOT NULL,
    user_id  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (agency, group_id, user_id)
);

CREATE TABLE grants (
    agency    TEXT COLLATE "C" NOT NULL,
    id        TEXT COLLATE "C" NOT NULL,
    holder    TEXT COLLATE "C" NOT NULL CHECK (holder IN ('person', 'group', 'role')),
    holder_id TEXT COLLATE "C" NOT NULL,
    role      TEXT COLLATE "C" NOT NULL,
    scope     TEXT COLLATE "C" NOT NULL CHECK (scope IN ('agency', 'station', 'group', 'category', 'own', 'item')),
    value     TEXT COLLATE "C" NOT NULL,
    until_at  BIGINT NOT NULL DEFAULT 0,
    view_only BIGINT NOT NULL DEFAULT 0,
    networks  TEXT COLLATE "C" NOT NULL, -- JSON array, of CIDR; empty: from anywhere
    clients   TEXT COLLATE "C" NOT NULL, -- JSON array; empty: by any
    reason    TEXT COLLATE "C" NOT NULL,
    made_at   BIGINT NOT NULL,
    made_by   TEXT COLLATE "C" NOT NULL,
    ended_at  BIGINT NOT NULL DEFAULT 0,
    ended_by  TEXT COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (agency, id)
);
CREATE INDEX grants_standing ON grants (agency) WHERE ended_at = 0;

-- Counted up by every change of the above: who has compiled a version knows
-- whether it is still the one in force.
CREATE TABLE powers_state (
    agency  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);

-- By which id assignments and cameras name the person.
ALTER TABLE users ADD COLUMN officer_id TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX users_agency ON users (agency, login_key);
CREATE INDEX items_wearer ON items (agency, wearer_id, offered_at, id);
