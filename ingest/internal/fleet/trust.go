package fleet

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// RenewTrust issues a new trust statement within a transaction, with its event,
// when the present one does not say what is so: after a dock was enrolled,
// enrolled anew, disabled or enabled, and after a key changed. Without the
// authority's key it does nothing.
func (s *Service) RenewTrust(ctx context.Context, tx *sqldb.Tx) error {
	if s.Key == nil {
		return nil
	}
	wanted, last, err := s.trust(ctx, &tx.Reader)
	if err != nil || wanted == nil {
		return err
	}
	wanted.Number, wanted.IssuedAt = s.next(last), s.instant()
	envelope, err := s.sign(evidence.TypeCameraTrust, wanted)
	if err != nil {
		return fmt.Errorf("issuing the cameras' trust: %w", err)
	}
	row := &catalog.CameraTrust{Agency: s.Agency, Number: wanted.Number, IssuedAt: wanted.IssuedAt, Envelope: envelope}
	if err := tx.InsertCameraTrust(ctx, row); err != nil {
		return err
	}
	known := &catalog.Setting{Agency: s.Agency, Name: authoritySetting, Value: hex.EncodeToString(s.Key.Public()), UpdatedAt: wanted.IssuedAt, UpdatedBy: Server().Actor.ID}
	if err := tx.SetSetting(ctx, known); err != nil {
		return err
	}
	number := strconv.FormatUint(wanted.Number, 10)
	_, err = tx.AppendEvent(ctx, s.event(evidence.EventCameraTrustIssued, Server(), "camera-trust:"+number, map[string]string{
		"number": number, "docks": strconv.Itoa(len(wanted.Docks)), "receipt_keys": strconv.Itoa(len(wanted.ReceiptKeys)), "statement_sha256": evidence.SHA256(envelope).String(),
	}))
	return err
}

// authoritySetting is the name under which the catalog keeps the public key, in
// hex, that signed the present trust: what it has signed stays good when the
// private key is lost.
const authoritySetting = "cameras.authority"

// known returns the public key by which docks check what cameras are told, nil
// when there is none yet.
func (s *Service) known(ctx context.Context) (ed25519.PublicKey, error) {
	if s.Key != nil {
		return s.Key.Public(), nil
	}
	setting, err := s.Catalog.Setting(ctx, s.Agency, authoritySetting)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(setting.Value)
	if err != nil || len(key) != ed25519.PublicKeySize {
		s.Log.ErrorContext(ctx, "the public key of the camera authority cannot be read, so cameras are told nothing; restore keys/camera-authority.key from your backup", "setting", authoritySetting)
		return nil, nil
	}
	return key, nil
}

// trust returns what cameras should be told, without number and time, or nil
// when they are told so already; and the number of the present statement.
func (s *Service) trust(ctx context.Context, r *sqldb.Reader) (wanted *evidence.CameraTrust, last uint64, err error) {
	docks, err := r.Docks(ctx, s.Agency)
	if err != nil {
		return nil, 0, err
	}
	wanted = &evidence.CameraTrust{Version: 1, Agency: s.Agency, ReceiptKeys: s.ReceiptKeys, Docks: []evidence.TrustedDock{}}
	for _, d := range s.told(ctx, docks) {
		wanted.Docks = append(wanted.Docks, evidence.TrustedDock{Dock: d.ID, Key: d.StatementKey})
	}
	row, err := r.CameraTrust(ctx, s.Agency)
	if errors.Is(err, catalog.ErrNotFound) {
		return wanted, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	if present, err := s.readTrust(row); err == nil && sameTrust(present, wanted) {
		return nil, row.Number, nil
	}
	return wanted, row.Number, nil
}

// told are the docks that cameras are told of, in the order of docks: those that
// are let in and, where they are more than a statement can name, the ones that
// were enrolled first, so that no new dock takes the place of an old one.
func (s *Service) told(ctx context.Context, docks []catalog.Dock) []catalog.Dock {
	docks = slices.DeleteFunc(docks, func(d catalog.Dock) bool { return !d.Enabled })
	if len(docks) <= evidence.MaxTrustedDocks {
		return docks
	}
	if s.crowded.CompareAndSwap(false, true) {
		s.Log.ErrorContext(ctx, "there are more docks than cameras can be told of: cameras that have keys open to the ones that were enrolled first; disable docks that are no longer used",
			"docks", len(docks), "told", evidence.MaxTrustedDocks)
	}
	first := slices.SortedStableFunc(slices.Values(docks), func(a, b catalog.Dock) int { return a.EnrolledAt.Compare(b.EnrolledAt) })
	named := map[evidence.DockID]bool{}
	for _, d := range first[:evidence.MaxTrustedDocks] {
		named[d.ID] = true
	}
	return slices.DeleteFunc(docks, func(d catalog.Dock) bool { return !named[d.ID] })
}

// readTrust reads a statement that this authority has signed.
func (s *Service) readTrust(row *catalog.CameraTrust) (*evidence.CameraTrust, error) {
	envelope, err := evidence.ParseEnvelope(row.Envelope)
	if err != nil {
		return nil, err
	}
	payload, err := envelope.Verify(evidence.TypeCameraTrust, s.Key.Public())
	if err != nil {
		return nil, err
	}
	var t evidence.CameraTrust
	if err := evidence.Decode(payload, &t); err != nil {
		return nil, err
	}
	return &t, nil
}

func sameTrust(a, b *evidence.CameraTrust) bool {
	return a.Agency == b.Agency && slices.EqualFunc(a.ReceiptKeys, b.ReceiptKeys, bytes.Equal) &&
		slices.EqualFunc(a.Docks, b.Docks, func(x, y evidence.TrustedDock) bool { return x.Dock == y.Dock && bytes.Equal(x.Key, y.Key) })
}

// Check reports whether the authority's key is the one that signed what cameras
// were told last. nil also when they were told nothing yet.
func (s *Service) Check(ctx context.Context) error {
	row, err := s.Catalog.CameraTrust(ctx, s.Agency)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if s.Key == nil {
		return ErrNoAuthority
	}
	if _, err := s.readTrust(row); err != nil {
		return fmt.Errorf("keys/camera-authority.key is not the key that this agency's cameras know, restore the right one from your backup: %w", err)
	}
	return nil
}
