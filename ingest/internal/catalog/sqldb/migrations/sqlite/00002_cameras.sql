-- +goose Up
-- Times are microseconds since 1970, UTC; 0 means not yet. A clock's offset with
-- 0 exchanges was not measured.

ALTER TABLE cameras ADD COLUMN access TEXT NOT NULL DEFAULT '';
ALTER TABLE cameras ADD COLUMN claimed TEXT NOT NULL DEFAULT '';
ALTER TABLE cameras ADD COLUMN standing TEXT NOT NULL DEFAULT '';
ALTER TABLE cameras ADD COLUMN public_key BLOB;
ALTER TABLE cameras ADD COLUMN held_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE cameras ADD COLUMN held_by TEXT NOT NULL DEFAULT '';
ALTER TABLE cameras ADD COLUMN hold_reason TEXT NOT NULL DEFAULT '';

ALTER TABLE items ADD COLUMN corrected_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE items ADD COLUMN uncertainty BIGINT NOT NULL DEFAULT 0; -- microseconds
ALTER TABLE items ADD COLUMN wearer TEXT NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN wearer_id TEXT NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN wearer_search TEXT NOT NULL DEFAULT ''; -- both, lower case
ALTER TABLE items ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE items ADD COLUMN sequence_source TEXT NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN confirmed TEXT NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN urgent BIGINT NOT NULL DEFAULT 0;
ALTER TABLE items ADD COLUMN placed TEXT NOT NULL DEFAULT '0000000000000000000000000000000000000000000000000000000000000000';

CREATE TABLE camera_keys (
    agency        TEXT NOT NULL,
    camera        TEXT NOT NULL,
    public_key    BLOB NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL,
    standing      TEXT NOT NULL CHECK (standing IN ('pending', 'approved', 'blocked')),
    decided_by    TEXT NOT NULL DEFAULT '',
    decided_at    BIGINT NOT NULL DEFAULT 0,
    reason        TEXT NOT NULL DEFAULT '',
    certificate   BLOB,
    PRIMARY KEY (agency, camera, public_key)
);

CREATE TABLE dockings (
    agency             TEXT NOT NULL,
    id                 TEXT NOT NULL,
    dock               TEXT NOT NULL,
    station            TEXT NOT NULL,
    bay                TEXT NOT NULL,
    camera             TEXT NOT NULL,
    public_key         BLOB,
    key_standing       TEXT NOT NULL,
    access             TEXT NOT NULL,
    standing           TEXT NOT NULL,
    taken_at           BIGINT NOT NULL,
    at                 BIGINT NOT NULL,
    last_at            BIGINT NOT NULL,
    received_at        BIGINT NOT NULL,
    battery            BIGINT NOT NULL,
    findings           TEXT NOT NULL, -- JSON array
    camera_raw         TEXT NOT NULL,
    clock_at           BIGINT NOT NULL,
    clock_ahead        BIGINT NOT NULL,
    clock_uncertainty  BIGINT NOT NULL,
    clock_exchanges    BIGINT NOT NULL,
    set_at             BIGINT NOT NULL,
    set_ahead          BIGINT NOT NULL,
    set_uncertainty    BIGINT NOT NULL,
    set_exchanges      BIGINT NOT NULL,
    dock_at            BIGINT NOT NULL,
    dock_ahead         BIGINT NOT NULL,
    dock_uncertainty   BIGINT NOT NULL,
    dock_exchanges     BIGINT NOT NULL,
    next_number        BIGINT NOT NULL,
    journal            BIGINT NOT NULL,
    recordings         BIGINT NOT NULL,
    parts              BIGINT NOT NULL,
    parts_seen         BIGINT NOT NULL,
    PRIMARY KEY (agency, id)
);
CREATE INDEX dockings_camera ON dockings (agency, camera, at, id);
CREATE INDEX dockings_journal ON dockings (agency, dock, journal);

-- The ledger: what each camera ever showed.
CREATE TABLE shown (
    agency          TEXT NOT NULL,
    camera          TEXT NOT NULL,
    place           TEXT NOT NULL,
    path            TEXT NOT NULL,
    kind            TEXT NOT NULL,
    sequence        BIGINT NOT NULL,
    sequence_source TEXT NOT NULL,
    captured_raw    TEXT NOT NULL,
    signed          TEXT NOT NULL, -- SHA-256, '' for none
    first_docking   TEXT NOT NULL,
    first_at        BIGINT NOT NULL,
    last_docking    TEXT NOT NULL,
    last_at         BIGINT NOT NULL,
    last_size       BIGINT NOT NULL,
    largest_size    BIGINT NOT NULL,
    vanished_at     BIGINT NOT NULL DEFAULT 0,
    vanished_in     TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (agency, camera, place)
);
CREATE INDEX shown_there ON shown (agency, camera, vanished_at, last_at);
CREATE INDEX shown_numbers ON shown (agency, camera, sequence_source, sequence);

CREATE TABLE assignments (
    agency     TEXT NOT NULL,
    camera     TEXT NOT NULL,
    from_at    BIGINT NOT NULL,
    until_at   BIGINT NOT NULL, -- 0: still
    officer    TEXT NOT NULL,
    officer_id TEXT NOT NULL,
    made_by    TEXT NOT NULL,
    made_at    BIGINT NOT NULL,
    PRIMARY KEY (agency, camera, from_at)
);

CREATE TABLE alerts (
    agency          TEXT NOT NULL,
    id              TEXT NOT NULL,
    code            TEXT NOT NULL,
    severity        TEXT NOT NULL,
    object          TEXT NOT NULL,
    about           TEXT NOT NULL,
    message         TEXT NOT NULL,
    raised_at       BIGINT NOT NULL,
    last_at         BIGINT NOT NULL,
    count           BIGINT NOT NULL,
    acknowledged_by TEXT NOT NULL DEFAULT '',
    acknowledged_at BIGINT NOT NULL DEFAULT 0,
    cleared_at      BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (agency, id)
);
-- One alert for one thing, until it is over.
CREATE UNIQUE INDEX alerts_standing ON alerts (agency, object, code, about) WHERE cleared_at = 0;
CREATE INDEX alerts_open ON alerts (agency, raised_at, id) WHERE cleared_at = 0 AND acknowledged_at = 0;
CREATE INDEX alerts_raised ON alerts (agency, raised_at, id);

-- Joins a recording of the ledger with its item.
CREATE INDEX items_placed ON items (agency, camera, placed);
