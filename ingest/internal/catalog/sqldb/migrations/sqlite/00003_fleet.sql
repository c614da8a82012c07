-- +goose Up
-- What docks and cameras of an agency have to follow. Nothing is ever deleted.

CREATE TABLE camera_trusts (
    agency    TEXT NOT NULL,
    number    BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    envelope  BLOB NOT NULL,
    PRIMARY KEY (agency, number)
);

CREATE TABLE camera_settings (
    agency       TEXT NOT NULL,
    number       BIGINT NOT NULL,
    model        TEXT NOT NULL, -- '': every model
    published_at BIGINT NOT NULL,
    published_by TEXT   NOT NULL,
    envelope     BLOB NOT NULL,
    PRIMARY KEY (agency, number)
);
CREATE INDEX camera_settings_model ON camera_settings (agency, model, number);

CREATE TABLE firmware_makers (
    agency     TEXT NOT NULL,
    name       TEXT NOT NULL,
    public_key BLOB NOT NULL,
    trusted_at BIGINT NOT NULL,
    trusted_by TEXT   NOT NULL,
    PRIMARY KEY (agency, name),
    UNIQUE (agency, public_key)
);

CREATE TABLE firmware (
    agency       TEXT NOT NULL,
    model        TEXT NOT NULL,
    counter      BIGINT NOT NULL,
    release      TEXT   NOT NULL,
    length       BIGINT NOT NULL,
    sha256       TEXT NOT NULL,
    maker        TEXT   NOT NULL,
    maker_key    BLOB NOT NULL,
    window_from  BIGINT NOT NULL, -- minutes of the day, UTC
    window_to    BIGINT NOT NULL,
    published_at BIGINT NOT NULL,
    published_by TEXT   NOT NULL,
    withdrawn_at BIGINT NOT NULL DEFAULT 0,
    withdrawn_by TEXT   NOT NULL DEFAULT '',
    envelope     BLOB NOT NULL,
    PRIMARY KEY (agency, model, counter)
);
CREATE INDEX firmware_image ON firmware (agency, sha256);
