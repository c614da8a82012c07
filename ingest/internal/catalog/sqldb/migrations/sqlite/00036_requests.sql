-- +goose Up
-- Acts that people asked for, and that wait for a second person.

CREATE TABLE act_requests (
    agency     TEXT NOT NULL,
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL, -- who asked
    action     TEXT NOT NULL,
    objects    TEXT NOT NULL, -- JSON: on what
    about      TEXT NOT NULL, -- the same as events name it
    asked      BLOB NOT NULL, -- all that was asked, in its one form
    digest     TEXT NOT NULL, -- SHA-256 of it
    event      INTEGER NOT NULL, -- that tells of it, with the digest
    device     TEXT NOT NULL, -- browser that it was asked with
    later      INTEGER NOT NULL, -- 1: who asked does it, once it is approved
    asked_at   INTEGER NOT NULL,
    lapses_at  INTEGER NOT NULL,
    state      TEXT NOT NULL, -- waiting, approved, done, refused, withdrawn
    decided_by TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    use_until  INTEGER NOT NULL, -- of an approved one
    PRIMARY KEY (agency, id)
);
CREATE INDEX act_requests_state ON act_requests (agency, state, asked_at);
CREATE INDEX act_requests_asked ON act_requests (agency, asked_at);
CREATE INDEX act_requests_about ON act_requests (agency, about, asked_at);
CREATE INDEX act_requests_user ON act_requests (agency, user_id, digest);
