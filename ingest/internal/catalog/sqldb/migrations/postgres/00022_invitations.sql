-- +goose Up
-- One-time links with which a person takes an account that was made for them.
CREATE TABLE invitations (
    hash       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    agency     TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    made_at    BIGINT NOT NULL,
    made_by    TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX invitations_user ON invitations (user_id, made_at);
