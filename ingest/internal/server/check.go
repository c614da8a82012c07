package server

import (
	"context"
	"errors"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	blobs "github.com/sealdock/sealdock/ingest/internal/vault/fs"
)

// Check reads and checks everything in the data folder. The server may be
// running or not. quick leaves the contents of blobs unread.
func Check(ctx context.Context, c Config, quick bool, now func() time.Time, report func(fsck.Finding)) (summary fsck.Summary, err error) {
	secrets, err := loadSecrets(&c)
	if err != nil {
		return summary, err
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	vault, err := blobs.New(c.vaultDir())
	if err != nil {
		return summary, err
	}
	if have, err := keys.ProtectionOf(c.keyDir()); err == nil && have == keys.None {
		report(fsck.Finding{Severity: fsck.Note, Object: "key:root", What: rootInClear})
		defer func() { summary.Notes++ }()
	}
	config := c.checked(secrets, db, vault)
	config.SkipContent = quick
	return fsck.Run(ctx, config, report)
}

// checked is what fsck checks, and by which keys.
func (c *Config) checked(secrets *secrets, db *sqldb.DB, store vault.Store) fsck.Config {
	trust := secrets.trust(c)
	return fsck.Config{
		DerivativePublicKey: secrets.derivativePublic(),
		Catalog:             db, Vault: store, Tiles: blobs.Tiles(c.logDir()), LogOrigin: trust.LogOrigin, LogPublicKey: trust.LogPublicKey,
		ReceiptPublicKey: trust.ReceiptPublicKey, Restored: trust.Restored, Unwrap: secrets.ring.Unwrap,
	}
}
