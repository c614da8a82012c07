-- +goose Up
-- Acts that people asked for, and that wait for a second person.

CREATE TABLE act_requests (
    agency     TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL, -- who asked
    action     TEXT COLLATE "C" NOT NULL,
    objects    TEXT COLLATE "C" NOT NULL, -- JSON: on what
    about      TEXT COLLATE "C" NOT NULL, -- the same as events name it
    asked      BYTEA NOT NULL, -- all that was asked, in its one form
    digest     TEXT COLLATE "C" NOT NULL, -- SHA-256 of it
    event      BIGINT NOT NULL, -- that tells of it, with the digest
    device     TEXT COLLATE "C" NOT NULL, -- browser that it was asked with
    later      BIGINT NOT NULL, -- 1: who asked does it, once it is approved
    asked_at   BIGINT NOT NULL,
    lapses_at  BIGINT NOT NULL,
    state      TEXT COLLATE "C" NOT NULL, -- waiting, approved, done, refused, withdrawn
    decided_by TEXT COLLATE "C" NOT NULL,
    decided_at BIGINT NOT NULL,
    reason     TEXT COLLATE "C" NOT NULL,
    use_until  BIGINT NOT NULL, -- of an approved one
    PRIMARY KEY (agency, id)
);
CREATE INDEX act_requests_state ON act_requests (agency, state, asked_at);
CREATE INDEX act_requests_asked ON act_requests (agency, asked_at);
CREATE INDEX act_requests_about ON act_requests (agency, about, asked_at);
CREATE INDEX act_requests_user ON act_requests (agency, user_id, digest);
