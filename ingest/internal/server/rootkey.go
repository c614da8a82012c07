package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/hsm"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Where the passphrase of the root key comes from, beside passphrase_file.
const (
	credentialName      = "root-passphrase" // of systemd's LoadCredential
	passphraseVariable  = "SEALDOCK_ROOT_PASSPHRASE"
	credentialDirectory = "CREDENTIALS_DIRECTORY"
)

// rootInClear is said wherever the root key has no passphrase.
const rootInClear = "the root key lies in the key folder in clear: whoever copies the folder can open all evidence. Put it under a passphrase with sealdock-ingest keys passphrase"

// errMovedLater is what making and restoring keys say of an HSM and a transit service.
var errMovedLater = errors.New("keys are made under a passphrase or in clear first: set root_protection so, then move the root key with sealdock-ingest keys passphrase --pkcs11 or --transit")

// checkGuard reports what cannot be used of what guards the root key.
func (c *Config) checkGuard() error {
	switch keys.Protection(c.RootProtection) {
	case keys.None, keys.Passphrase, keys.PKCS11, keys.Transit:
	default:
		return fmt.Errorf("root_protection: %q, allowed are %q, %q, %q and %q", c.RootProtection, keys.Passphrase, keys.PKCS11, keys.Transit, keys.None)
	}
	if (c.PKCS11Module == "") != (c.PKCS11Token == "") || c.PKCS11Module == "" && c.RootProtection == string(keys.PKCS11) {
		return errors.New("pkcs11_module and pkcs11_token go together, and root_protection = \"pkcs11\" needs both")
	}
	if c.TransitURL == "" {
		if c.RootProtection == string(keys.Transit) {
			return errors.New("root_protection = \"transit\" needs transit_url")
		}
		return nil
	}
	if err := c.transit().Check(); err != nil {
		return fmt.Errorf("transit_url, transit_mount, transit_namespace: %w", err)
	}
	return nil
}

// GivenPassphrase returns the passphrase that was given for the root key: in
// passphrase_file, as a credential of systemd, or in the environment; nil when
// in none of them.
func (c *Config) GivenPassphrase() ([]byte, error) {
	if c.PassphraseFile != "" {
		return ReadPassphrase(c.PassphraseFile, true)
	}
	if dir := os.Getenv(credentialDirectory); dir != "" {
		// Its mode is systemd's affair: the folder is this service's alone.
		text, err := ReadPassphrase(filepath.Join(dir, credentialName), false)
		if !errors.Is(err, fs.ErrNotExist) {
			return text, err
		}
	}
	if text := os.Getenv(passphraseVariable); text != "" {
		return []byte(text), nil
	}
	return nil, nil
}

// ReadPassphrase reads a passphrase from the first line of a file, which must
// have no second one. With private it must be readable by its owner alone.
func ReadPassphrase(path string, private bool) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading a passphrase: %w", err)
	}
	if private && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("reading a passphrase: %s may be read by others (mode %04o): run chmod 600 on it", path, info.Mode().Perm())
	}
	if info.Size() > keys.MaxPassphrase+2 || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("reading a passphrase: %s is no file of at most %d bytes", path, keys.MaxPassphrase)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a passphrase: %w", err)
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) == 0 || bytes.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("reading a passphrase: %s does not hold one line", path)
	}
	return text, nil
}

// passphrase is keys.Ask: what was given, or else what the person types.
func (c *Config) passphrase() ([]byte, error) {
	text, err := c.GivenPassphrase()
	if err != nil || text != nil {
		return text, err
	}
	if c.Prompt != nil {
		if text, err := c.Prompt("Passphrase of the root key, PIN of the HSM or token of the transit service: "); err != nil || len(text) > 0 {
			return text, err
		}
	}
	return nil, fmt.Errorf("give it in passphrase_file of the configuration, as the credential %s of systemd (LoadCredential), in %s, or at a terminal", credentialName, passphraseVariable)
}

