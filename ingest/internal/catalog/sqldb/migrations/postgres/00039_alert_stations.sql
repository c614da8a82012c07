-- +goose Up
-- At which station an alert's matter was when it was last seen; empty: the alert is about
-- the server, and of no station.

ALTER TABLE alerts ADD COLUMN station TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE alerts SET station = COALESCE((SELECT station FROM docks WHERE docks.agency = alerts.agency AND 'dock:' || docks.id = alerts.object), '') WHERE object LIKE 'dock:%';
UPDATE alerts SET station = COALESCE((SELECT docks.station FROM cameras JOIN docks ON docks.agency = cameras.agency AND docks.id = cameras.last_dock
    WHERE cameras.agency = alerts.agency AND 'camera:' || cameras.serial = alerts.object), '') WHERE object LIKE 'camera:%';
UPDATE alerts SET station = COALESCE((SELECT station FROM items WHERE items.agency = alerts.agency AND items.id = substr(alerts.object, 6)), '') WHERE object LIKE 'item:%';
CREATE INDEX alerts_station ON alerts (agency, station, raised_at, id);
