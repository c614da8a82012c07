-- +goose Up
-- Passwords that a person has had, as they were stored, so that they do not
-- come back.

CREATE TABLE password_history (
    user_id  TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    at       BIGINT NOT NULL,
    password TEXT   NOT NULL,
    PRIMARY KEY (user_id, at)
);
