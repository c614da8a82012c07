-- +goose Up
-- Who of the people is somebody of the agency's directory.

CREATE TABLE directory_people (
    user_id    TEXT NOT NULL PRIMARY KEY,
    source     TEXT NOT NULL, -- ldap, or oidc: and the issuer
    subject    TEXT NOT NULL, -- the directory's own id of the person
    refresh    TEXT   NOT NULL, -- with which the provider is asked again, sealed; empty: it cannot be
    checked_at BIGINT NOT NULL, -- when the directory last confirmed the person
    cut_off_at BIGINT NOT NULL, -- when the person was disabled here because they were there; 0: they are not
    UNIQUE (source, subject)
);
