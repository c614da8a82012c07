-- +goose Up
-- With codes that are sent to a phone, where an agency lets them.

CREATE TABLE phones (
    user_id      TEXT   NOT NULL PRIMARY KEY,
    number       TEXT   NOT NULL, -- sealed, base64
    number_key   TEXT   NOT NULL, -- under what it is counted, an HMAC
    channel      TEXT   NOT NULL, -- sms or call
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);

CREATE TABLE phone_codes (
    bound_to   TEXT   NOT NULL, -- hash of the token of the sign-in or session that it was sent for
    purpose    TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    number     TEXT   NOT NULL, -- to which it was sent, sealed
    number_key TEXT   NOT NULL,
    channel    TEXT   NOT NULL,
    hash       TEXT   NOT NULL,
    sent_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (bound_to, purpose)
);
CREATE INDEX phone_codes_user ON phone_codes (user_id);
CREATE INDEX phone_codes_expiry ON phone_codes (expires_at);

CREATE TABLE phone_sends (
    id         TEXT   NOT NULL PRIMARY KEY,
    agency     TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    number_key TEXT   NOT NULL,
    sent_at    BIGINT NOT NULL
);
CREATE INDEX phone_sends_time ON phone_sends (agency, sent_at);
