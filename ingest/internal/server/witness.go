package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	blobs "github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/ingest/internal/witness"
	"github.com/sealdock/sealdock/internal/telemetry"
)

func (c *Config) witnesses() ([]*witness.Witness, error) {
	var all []*witness.Witness
	names := map[string]bool{}
	for _, text := range c.Witnesses {
		w, err := witness.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("witnesses: %w", err)
		}
		if names[w.Name()] {
			return nil, fmt.Errorf("witnesses: %s stands there twice", w.Name())
		}
		names[w.Name()] = true
		all = append(all, w)
	}
	return all, nil
}

// witnessKeys are the keys alone, of a configuration that was checked.
func (c *Config) witnessKeys() []string {
	var keys []string
	for _, text := range c.Witnesses {
		key, _, _ := strings.Cut(text, " ")
		keys = append(keys, key)
	}
	return keys
}

func (c *Config) checkWitnesses() error {
	if len(c.Witnesses) == 0 {
		return nil
	}
	if _, err := c.witnesses(); err != nil {
		return err
	}
	if len(c.Witnesses) > 16 || c.WitnessQuorum < 1 || c.WitnessQuorum > len(c.Witnesses) {
		return fmt.Errorf("witness_quorum: %d of %d witnesses; at most 16 are taken, and the quorum is 1 to their number", c.WitnessQuorum, len(c.Witnesses))
	}
	if time.Duration(c.WitnessEvery) < time.Second {
		return fmt.Errorf("witness_every: %s, at least 1s is wanted", time.Duration(c.WitnessEvery))
	}
	return nil
}

// openWitness returns who keeps the custody log witnessed; nil where no witness is
// configured.
func (c *Config) openWitness(catalog *sqldb.DB, log *slog.Logger, now func() time.Time) (*witness.Service, error) {
	all, err := c.witnesses()
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return witness.New(witness.Config{
		Catalog: catalog, Tiles: blobs.Tiles(c.logDir()), Agency: c.agency(), Origin: c.logOrigin(), Witnesses: all, Quorum: c.WitnessQuorum,
		Every: time.Duration(c.WitnessEvery), Client: &http.Client{}, Now: now, Logger: telemetry.Component(log, "witness"),
	}), nil
}

// WitnessLog has the custody log's newest checkpoint cosigned now. The server may be
// running or not. The error tells which witnesses did not.
func WitnessLog(ctx context.Context, c Config, log *slog.Logger, now func() time.Time) (r *witness.Round, err error) {
	if len(c.Witnesses) == 0 {
		return nil, errors.New("no witness is configured: set witnesses")
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := c.openWitness(db, log, now)
	if err != nil {
		return nil, err
	}
	return s.Witness(ctx)
}

// witnessed gives the newest checkpoint that the quorum of witnesses has cosigned.
func (p *parts) witnessed(w http.ResponseWriter, r *http.Request) {
	text, err := p.tiles.Get(r.Context(), witness.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		problem(w, http.StatusNotFound, "no checkpoint of this log has been witnessed")
		return
	case err != nil:
		p.log.ErrorContext(r.Context(), "reading the witnessed checkpoint failed", "error", err)
		problem(w, http.StatusServiceUnavailable, "the witnessed checkpoint cannot be read at the moment")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(text)
}
