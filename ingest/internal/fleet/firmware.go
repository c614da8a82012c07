package fleet

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// ErrOlder: firmware with this counter, or a higher one, was published before.
var ErrOlder = errors.New("firmware only goes forward")

// TrustMaker takes firmware of a maker from now on. catalog.ErrExists when the
// name or the key is there already.
func (s *Service) TrustMaker(ctx context.Context, by By, name string, key ed25519.PublicKey) error {
	if err := evidence.CheckName("maker", name); err != nil {
		return err
	}
	err := s.update(ctx, func(tx *sqldb.Tx) error {
		if err := s.foreignKey(ctx, tx, key); err != nil {
			return err
		}
		if err := tx.InsertFirmwareMaker(ctx, &catalog.FirmwareMaker{Agency: s.Agency, Name: name, PublicKey: key, TrustedAt: s.instant(), TrustedBy: by.Actor.ID}); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, s.event(evidence.EventMakerTrusted, by, "maker:"+name, map[string]string{"key_sha256": evidence.KeyID(key).String()}))
		return err
	})
	if err != nil {
		return fmt.Errorf("trusting firmware maker %s: %w", name, err)
	}
	return nil
}

// foreignKey refuses a key that serves another purpose here.
func (s *Service) foreignKey(ctx context.Context, tx *sqldb.Tx, key ed25519.PublicKey) error {
	own := append([][]byte(nil), s.ReceiptKeys...)
	if s.Key != nil {
		own = append(own, s.Key.Public())
	}
	docks, err := tx.Docks(ctx, s.Agency)
	if err != nil {
		return err
	}
	for i := range docks {
		own = append(own, docks[i].StatementKey)
	}
	for _, k := range own {
		if bytes.Equal(k, key) {
			return errors.New("this key has another purpose at this agency: a maker's key signs firmware and nothing else")
		}
	}
	return nil
}

// Makers returns the makers whose firmware is taken, by name.
func (s *Service) Makers(ctx context.Context) ([]catalog.FirmwareMaker, error) {
	return s.Catalog.FirmwareMakers(ctx, s.Agency)
}

// Publish checks a bundle and offers its image to the agency's cameras of its
// model, between two minutes of the day in UTC, or any time where they are the
// same. The image that is published already gets the new window; any other must
// have a counter above all that were published before: ErrOlder.
func (s *Service) Publish(ctx context.Context, by By, statement []byte, image io.Reader, from, to int) (*catalog.Firmware, error) {
	row, err := s.publish(ctx, by, statement, image, from, to)
	if err != nil {
		return nil, fmt.Errorf("publishing firmware: %w", err)
	}
	return row, nil
}

func (s *Service) publish(ctx context.Context, by By, statement []byte, image io.Reader, from, to int) (*catalog.Firmware, error) {
	if from < 0 || from > 1439 || to < 0 || to > 1439 {
		return nil, fmt.Errorf("a window of minutes %d to %d: 0 to 1439 are minutes of a day", from, to)
	}
	makers, err := s.Makers(ctx)
	if err != nil {
		return nil, err
	}
	f, maker, err := ReadStatement(statement, makers)
	if err != nil {
		return nil, err
	}
	row := &catalog.Firmware{
		Agency: s.Agency, Model: f.Model, Counter: f.Counter, Release: f.Release, Length: f.Length, SHA256: f.SHA256,
		Maker: maker.Name, MakerKey: maker.PublicKey, WindowFrom: from, WindowTo: to, PublishedBy: by.Actor.ID, Envelope: statement,
	}
	if err := s.forward(ctx, &s.Catalog.Reader, row); err != nil {
		return nil, err // before a gigabyte is copied for nothing
	}
	staged, err := s.stage(ctx, image, f)
	if err != nil {
		return nil, err
	}
	placed := false
	err = s.update(ctx, func(tx *sqldb.Tx) error {
		if err := s.forward(ctx, &tx.Reader, row); err != nil {
			return err
		}
		// Within the transaction: a withdrawal that removes the image waits, or
		// has come before.
		if !placed {
			if err := durable.Rename(staged, s.imagePath(s.Agency, f.SHA256)); err != nil {
				return err
			}
			placed = true
		}
		row.PublishedAt = s.instant()
		if err := tx.PublishFirmware(ctx, row); err != nil {
			return err
		}
		_, err := tx.AppendEvent(ctx, s.event(evidence.EventFirmwarePublished, by, firmwareObject(f.SHA256), map[string]string{
			"model": f.Model, "release": f.Release, "counter": strconv.FormatUint(f.Counter, 10), "length": strconv.FormatUint(f.Length, 10),
			"maker": maker.Name, "window_utc": Window(from, to), "statement_sha256": evidence.SHA256(statement).String(),
		}))
		return err
	})
	if err != nil && !placed {
		err = errors.Join(err, durable.Remove(staged))
	}
	return row, err
}

