-- +goose Up
-- Times are microseconds since 1970, UTC; 0 means not yet. Ids and digests are
-- lower-case hex. What is unique is unique within its agency.

CREATE TABLE items (
    agency           TEXT NOT NULL,
    id               TEXT NOT NULL,
    attempt          BIGINT NOT NULL,
    dock             TEXT NOT NULL,
    station          TEXT NOT NULL,
    bay              TEXT   NOT NULL,
    docking          TEXT NOT NULL,
    camera           TEXT NOT NULL,
    camera_model     TEXT   NOT NULL,
    path             TEXT   NOT NULL,
    kind             TEXT NOT NULL,
    length           BIGINT NOT NULL,
    sha256           TEXT NOT NULL,
    merkle_root      TEXT NOT NULL,
    officer          TEXT NOT NULL,
    officer_id       TEXT NOT NULL,
    category         TEXT   NOT NULL,
    started_at       BIGINT NOT NULL,
    ended_at         BIGINT NOT NULL,
    marks            TEXT   NOT NULL, -- JSON array
    state            TEXT NOT NULL CHECK (state IN ('receiving', 'stored', 'quarantined', 'superseded')),
    reason           TEXT   NOT NULL DEFAULT '',
    offered_at       BIGINT NOT NULL,
    recorded_at      BIGINT NOT NULL, -- started_at, or offered_at where the camera said nothing
    stored_at        BIGINT NOT NULL DEFAULT 0,
    proven_at        BIGINT NOT NULL DEFAULT 0,
    erased_at        BIGINT NOT NULL DEFAULT 0,
    release_result   TEXT NOT NULL DEFAULT '',
    release_reason   TEXT   NOT NULL DEFAULT '',
    durable_segments BIGINT NOT NULL DEFAULT 0,
    event_id         BIGINT NOT NULL DEFAULT 0,
    event_index      BIGINT NOT NULL DEFAULT -1,
    manifest_digest  TEXT NOT NULL,
    recording_key    TEXT NOT NULL, -- SHA-256 over camera, path and sha256: paths are longer than an index entry may be
    stem_key         TEXT NOT NULL, -- SHA-256 over camera and path without extension
    search           TEXT   NOT NULL, -- lower case
    PRIMARY KEY (agency, id)
);

-- One item per recording.
CREATE UNIQUE INDEX items_recording ON items (agency, recording_key) WHERE state IN ('receiving', 'stored');
CREATE INDEX items_stem ON items (agency, stem_key);
CREATE INDEX items_arrival ON items (agency, offered_at, id);
CREATE INDEX items_recorded ON items (agency, recorded_at, id);
CREATE INDEX items_camera ON items (agency, camera, offered_at, id);
CREATE INDEX items_state ON items (agency, state, offered_at, id, length, stored_at, erased_at);
-- Empty but for moments: stored items whose receipt is not signed yet.
CREATE INDEX items_unreceipted ON items (stored_at) WHERE state = 'stored' AND event_index = -1;

-- Large and read one at a time: kept apart, so that lists stay fast.
CREATE TABLE offers (
    agency          TEXT  NOT NULL,
    id              TEXT  NOT NULL,
    attempt         BIGINT  NOT NULL,
    offered_at      BIGINT  NOT NULL,
    manifest_digest TEXT  NOT NULL,
    manifest        BLOB NOT NULL,
    leaves          BLOB NOT NULL,
    header          BLOB NOT NULL,
    wrapped_key     BLOB NOT NULL,
    PRIMARY KEY (agency, id, attempt)
);

CREATE TABLE receipts (
    agency  TEXT  NOT NULL,
    id      TEXT  NOT NULL,
    attempt BIGINT  NOT NULL,
    receipt BLOB NOT NULL,
    PRIMARY KEY (agency, id, attempt)
);

CREATE TABLE releases (
    agency      TEXT  NOT NULL,
    digest      TEXT  NOT NULL,
    item        TEXT  NOT NULL,
    result      TEXT  NOT NULL,
    reason      TEXT    NOT NULL,
    at          BIGINT  NOT NULL,
    received_at BIGINT  NOT NULL,
    envelope    BLOB NOT NULL,
    PRIMARY KEY (agency, digest)
);
CREATE INDEX releases_item ON releases (agency, item, received_at);

CREATE TABLE stations (
    agency     TEXT NOT NULL,
    id         TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (agency, id)
);

CREATE TABLE docks (
    agency        TEXT  NOT NULL,
    id            TEXT  NOT NULL,
    station       TEXT  NOT NULL,
    fingerprint   TEXT  NOT NULL,
    statement_key BLOB NOT NULL,
    enabled       BIGINT  NOT NULL,
    enrolled_at   BIGINT  NOT NULL,
    last_seen_at  BIGINT  NOT NULL DEFAULT 0,
    last_address  TEXT    NOT NULL DEFAULT '',
    agent_version TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (agency, id)
);

