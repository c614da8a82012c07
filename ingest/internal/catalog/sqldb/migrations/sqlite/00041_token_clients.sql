-- +goose Up
-- With which kind of program a token asks.

ALTER TABLE api_tokens ADD COLUMN client TEXT NOT NULL DEFAULT 'api'; -- or 'mobile'
