-- +goose Up
-- From which number on what a camera counts is looked for. Nothing is ever
-- deleted: the newest decision is in force.

CREATE TABLE beginnings (
    agency   TEXT NOT NULL,
    camera   TEXT NOT NULL,
    decision BIGINT NOT NULL, -- 1 for the first of a camera
    number   BIGINT NOT NULL,
    reason   TEXT   NOT NULL,
    made_by  TEXT NOT NULL,
    made_at  BIGINT NOT NULL,
    PRIMARY KEY (agency, camera, decision)
);
