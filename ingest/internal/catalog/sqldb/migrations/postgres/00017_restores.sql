-- +goose Up
-- When the custody log was restored from a backup: it goes on from there under
-- another name. Never changed.

CREATE TABLE log_restores (
    n          BIGINT NOT NULL PRIMARY KEY, -- from 1 on, without a gap
    size       BIGINT NOT NULL, -- entries of the log that the backup had: the later ones are lost
    checkpoint BYTEA  NOT NULL, -- the newest that it had
    newest     BIGINT NOT NULL, -- the most entries that it is known to have had; not below size
    reason     TEXT   NOT NULL,
    made_by    TEXT COLLATE "C" NOT NULL,
    made_at    BIGINT NOT NULL
);
