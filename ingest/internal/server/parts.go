package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"time"

	"golang.org/x/time/rate"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/custody"
	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/ingest/internal/edge"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/ingest/internal/stamp"
	"github.com/sealdock/sealdock/ingest/internal/uplink"
	blobs "github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
	"github.com/sealdock/sealdock/ingest/internal/witness"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/internal/tlog"
)

// secrets are the keys of a data folder, opened.
type secrets struct {
	ring       *keys.Ring // nil where nothing is opened
	authority  *identity.Authority
	receipt    *identity.StatementKey
	checkpoint *identity.StatementKey
	derivative *identity.StatementKey // nil in a folder from before there was one
	pepper     []byte
	resetKey   [32]byte
}

// loadSecrets opens all keys, for which a passphrase may have to be given.
func loadSecrets(c *Config) (*secrets, error) {
	s, err := loadOwnSecrets(c)
	if err == nil {
		s.ring, err = c.openRing()
	}
	return s, err
}

// loadOwnSecrets opens the server's own keys, and none that opens evidence.
func loadOwnSecrets(c *Config) (*secrets, error) {
	if _, err := os.Stat(c.keyDir()); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not the data folder of an evidence server: run sealdock-ingest init, or correct data_dir", c.DataDir)
	}
	s := &secrets{}
	var err error
	if s.authority, err = identity.LoadAuthority(c.authorityDir()); err != nil {
		return nil, err
	}
	if s.authority.Agency() != c.agency() {
		return nil, fmt.Errorf("the authority in %s is of agency %s, the configuration says %s", c.authorityDir(), s.authority.Agency(), c.Agency)
	}
	if s.receipt, err = identity.LoadStatementKey(c.receiptKey(), identity.PurposeReceipt); err != nil {
		return nil, err
	}
	if s.checkpoint, err = identity.LoadStatementKey(c.checkpointKey(), identity.PurposeCheckpoint); err != nil {
		return nil, err
	}
	if s.derivative, err = identity.LoadStatementKey(c.derivativeKey(), identity.PurposeDerivative); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if s.pepper, err = readSecret(c.pepperFile(), auth.PepperSize); err != nil {
		return nil, err
	}
	reset, err := readSecret(c.resetKeyFile(), len(s.resetKey))
	if err != nil {
		return nil, err
	}
	s.resetKey = [32]byte(reset)
	return s, nil
}

func readSecret(path string, size int) ([]byte, error) {
	secret, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a secret of the server: %w: restore it from your backup", err)
	}
	if len(secret) != size {
		return nil, fmt.Errorf("reading a secret of the server: %s has %d bytes, want %d: restore it from your backup", path, len(secret), size)
	}
	return secret, nil
}

// trust is what docks pin of this server.
func (s *secrets) trust(c *Config) proof.Trust {
	return proof.Trust{Agency: c.agency(), LogOrigin: c.logOrigin(), LogPublicKey: s.checkpoint.Public(), ReceiptPublicKey: s.receipt.Public(), Restored: c.restored}
}

// parts are the server's parts, opened. Close them in any case.
type parts struct {
	config       *Config
	version      string
	secrets      *secrets
	log          *slog.Logger
	now          func() time.Time
	catalog      *sqldb.DB
	settings     *settings.Service
	certificates *certificates
	edge         *edge.Service
	vault        *blobs.Store
	tiles        tlog.Tiles
	audit        *audit.Log
	fleet        *fleet.Service
	cameras      *cameras.Service
	custody      *custody.Custody
	live         *receive.Live
	uplink       *uplink.Service
	receiver     *receive.Receiver
	stamp        *stamp.Service   // nil: no time-stamp authority
	witness      *witness.Service // nil: no witnesses
	people       *auth.Service    // since there are pages
	webhooks     *webhook.Service
	unlock       func() error

	importing importing
	derive    *derive.Service
}

// removeUnfinished removes what an earlier crash left, where files are replaced as a
// whole. Commands may be at work in these folders, so it leaves what is new.
func (c *Config) removeUnfinished(ctx context.Context, log *slog.Logger) {
	before := time.Now().Add(-durable.UnfinishedAge) // by the clock of the file system
	for _, dir := range []string{c.keyDir(), c.authorityDir(), c.logDir(), c.firmwareDir()} {
		if _, err := durable.RemoveUnfinished(ctx, dir, before); err != nil {
			log.WarnContext(ctx, "unfinished files of an earlier crash stay: they are no part of anything and may be deleted", "error", err)
		}
	}
}

