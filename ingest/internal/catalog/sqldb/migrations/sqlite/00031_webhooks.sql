-- +goose Up
-- Who outside is told of custody events, and what became of the last messages.

CREATE TABLE webhooks (
    agency        TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    url           TEXT   NOT NULL,
    types         TEXT   NOT NULL, -- JSON array
    secret        TEXT   NOT NULL, -- sealed
    former_secret TEXT   NOT NULL, -- sealed; empty: there is none
    former_until  BIGINT NOT NULL,
    made_at       BIGINT NOT NULL,
    made_by       TEXT   NOT NULL,
    disabled_at   BIGINT NOT NULL, -- 0: it is enabled
    disabled_why  TEXT   NOT NULL,
    next_index    BIGINT NOT NULL, -- in the custody log: what was before is done with
    attempts      BIGINT NOT NULL, -- at what stands there
    try_at        BIGINT NOT NULL,
    failing_since BIGINT NOT NULL,
    holder        TEXT   NOT NULL, -- process that sends
    lease_until   BIGINT NOT NULL,
    PRIMARY KEY (agency, id),
    UNIQUE (agency, name)
);

CREATE TABLE webhook_deliveries (
    webhook   TEXT   NOT NULL,
    number    BIGINT NOT NULL,
    message   TEXT   NOT NULL,
    type      TEXT   NOT NULL,
    log_index BIGINT NOT NULL, -- -1: a test
    attempt   BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    took      BIGINT NOT NULL, -- microseconds
    status    BIGINT NOT NULL, -- of HTTP; 0: no answer
    trouble   TEXT   NOT NULL, -- empty: it was taken
    PRIMARY KEY (webhook, number)
);
