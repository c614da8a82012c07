-- +goose Up
-- Time-stamp tokens of an outside authority over checkpoints of the custody log.

CREATE TABLE log_stamps (
    size       BIGINT NOT NULL PRIMARY KEY, -- entries under the checkpoint
    checkpoint BYTEA NOT NULL, -- its text, of which the token holds the SHA-256
    token      BYTEA NOT NULL, -- RFC 3161, DER
    roots      BYTEA NOT NULL, -- PEM: which authorities were trusted when it came
    authority  TEXT COLLATE "C" NOT NULL, -- who signed it
    stamped_at BIGINT NOT NULL  -- the time in it
);
