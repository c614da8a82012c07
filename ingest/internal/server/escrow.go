package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/drill"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	blobs "github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/proto/evidence"
)

// AskHolder gives the passphrase of one of the two people of an escrow.
type AskHolder func(holder string) ([]byte, error)

// MakeEscrow writes all keys to a new file that opens with the passphrases of both
// people. They sign in first, as administrators. The server may be running.
func MakeEscrow(ctx context.Context, c Config, path string, requester, approver Credentials, passphrase AskHolder, now func() time.Time) (held []keys.Generation, err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s exists already: name a new file", path)
	}
	err = c.withRing(ctx, now, func(db *sqldb.DB, ring *keys.Ring) error {
		acts, err := c.keyActs(ctx, db, now)
		if err != nil {
			return err
		}
		held, err = acts.escrow(ctx, ring, acts.both(requester, approver), passphrase, func(file []byte) error { return durable.WriteFile(path, file, 0o600) })
		return err
	})
	return held, err
}

// escrow seals all keys and hands the file to keep, once it is on record.
func (k *keyActs) escrow(ctx context.Context, ring *keys.Ring, by pair, passphrase AskHolder, keep func([]byte) error) (held []keys.Generation, err error) {
	people, err := k.sign(ctx, by)
	if err != nil {
		return nil, err
	}
	files, err := k.config.sideFiles()
	if err != nil {
		return nil, err
	}
	escrow, err := ring.Escrow(k.config.agency(), k.now(), files)
	if err != nil {
		return nil, err
	}
	var holders [2]keys.Holder
	for i, who := range people {
		holders[i].Name = who.Login
		if holders[i].Passphrase, err = passphrase(who.Login); err != nil {
			return nil, err
		}
	}
	file, err := escrow.Seal(holders)
	if err != nil {
		return nil, refuse("making an escrow: %w", err)
	}
	// Opened again before anybody relies on it.
	again, _, err := keys.OpenEscrow(file, func(holder string) ([]byte, error) {
		for _, h := range holders {
			if h.Name == holder {
				return bytes.Clone(h.Passphrase), nil
			}
		}
		return nil, fmt.Errorf("it is of %q", holder)
	})
	if err != nil || len(again.Generations()) != len(escrow.Generations()) {
		return nil, fmt.Errorf("making an escrow: it does not come back: do not trust this machine: %w", errors.Join(err, keys.ErrPassphrase))
	}
	newest, _, err := ring.Newest(k.config.agency())
	if err != nil {
		return nil, err
	}
	held = escrow.Generations()
	details := map[string]string{"sha256": evidence.SHA256(file).String(), "newest_key": string(newest.ID), "key_pairs": fmt.Sprint(len(held))}
	return held, recorded(ctx, k.catalog, k.event(evidence.EventEscrowMade, evidence.KeyObject("all"), people, details), func() error { return keep(file) })
}

// sideFiles are the server's secret files but the root key and what is under it.
func (c *Config) sideFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	for folder, dir := range map[string]string{"keys": c.keyDir(), "authority": c.authorityDir()} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("gathering the server's keys: %w", err)
		}
		for _, entry := range entries {
			name := entry.Name()
			if !entry.Type().IsRegular() || folder == "keys" && (!strings.HasSuffix(name, ".key") || name == "root.key" || name == "catalog.key" || strings.HasPrefix(name, "agency-") || strings.HasPrefix(name, "retiring-")) || strings.HasPrefix(name, durable.TempPrefix) {
				continue
			}
			file, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return nil, fmt.Errorf("gathering the server's keys: %w", err)
			}
			files[folder+"/"+name] = file
		}
	}
	return files, nil
}

// ReadEscrow reads an escrow file.
func ReadEscrow(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading an escrow: %w", err)
	}
	defer f.Close()
	file, err := io.ReadAll(io.LimitReader(f, keys.MaxEscrow+1))
	if err != nil {
		return nil, fmt.Errorf("reading an escrow: %w", err)
	}
	if len(file) > keys.MaxEscrow {
		return nil, fmt.Errorf("reading an escrow: %s is longer than %d bytes", path, keys.MaxEscrow)
	}
	return file, nil
}

