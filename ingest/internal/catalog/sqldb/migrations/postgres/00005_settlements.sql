-- +goose Up
-- Entries of the completeness report that cannot be mended, and that somebody
-- has settled. Nothing is ever deleted.

CREATE TABLE settlements (
    agency       TEXT COLLATE "C" NOT NULL,
    camera       TEXT COLLATE "C" NOT NULL,
    decision     BIGINT NOT NULL, -- 1 for the first of a camera
    finding      TEXT   NOT NULL, -- in which way the recording is missing
    path         TEXT   NOT NULL, -- '': none
    first_number BIGINT NOT NULL, -- 0: none
    last_number  BIGINT NOT NULL,
    item         TEXT   NOT NULL, -- all zero: none
    docking      TEXT   NOT NULL, -- where it was seen last, all zero: none
    reason       TEXT   NOT NULL,
    made_by      TEXT COLLATE "C" NOT NULL,
    made_at      BIGINT NOT NULL,
    PRIMARY KEY (agency, camera, decision)
);
