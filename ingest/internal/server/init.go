package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	blobs "github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/internal/conf"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/proto/evidence"
)

// ConfigName is the name of the configuration file in a data folder.
const ConfigName = "ingest.toml"

// Made tells what Init made.
type Made struct {
	ConfigPath  string
	SetupLink   string // makes the first administrator, once, within 24 hours
	Fingerprint evidence.Digest
}

// Init makes a new server in c.DataDir: keys, certificate authority, catalog,
// custody log and configuration file. It refuses a folder that holds anything.
func Init(ctx context.Context, c Config, logger *slog.Logger, now func() time.Time) (*Made, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(c.DataDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("looking into the data folder: %w", err)
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty, it holds %s: nothing was changed. Choose a new folder, or start the server that is there with sealdock-ingest run", c.DataDir, entries[0].Name())
	}
	if c.DataDir, err = filepath.Abs(c.DataDir); err != nil {
		return nil, fmt.Errorf("finding the data folder: %w", err)
	}
	// The catalog first: when it cannot be had, there are no keys of no use.
	var key []byte // of PostgreSQL the disk is not ours
	if c.inFile() {
		key = keys.NewCatalogKey()
	}
	db, err := c.newCatalog(ctx, key, now)
	if err != nil {
		return nil, fmt.Errorf("making a server in %s: %w", c.DataDir, err)
	}
	made, err := c.make(ctx, db, key, logger, now)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, fmt.Errorf("making a server in %s: %w. What was made so far is of no use: delete the folder and run init again", c.DataDir, err)
	}
	return made, nil
}

func (c *Config) make(ctx context.Context, db *sqldb.DB, catalogKey []byte, logger *slog.Logger, now func() time.Time) (*Made, error) {
	if err := durable.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, err
	}
	if err := c.makeKeys(catalogKey); err != nil {
		return nil, err
	}
	authority, err := identity.NewAuthority(c.agency(), now())
	if err != nil {
		return nil, err
	}
	if err := authority.Save(c.authorityDir()); err != nil {
		return nil, err
	}
	if err := c.makeStatementKeys(); err != nil {
		return nil, err
	}
	for path, size := range map[string]int{c.pepperFile(): auth.PepperSize, c.resetKeyFile(): 32} {
		secret := make([]byte, size)
		rand.Read(secret) // never fails: crypto/rand ends the program instead
		if err := durable.WriteFile(path, secret, 0o600); err != nil {
			return nil, err
		}
	}
	link, err := c.makeStores(ctx, db, logger, now)
	if err != nil {
		return nil, err
	}
	// The file last: with it, the server is complete.
	text, err := c.file()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(c.DataDir, ConfigName)
	if err := durable.WriteFile(path, text, 0o600); err != nil {
		return nil, err
	}
	return &Made{ConfigPath: path, SetupLink: link, Fingerprint: identity.Fingerprint(authority.Certificate())}, nil
}

// makeKeys makes root and agency key as root_protection says, and keeps the catalog's.
func (c *Config) makeKeys(catalogKey []byte) error {
	if keys.Protection(c.RootProtection).Kept() {
		return errMovedLater
	}
	ring, err := c.makeRing()
	if err != nil || catalogKey == nil {
		return err
	}
	return ring.KeepCatalogKey(catalogKey)
}

func (c *Config) makeRing() (*keys.Ring, error) {
	if c.RootProtection != string(keys.Passphrase) {
		return keys.Create(c.keyDir(), c.agency())
	}
	passphrase, err := c.passphrase()
	if err != nil {
		return nil, fmt.Errorf("the root key needs a passphrase: %w", err)
	}
	defer clear(passphrase)
	return keys.CreateProtected(c.keyDir(), c.agency(), passphrase)
}

// file is the configuration as a file. conf.Show leaves the password of the
// catalog's address out; here it is needed.
func (c *Config) file() ([]byte, error) {
	var text bytes.Buffer
	if err := conf.Show(&text, c); err != nil {
		return nil, err
	}
	lines := strings.SplitAfter(text.String(), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "catalog = ") {
			lines[i] = "catalog = " + strconv.Quote(c.Catalog) + "\n"
		}
	}
	return []byte(strings.Join(lines, "")), nil
}

func (c *Config) makeStatementKeys() error {
	for path, purpose := range map[string]identity.Purpose{c.receiptKey(): identity.PurposeReceipt, c.checkpointKey(): identity.PurposeCheckpoint, c.cameraKey(): identity.PurposeCamera,
		c.derivativeKey(): identity.PurposeDerivative} {
		key, err := identity.NewStatementKey(purpose)
		if err != nil {
			return err
		}
		if err := key.Save(path); err != nil {
			return err
		}
	}
	return nil
}

// makeStores makes vault and custody log and returns the set-up link.
func (c *Config) makeStores(ctx context.Context, db *sqldb.DB, logger *slog.Logger, now func() time.Time) (link string, err error) {
	secrets, err := loadOwnSecrets(c)
	if err != nil {
		return "", err
	}
	if _, err := blobs.New(c.vaultDir()); err != nil {
		return "", err
	}
	log, _, err := openLog(ctx, c, secrets, db, logger, now)
	if err != nil {
		return "", err
	}
	if _, _, err := log.Sequence(ctx); err != nil {
		return "", err
	}
	people, err := auth.New(auth.Config{Catalog: db, Agency: c.agency(), Pepper: secrets.pepper, Now: now})
	if err != nil {
		return "", err
	}
	token, err := people.NewSetupToken(ctx)
	if err != nil {
		return "", err
	}
	return c.setupLink(token), nil
}
