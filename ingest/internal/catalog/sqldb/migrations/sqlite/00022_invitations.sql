-- +goose Up
-- One-time links with which a person takes an account that was made for them.
CREATE TABLE invitations (
    hash       TEXT    NOT NULL PRIMARY KEY,
    agency     TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    made_at    INTEGER NOT NULL,
    made_by    TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX invitations_user ON invitations (user_id, made_at);