// forward refuses firmware that is behind, and a model too many.
func (s *Service) forward(ctx context.Context, r *sqldb.Reader, f *catalog.Firmware) error {
	all, err := r.Firmware(ctx, s.Agency)
	if err != nil {
		return err
	}
	models, again := map[string]bool{f.Model: true}, published(all, f)
	for i := range all {
		had := &all[i]
		if had.WithdrawnAt.IsZero() {
			models[had.Model] = true
		}
		if !again && had.Model == f.Model && had.Counter >= f.Counter {
			return fmt.Errorf("%w: %s has counter %d, and %s with counter %d was published before, which cameras may have already and would refuse to leave; ask the maker for a release with a higher counter",
				ErrOlder, f.Release, f.Counter, had.Release, had.Counter)
		}
	}
	if len(models) > upload.MaxPolicies {
		return fmt.Errorf("there is firmware for %d models already, which is the most: withdraw what is not needed any more", upload.MaxPolicies)
	}
	return nil
}

// published reports whether the very image was published before.
func published(all []catalog.Firmware, f *catalog.Firmware) bool {
	for i := range all {
		if all[i].Model == f.Model && all[i].Counter == f.Counter && all[i].SHA256 == f.SHA256 {
			return true
		}
	}
	return false
}

// Withdraw takes firmware back: docks get and apply it no more. Cameras that
// have it keep it. catalog.ErrNotFound when it is not published.
func (s *Service) Withdraw(ctx context.Context, by By, model string, counter uint64) error {
	var withdrawn catalog.Firmware
	err := s.update(ctx, func(tx *sqldb.Tx) error {
		all, err := tx.Firmware(ctx, s.Agency)
		if err != nil {
			return err
		}
		if err := tx.WithdrawFirmware(ctx, s.Agency, model, counter, s.instant(), by.Actor.ID); err != nil {
			return err
		}
		for _, f := range all {
			if f.Model == model && f.Counter == counter {
				withdrawn = f
			}
		}
		_, err = tx.AppendEvent(ctx, s.event(evidence.EventFirmwareWithdrawn, by, firmwareObject(withdrawn.SHA256), map[string]string{
			"model": model, "release": withdrawn.Release, "counter": strconv.FormatUint(counter, 10),
		}))
		return err
	})
	if err != nil {
		return fmt.Errorf("withdrawing firmware: %w", err)
	}
	drop := func(ctx context.Context) {
		if err := s.drop(ctx, withdrawn.SHA256); err != nil {
			s.Log.WarnContext(ctx, "firmware was withdrawn, and its image could not be removed: it only takes space", "error", err)
		}
	}
	if !sqldb.Behind(ctx, drop) {
		drop(ctx)
	}
	return nil
}

// drop removes an image that nobody is offered any more. A transaction keeps a
// publication of the same image out meanwhile.
func (s *Service) drop(ctx context.Context, sum evidence.Digest) error {
	return s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.FirmwareImage(ctx, s.Agency, sum)
		if !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
		if err := durable.Remove(s.imagePath(s.Agency, sum)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// Firmware returns all firmware that is or was published, by model, the newest
// of each first.
func (s *Service) Firmware(ctx context.Context) ([]catalog.Firmware, error) {
	return s.Catalog.Firmware(ctx, s.Agency)
}

// offers are what docks are told of: of each model the published firmware with
// the highest counter.
func (s *Service) offers(ctx context.Context) ([]catalog.Firmware, error) {
	all, err := s.Firmware(ctx)
	if err != nil {
		return nil, err
	}
	var offered []catalog.Firmware
	for _, f := range all {
		if f.WithdrawnAt.IsZero() && (len(offered) == 0 || offered[len(offered)-1].Model != f.Model) {
			offered = append(offered, f)
		}
	}
	return offered[:min(len(offered), upload.MaxPolicies)], nil
}

func firmwareObject(sum evidence.Digest) string { return "firmware:" + sum.String() }