CREATE TABLE dock_keys (
    agency     TEXT  NOT NULL,
    dock       TEXT  NOT NULL,
    public_key BLOB NOT NULL,
    added_at   BIGINT  NOT NULL,
    PRIMARY KEY (agency, dock, public_key)
);

CREATE TABLE dock_tokens (
    hash       TEXT NOT NULL PRIMARY KEY,
    agency     TEXT NOT NULL,
    dock       TEXT NOT NULL,
    station    TEXT NOT NULL,
    created_by TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE cameras (
    agency        TEXT NOT NULL,
    serial        TEXT NOT NULL,
    vendor        TEXT   NOT NULL,
    model         TEXT   NOT NULL,
    firmware      TEXT   NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL,
    last_dock     TEXT NOT NULL,
    last_bay      TEXT   NOT NULL,
    PRIMARY KEY (agency, serial)
);

CREATE TABLE inventories (
    agency      TEXT  NOT NULL,
    digest      TEXT  NOT NULL,
    dock        TEXT  NOT NULL,
    docking     TEXT  NOT NULL,
    part        BIGINT  NOT NULL,
    parts       BIGINT  NOT NULL,
    camera      TEXT  NOT NULL,
    taken_at    BIGINT  NOT NULL,
    received_at BIGINT  NOT NULL,
    recordings  BIGINT  NOT NULL,
    envelope    BLOB NOT NULL,
    PRIMARY KEY (agency, digest)
);
CREATE INDEX inventories_arrival ON inventories (agency, received_at);
CREATE INDEX inventories_camera ON inventories (agency, camera, received_at);

CREATE TABLE events (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    agency    TEXT  NOT NULL,
    type      TEXT  NOT NULL,
    at        BIGINT  NOT NULL,
    actor_id  TEXT  NOT NULL,
    object    TEXT  NOT NULL,
    event     BLOB NOT NULL, -- JSON, the bytes that the log's entry is made of
    salt      BLOB NOT NULL,
    log_index BIGINT
);
CREATE UNIQUE INDEX events_log_index ON events (log_index) WHERE log_index IS NOT NULL;
CREATE INDEX events_pending ON events (id) WHERE log_index IS NULL;
CREATE INDEX events_agency ON events (agency, id);
CREATE INDEX events_object ON events (agency, object, id);
CREATE INDEX events_type ON events (agency, type, id);
CREATE INDEX events_actor ON events (agency, actor_id, id);

-- An event is written once. It gets its place in the log once. Nothing else.
-- +goose StatementBegin
CREATE TRIGGER events_never_deleted BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'custody events are never deleted');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER events_never_changed BEFORE UPDATE ON events
WHEN OLD.log_index IS NOT NULL OR NEW.id <> OLD.id OR NEW.agency <> OLD.agency OR NEW.type <> OLD.type OR NEW.at <> OLD.at OR NEW.actor_id <> OLD.actor_id OR NEW.object <> OLD.object OR NEW.event <> OLD.event OR NEW.salt <> OLD.salt
BEGIN
    SELECT RAISE(ABORT, 'custody events are never changed');
END;
-- +goose StatementEnd

CREATE TABLE log_state (
    id          BIGINT  NOT NULL PRIMARY KEY CHECK (id = 1),
    assigned    BIGINT  NOT NULL DEFAULT 0,
    size        BIGINT  NOT NULL DEFAULT 0,
    root        BLOB,
    checkpoint  BLOB,
    holder      TEXT    NOT NULL DEFAULT '',
    fence       BIGINT  NOT NULL DEFAULT 0,
    lease_until BIGINT  NOT NULL DEFAULT 0
);
INSERT INTO log_state (id) VALUES (1);

CREATE TABLE users (
    id                  TEXT NOT NULL PRIMARY KEY,
    agency              TEXT NOT NULL,
    login               TEXT NOT NULL,
    login_key           TEXT NOT NULL UNIQUE, -- lower case
    name                TEXT   NOT NULL,
    email               TEXT   NOT NULL,
    password            TEXT   NOT NULL, -- PHC string
    role                TEXT NOT NULL,
    created_at          BIGINT NOT NULL,
    password_changed_at BIGINT NOT NULL,
    last_sign_in_at     BIGINT NOT NULL,
    disabled_at         BIGINT NOT NULL
);

CREATE TABLE sessions (
    token_hash   TEXT NOT NULL PRIMARY KEY,
    user_id      TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    address      TEXT   NOT NULL,
    agent        TEXT   NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE setup_tokens (
    hash       TEXT NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE login_failures (
    login_key TEXT NOT NULL,
    address   TEXT NOT NULL,
    at        BIGINT NOT NULL
);
CREATE INDEX login_failures_login ON login_failures (login_key, at);
CREATE INDEX login_failures_address ON login_failures (address, at);

CREATE TABLE login_locks (
    login_key    TEXT NOT NULL PRIMARY KEY,
    locked_until BIGINT NOT NULL
);

CREATE TABLE settings (
    agency     TEXT NOT NULL,
    name       TEXT NOT NULL,
    value      TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT   NOT NULL,
    PRIMARY KEY (agency, name)
);
