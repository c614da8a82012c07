-- +goose Up
-- With what people show that it is them, besides a password.

ALTER TABLE sessions ADD COLUMN factor TEXT NOT NULL DEFAULT ''; -- what was shown last in this session
ALTER TABLE sessions ADD COLUMN factor_at BIGINT NOT NULL DEFAULT 0; -- and when; 0: before this was kept
ALTER TABLE sessions ADD COLUMN must_enrol BIGINT NOT NULL DEFAULT 0; -- 1: for the own account alone, until there is a second factor

CREATE TABLE passkeys (
    id           TEXT   NOT NULL PRIMARY KEY, -- the credential's, base64url
    user_id      TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    credential   TEXT   NOT NULL, -- public key and flags, JSON
    sign_count   BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);
CREATE INDEX passkeys_user ON passkeys (user_id);

CREATE TABLE authenticators (
    user_id      TEXT   NOT NULL PRIMARY KEY,
    secret       TEXT   NOT NULL, -- sealed, base64
    last_step    BIGINT NOT NULL, -- no code of this time step or an earlier one is taken
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);

CREATE TABLE recovery_codes (
    user_id    TEXT   NOT NULL,
    hash       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    PRIMARY KEY (user_id, hash)
);

CREATE TABLE known_places (
    user_id  TEXT   NOT NULL,
    kind     TEXT   NOT NULL, -- device or network
    place    TEXT   NOT NULL,
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    PRIMARY KEY (user_id, kind, place)
);

CREATE TABLE ceremonies (
    token_hash   TEXT   NOT NULL PRIMARY KEY,
    kind         TEXT   NOT NULL,
    user_id      TEXT   NOT NULL, -- empty where it is not known yet
    session_hash TEXT   NOT NULL, -- of whose session it is a part, zero: of none
    data         TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX ceremonies_user ON ceremonies (user_id);
CREATE INDEX ceremonies_expiry ON ceremonies (expires_at);