// open locks the data folder and opens everything in it.
func open(ctx context.Context, c *Config, version string, log *slog.Logger, now func() time.Time) (p *parts, err error) {
	p = &parts{config: c, version: version, log: log, now: now, importing: importing{turn: make(chan struct{}, 1)}}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.secrets, err = loadSecrets(c); err != nil {
		return p, err
	}
	c.warnOfClearRoot(ctx, log)
	if p.unlock, err = durable.LockDir(c.DataDir); err != nil {
		if errors.Is(err, durable.ErrLocked) {
			err = fmt.Errorf("another server already runs on %s: stop it first: %w", c.DataDir, err)
		}
		return p, err
	}
	c.locked = true
	c.removeUnfinished(ctx, log)
	if p.catalog, err = c.openCatalog(ctx, now); err != nil {
		return p, err
	}
	p.certificates = &certificates{authority: p.secrets.authority, hosts: c.PublicNames, now: now}
	if p.edge, err = c.openEdge(p.catalog, p.certificates.get, log, now); err != nil {
		return p, err
	}
	if p.settings, err = c.openSettings(ctx, p.catalog, log, now); err != nil {
		return p, err
	}
	p.settings.Facts = p.facts
	if p.vault, err = blobs.NewReserving(c.vaultDir(), uint64(c.ReserveMiB)<<20); err != nil {
		return p, err
	}
	if p.witness, err = c.openWitness(p.catalog, log, now); err != nil {
		return p, err
	}
	if p.witness != nil {
		if err := p.witness.Ask(ctx); err != nil {
			return p, err
		}
	}
	if p.audit, p.tiles, err = openLog(ctx, c, p.secrets, p.catalog, log, now); err != nil {
		return p, err
	}
	if err := errors.Join(c.makeCameraKey(ctx, p.catalog), c.makeDerivativeKey(ctx, p.catalog, p.secrets)); err != nil {
		return p, err
	}
	if p.fleet, err = c.openFleet(ctx, p.secrets, p.catalog, log, now); err != nil {
		return p, err
	}
	p.fleet.Renew(ctx)
	p.custody = custody.New(custody.Config{
		Catalog: p.catalog, Vault: p.vault, Log: p.audit, LogOrigin: c.logOrigin(), LogPublicKey: p.secrets.checkpoint.Public(), Restored: c.restored,
		Keys: p.secrets.ring, ReceiptKey: p.secrets.receipt, DerivativeKey: p.secrets.derivative, Fleet: p.fleet, Version: version, Now: now, Logger: telemetry.Component(log, "custody"),
		CameraAuthority: p.fleet.Authority(), Certify: p.fleet.Certify,
	})
	p.cameras = cameras.New(cameras.Config{Catalog: p.catalog, Blobs: p.vault, Agency: c.agency(), Certify: p.fleet.Certify, Now: now, Log: telemetry.Component(log, "cameras")})
	p.live = receive.NewLive(now)
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return p, err
	}
	if p.uplink, err = uplink.New(ctx, uplink.Config{
		Catalog: p.catalog, Agency: c.agency(), Live: dockReports{p.live}, Space: p.vault.Space, Zone: zone, Policy: p.fleet.Digest, Now: now, Log: telemetry.Component(log, "uplink"),
	}); err != nil {
		return p, err
	}
	if p.stamp, err = c.openStamp(p.catalog, log, now); err != nil {
		return p, err
	}
	if p.webhooks, err = p.openWebhooks(); err != nil {
		return p, err
	}
	p.derive = p.deriving()
	memory := c.MemoryMiB << 20
	p.receiver = receive.New(p.custody, p.live, telemetry.Component(log, "receive"), receive.Options{
		Memory: memory, MemoryPerDock: max(memory/8, 16<<20), SegmentTime: time.Duration(c.SegmentTime), Directions: directions{p.uplink}, Now: now,
	})
	return p, nil
}

func openLog(ctx context.Context, c *Config, s *secrets, catalog *sqldb.DB, log *slog.Logger, now func() time.Time) (*audit.Log, tlog.Tiles, error) {
	if err := c.refuseBackup(); err != nil {
		return nil, nil, err
	}
	config, err := c.logConfig(s, catalog, log, now)
	if err != nil {
		return nil, nil, err
	}
	keeper, err := audit.Open(ctx, config)
	return keeper, config.Tiles, err
}

func (c *Config) logConfig(s *secrets, catalog *sqldb.DB, log *slog.Logger, now func() time.Time) (audit.Config, error) {
	node, err := os.Hostname()
	if err != nil {
		return audit.Config{}, fmt.Errorf("asking for this machine's name: %w", err)
	}
	return audit.Config{
		Catalog: catalog, Tiles: blobs.Tiles(c.logDir()), Key: s.checkpoint.Private(), Origin: c.logOrigin(), Node: node, Now: now, Logger: telemetry.Component(log, "audit"),
	}, nil
}

func (p *parts) close() error {
	var all []error
	if p.custody != nil {
		p.custody.Close()
	}
	if p.audit != nil {
		p.audit.Close()
	}
	if p.catalog != nil {
		all = append(all, p.catalog.Close())
	}
	if p.unlock != nil {
		all = append(all, p.unlock())
	}
	return errors.Join(all...)
}

func (p *parts) enrolment(quic net.Addr) (*enrolment, error) {
	_, port, err := net.SplitHostPort(quic.String())
	if err != nil {
		return nil, fmt.Errorf("reading the own address %s: %w", quic, err)
	}
	return &enrolment{
		catalog: p.catalog, fleet: p.fleet, authority: p.secrets.authority, trust: p.secrets.trust(p.config), agencyKey: p.agencyKey, uploadPort: port,
		limit: rate.NewLimiter(rate.Limit(p.config.Enrolments), 20*p.config.Enrolments), renew: rate.NewLimiter(rate.Every(renewEvery), 20), now: p.now, log: telemetry.Component(p.log, "enrol"),
	}, nil
}

// agencyKey is what a dock that enrols now will wrap to.
func (p *parts) agencyKey() ([]byte, string, error) {
	generation, public, err := p.secrets.ring.Newest(p.config.agency())
	if err != nil {
		return nil, "", err
	}
	b, err := public.MarshalBinary()
	return b, string(generation.ID), err
}
