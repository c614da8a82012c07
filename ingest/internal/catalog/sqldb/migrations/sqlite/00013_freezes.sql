-- +goose Up
-- What nothing may be deleted of. Freezes are ended, never deleted.

CREATE TABLE freezes (
    agency     TEXT NOT NULL,
    id         TEXT NOT NULL, -- 16 hex digits, random
    scope      TEXT NOT NULL CHECK (scope IN ('agency', 'station', 'camera', 'officer', 'item')),
    value      TEXT NOT NULL, -- which of them; '' with agency
    reason     TEXT   NOT NULL,
    made_by    TEXT NOT NULL,
    made_at    BIGINT NOT NULL,
    end_reason TEXT   NOT NULL DEFAULT '',
    ended_by   TEXT NOT NULL DEFAULT '',
    ended_at   BIGINT NOT NULL DEFAULT 0, -- 0: in force
    PRIMARY KEY (agency, id)
);
