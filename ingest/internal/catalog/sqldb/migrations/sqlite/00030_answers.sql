-- +goose Up
-- What was answered to a request with an Idempotency-Key, for a day.

CREATE TABLE kept_answers (
    actor       TEXT   NOT NULL, -- user:ID or token:ID
    key         TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL, -- SHA-256 of method, address and body
    status      BIGINT NOT NULL, -- 0: it is not answered yet
    header      TEXT   NOT NULL, -- JSON
    body        TEXT   NOT NULL,
    kept        BIGINT NOT NULL, -- 0: that it was answered is known, and not with what
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (actor, key)
);
CREATE INDEX kept_answers_age ON kept_answers (created_at);
