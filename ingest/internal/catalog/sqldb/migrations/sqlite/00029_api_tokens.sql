-- +goose Up
-- Tokens with which programs ask in a person's name. Revoked ones are gone; the
-- custody log tells of them.

CREATE TABLE api_tokens (
    id           TEXT   NOT NULL PRIMARY KEY,
    token_hash   TEXT   NOT NULL UNIQUE, -- SHA-256 of the secret
    user_id      TEXT   NOT NULL REFERENCES users (id),
    name         TEXT   NOT NULL,
    scopes       TEXT   NOT NULL, -- actions, one a line
    networks     TEXT   NOT NULL, -- from where alone it is taken, one a line; empty: from everywhere
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL, -- 0: never
    last_address TEXT   NOT NULL,
    UNIQUE (user_id, name)
);