// RestoreKeys makes the key folder, which must be missing or empty, of an escrow,
// with a new root key as root_protection says. The catalog must be there: it takes
// the record, and says which key pairs are needed. It returns how these stand.
func RestoreKeys(ctx context.Context, c Config, file []byte, ask AskHolder, now func() time.Time) (states []KeyState, err error) {
	if entries, err := os.ReadDir(c.keyDir()); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s holds %s: keys are restored into an empty folder only; nothing was changed", c.keyDir(), entries[0].Name())
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	unlock, err := durable.LockDir(c.DataDir)
	if errors.Is(err, durable.ErrLocked) {
		return nil, fmt.Errorf("a server runs on %s: stop it for this: %w", c.DataDir, err)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	c.locked = true
	if keys.Protection(c.RootProtection).Kept() {
		return nil, errMovedLater
	}
	escrow, holders, err := keys.OpenEscrow(file, ask)
	if err != nil {
		return nil, err
	}
	if escrow.Agency != c.agency() {
		return nil, fmt.Errorf("the escrow is of agency %s, the configuration says %s", escrow.Agency, c.Agency)
	}
	var passphrase []byte
	if c.RootProtection == string(keys.Passphrase) {
		if passphrase, err = c.passphrase(); err != nil {
			return nil, fmt.Errorf("the new root key needs a passphrase: %w", err)
		}
		defer clear(passphrase)
	}
	c.ring, c.ringDir = escrow.Ring(), c.keyDir()
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return nil, fmt.Errorf("%w. Restore the catalog first: it has to take the record", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	event := c.keyEvent(evidence.EventKeysRestored, evidence.KeyObject("all"), ofEscrow(file, escrow, holders))
	if err := recorded(ctx, db, event, func() error { return c.restore(escrow, passphrase) }); err != nil {
		return nil, err
	}
	ring, err := keys.OpenWith(c.keyDir(), func() ([]byte, error) { return bytes.Clone(passphrase), nil })
	if err != nil {
		return nil, err
	}
	return c.keyStates(ctx, db, ring)
}

// restore makes the folder aside and then moves it into its place, so that a key
// folder is whole or is not there.
func (c *Config) restore(escrow *keys.Escrow, passphrase []byte) error {
	aside := c.keyDir() + ".restoring"
	if err := os.RemoveAll(aside); err != nil { // of a run that was killed
		return err
	}
	if err := escrow.Restore(aside, passphrase); err != nil {
		return err
	}
	if err := durable.MkdirAll(c.authorityDir(), 0o700); err != nil {
		return err
	}
	for name, file := range escrow.Files("authority") {
		path := filepath.Join(c.authorityDir(), name)
		have, err := os.ReadFile(path)
		switch {
		case err == nil && bytes.Equal(have, file):
		case err == nil:
			return fmt.Errorf("%s is another one than in the escrow, and is not replaced: move it away", path)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		default:
			if err := durable.WriteFile(path, file, 0o600); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(c.keyDir()); err != nil && !errors.Is(err, fs.ErrNotExist) { // it is empty
		return err
	}
	return durable.Rename(aside, c.keyDir())
}

// ofEscrow are details of what was taken from an escrow.
func ofEscrow(file []byte, e *keys.Escrow, holders [2]string) map[string]string {
	return map[string]string{"sha256": evidence.SHA256(file).String(), "escrow_made_at": e.MadeAt.Format(time.RFC3339), "holder": holders[0], "other_holder": holders[1]}
}

// takeBack puts back, from an escrow, the key pairs on which things stand and which
// the server lacks. Both passphrases and both sign-ins are needed.
func (k *keyActs) takeBack(ctx context.Context, ring *keys.Ring, file []byte, ask AskHolder, by pair) (back []keys.Generation, err error) {
	people, err := k.sign(ctx, by)
	if err != nil {
		return nil, err
	}
	escrow, holders, err := keys.OpenEscrow(file, ask)
	if err != nil {
		return nil, refuse("%w", err)
	}
	if escrow.Agency != k.config.agency() {
		return nil, refuse("the escrow is of agency %s, this server is of agency %s", escrow.Agency, k.config.Agency)
	}
	states, err := k.config.keyStates(ctx, k.catalog, ring)
	if err != nil {
		return nil, err
	}
	var lacking []keys.ID
	for _, s := range states {
		held := func(g keys.Generation) bool { return g.ID == s.ID }
		if s.Gone && slices.ContainsFunc(escrow.Generations(), held) {
			lacking = append(lacking, s.ID)
		}
	}
	if len(lacking) == 0 {
		return nil, refuse("this escrow holds no key pair that is needed and missing here; nothing was changed")
	}
	details := ofEscrow(file, escrow, holders)
	for i, id := range lacking {
		details[fmt.Sprintf("key_%d", i+1)] = string(id)
	}
	err = recorded(ctx, k.catalog, k.event(evidence.EventKeysRestored, evidence.KeyObject("all"), people, details), func() error {
		back, err = ring.TakeBack(escrow, lacking)
		return err
	})
	return back, err
}

// DrillKeys plays the loss of the key folder with an escrow file: see drill.Run.
// It needs catalog and vault, and no key of the server: where these are gone, the catalog
// opens with the escrow's. The server may be running.
func DrillKeys(ctx context.Context, c Config, file []byte, sample int, ask AskHolder, now func() time.Time, tell func(drill.Step)) (report drill.Report, err error) {
	if _, err := keys.ProtectionOf(c.keyDir()); errors.Is(err, fs.ErrNotExist) {
		ask = remember(ask)
		escrow, _, err := keys.OpenEscrow(file, ask)
		if err != nil {
			return report, fmt.Errorf("the keys are gone, and the catalog opens with the escrow's: %w", err)
		}
		c.ring, c.ringDir = escrow.Ring(), c.keyDir()
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	vault, err := blobs.New(c.vaultDir())
	if err != nil {
		return report, err
	}
	by, from := local()
	return c.drill(ctx, by, from, drill.Config{Catalog: db, Vault: vault, Agency: c.agency(), File: file, Sample: sample, Now: now, Ask: ask}, tell)
}

// remember asks for each secret once.
func remember(ask func(string) ([]byte, error)) func(string) ([]byte, error) {
	said := map[string][]byte{}
	return func(what string) ([]byte, error) {
		if text := said[what]; text != nil {
			return bytes.Clone(text), nil
		}
		text, err := ask(what)
		if err == nil {
			said[what] = bytes.Clone(text)
		}
		return text, err
	}
}

// drill plays it for whoever asks, on record.
func (c *Config) drill(ctx context.Context, by evidence.Actor, from auth.Origin, with drill.Config, tell func(drill.Step)) (report drill.Report, err error) {
	if with.CatalogKey, err = c.catalogKey(); err != nil && !errors.Is(err, keys.ErrNoCatalogKey) {
		return report, err
	}
	event := c.keyEvent(evidence.EventKeyDrill, evidence.KeyObject("all"), map[string]string{"sha256": evidence.SHA256(with.File).String(), "sample": fmt.Sprint(with.Sample)})
	event.Actor, event.Source = by, from.Address
	err = recorded(ctx, with.Catalog, event, func() error {
		report, err = drill.Run(ctx, with, tell)
		return err
	})
	return report, err
}