// openRing opens the agency's keys, once.
func (c *Config) openRing() (*keys.Ring, error) {
	if c.ring != nil && c.ringDir == c.keyDir() {
		return c.ring, nil
	}
	if err := c.checkRoot(); err != nil {
		return nil, err
	}
	ring, err := keys.OpenGuarded(c.keyDir(), c.guard())
	if err != nil {
		return nil, err
	}
	if _, err := ring.Public(c.agency()); err != nil {
		return nil, fmt.Errorf("agency in the configuration: %w", err)
	}
	c.ring, c.ringDir = ring, c.keyDir()
	return ring, nil
}

// checkRoot refuses a root key in clear where the configuration wants a passphrase.
func (c *Config) checkRoot() error {
	have, err := keys.ProtectionOf(c.keyDir())
	switch want := keys.Protection(c.RootProtection); {
	case err != nil || want == keys.None || want == have:
		return err
	case have == keys.None:
		return fmt.Errorf("root_protection is %q in the configuration, but %s", want, rootInClear)
	default:
		return fmt.Errorf("root_protection is %q in the configuration, but the root key is under %q: correct the one, or move the other with sealdock-ingest keys passphrase", want, have)
	}
}

// guard is what opens the root key.
func (c *Config) guard() keys.Guard {
	guard := keys.Guard{Ask: c.passphrase, Keepers: map[keys.Protection]keys.Keeper{}}
	if c.PKCS11Module != "" {
		guard.Keepers[keys.PKCS11] = hsm.Module{Path: c.PKCS11Module, Token: c.PKCS11Token}
	}
	if c.TransitURL != "" {
		guard.Keepers[keys.Transit] = c.transit()
	}
	return guard
}

// warnOfClearRoot says so when the root key has no passphrase.
func (c *Config) warnOfClearRoot(ctx context.Context, log *slog.Logger) {
	if have, err := keys.ProtectionOf(c.keyDir()); err == nil && have == keys.None {
		log.WarnContext(ctx, rootInClear, "root_protection", string(have))
	}
}

// ProtectRoot puts the root key under another passphrase, under a key of an HSM or of
// a transit service, or with keys.None in clear, and records it; to.Keeper is filled in. A running server
// goes on with the keys that it has open.
func ProtectRoot(ctx context.Context, c Config, to keys.Target, now func() time.Time) (err error) {
	if to.Protection == keys.Passphrase {
		if err := keys.CheckPassphrase(to.Secret); err != nil {
			return err
		}
	}
	guard := c.guard()
	to.Keeper = guard.Keepers[to.Protection]
	former, err := keys.ProtectionOf(c.keyDir())
	if err != nil {
		return err
	}
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	event := c.keyEvent(evidence.EventRootProtected, "key:root", map[string]string{"from": string(former), "to": string(to.Protection)})
	return recorded(ctx, db, event, func() error { return keys.Protect(c.keyDir(), guard, to) })
}

// keyEvent is an event of the command line about keys.
func (c *Config) keyEvent(kind evidence.EventType, object string, details map[string]string) evidence.Event {
	by, from := local()
	return evidence.Event{Version: 1, Agency: c.agency(), Type: kind, Actor: by, Source: from.Address, Object: object, Outcome: evidence.OutcomeDone, Details: details}
}

// recorded makes an event durable, then acts. What fails is recorded too. After a
// crash between the two, the record tells of an act that did not take place,
// never the other way round.
func recorded(ctx context.Context, db *sqldb.DB, event evidence.Event, act func() error) error {
	return recordedIf(ctx, db, func(*sqldb.Tx) error { return nil }, event, act)
}

// recordedIf is recorded where check, which may run several times, finds nothing
// against it in the same commit.
func recordedIf(ctx context.Context, db *sqldb.DB, check func(*sqldb.Tx) error, event evidence.Event, act func() error) error {
	note := func() error {
		return db.Update(ctx, func(tx *sqldb.Tx) error {
			_, err := tx.AppendEvent(ctx, event)
			return err
		})
	}
	first := func(tx *sqldb.Tx) error {
		if err := check(tx); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, event)
		return err
	}
	if err := db.Update(ctx, first); err != nil {
		return fmt.Errorf("recording what is about to be done: %w: nothing was done", err)
	}
	failed := act()
	if failed == nil {
		return nil
	}
	event.Outcome, event.Reason = evidence.OutcomeFailed, strings.ToValidUTF8(failed.Error(), "?")
	return errors.Join(failed, note())
}
