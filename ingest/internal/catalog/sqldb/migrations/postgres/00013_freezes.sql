-- +goose Up
-- What nothing may be deleted of. Freezes are ended, never deleted.

CREATE TABLE freezes (
    agency     TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL, -- 16 hex digits, random
    scope      TEXT COLLATE "C" NOT NULL CHECK (scope IN ('agency', 'station', 'camera', 'officer', 'item')),
    value      TEXT COLLATE "C" NOT NULL, -- which of them; '' with agency
    reason     TEXT   NOT NULL,
    made_by    TEXT COLLATE "C" NOT NULL,
    made_at    BIGINT NOT NULL,
    end_reason TEXT   NOT NULL DEFAULT '',
    ended_by   TEXT COLLATE "C" NOT NULL DEFAULT '',
    ended_at   BIGINT NOT NULL DEFAULT 0, -- 0: in force
    PRIMARY KEY (agency, id)
);
