-- +goose Up
-- People and groups that a program of the directory provisions (SCIM), and those programs.

CREATE TABLE provisioners (
    id           TEXT NOT NULL PRIMARY KEY,
    agency       TEXT NOT NULL,
    name         TEXT NOT NULL, -- unique among those that stand
    token_hash   TEXT NOT NULL UNIQUE,
    networks     TEXT NOT NULL, -- JSON array, of CIDR; empty: from anywhere
    made_at      INTEGER NOT NULL,
    made_by      TEXT NOT NULL,
    expires_at   INTEGER NOT NULL,
    ended_at     INTEGER NOT NULL DEFAULT 0,
    last_used_at INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX provisioners_name ON provisioners (agency, name) WHERE ended_at = 0;

CREATE TABLE provisioned_people (
    user_id       TEXT NOT NULL PRIMARY KEY,
    provisioner   TEXT NOT NULL, -- its name: who gets a new token goes on with its people
    agency        TEXT NOT NULL,
    user_name     TEXT NOT NULL, -- as the directory writes it
    user_name_key TEXT NOT NULL, -- lower case
    external_id   TEXT NOT NULL, -- the directory's own id; empty: it gave none
    display_name  TEXT NOT NULL,
    display_key   TEXT NOT NULL,
    profile       TEXT NOT NULL, -- JSON: names and addresses as the directory writes them
    active        INTEGER NOT NULL, -- 0: disabled there
    made_at       INTEGER NOT NULL,
    changed_at    INTEGER NOT NULL,
    removed_at    INTEGER NOT NULL DEFAULT 0,
    version       INTEGER NOT NULL
);
CREATE INDEX provisioned_people_made ON provisioned_people (agency, provisioner, made_at, user_id);
CREATE INDEX provisioned_people_name ON provisioned_people (agency, user_name_key);
CREATE INDEX provisioned_people_external ON provisioned_people (agency, external_id);

CREATE TABLE provisioned_groups (
    id           TEXT NOT NULL PRIMARY KEY,
    provisioner  TEXT NOT NULL,
    agency       TEXT NOT NULL,
    name         TEXT NOT NULL,
    name_key     TEXT NOT NULL,
    external_id  TEXT NOT NULL,
    made_at      INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    removed_at   INTEGER NOT NULL DEFAULT 0,
    version      INTEGER NOT NULL
);
CREATE UNIQUE INDEX provisioned_groups_name ON provisioned_groups (agency, provisioner, name_key) WHERE removed_at = 0;
CREATE INDEX provisioned_groups_made ON provisioned_groups (agency, provisioner, made_at, id);

CREATE TABLE provisioned_members (
    group_id TEXT NOT NULL,
    user_id  TEXT NOT NULL,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX provisioned_members_user ON provisioned_members (user_id, group_id);

-- When an account was disabled because nobody used it (0: it was not), and when it was
-- last enabled after it was disabled, from which on it counts as used.
ALTER TABLE users ADD COLUMN dormant_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN enabled_at INTEGER NOT NULL DEFAULT 0;
