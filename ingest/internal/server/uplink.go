package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/proto/upload"
)

// dockReports tells uplink what docks report, of which receive keeps the last.
type dockReports struct{ live *receive.Live }

// Changed implements uplink.Source.
func (v dockReports) Changed() <-chan struct{} { return v.live.Changed() }

// Docks implements uplink.Source.
func (v dockReports) Docks() []uplink.Dock {
	all := v.live.Docks()
	docks := make([]uplink.Dock, 0, len(all))
	for _, d := range all {
		docks = append(docks, uplink.Dock{
			Agency: d.Agency, Station: d.Station, Dock: d.Dock, Connected: d.Connected, LastSeen: d.LastSeen, Status: d.Status, Queue: d.Queue, Busy: d.Busy,
		})
	}
	return docks
}

// directions gives receive what uplink directs.
type directions struct{ *uplink.Service }

// Direction implements receive.Directions.
func (d directions) Direction(dock receive.Peer) (*upload.Direction, <-chan struct{}) {
	return d.Service.Direction(dock.Station, dock.Dock)
}

// dismissEvery is how soon a connected dock that is disabled, by whichever process,
// loses its connections. What it asks for meanwhile is refused already.
const dismissEvery = time.Second

// dismissDocks ends the connections of docks that are disabled, until ctx ends.
func (p *parts) dismissDocks(ctx context.Context) error {
	ticker := time.NewTicker(dismissEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		disabled, err := p.catalog.DisabledDocks(ctx, p.config.agency())
		if err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "looking for docks that are disabled failed, it is tried again; what they ask for is refused all the same", "error", err)
		}
		for _, dock := range disabled {
			p.receiver.Dismiss(p.config.agency(), dock)
		}
	}
}

// WithUplink runs one step of the command line on how docks send. The server may
// be running or not; a running one hears of it within seconds.
func WithUplink(ctx context.Context, c Config, log *slog.Logger, now func() time.Time, step func(*uplink.Desk) error) error {
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return err
	}
	service, err := uplink.New(ctx, uplink.Config{Catalog: db, Agency: c.agency(), Now: now, Log: telemetry.Component(log, "uplink")})
	if err == nil {
		err = step(service.CommandLine())
	}
	return errors.Join(err, db.Close())
}
