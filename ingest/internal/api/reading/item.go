package reading

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/proto/evidence"
)

// MaxEvents is how many custody events of an item are shown at once.
const MaxEvents = 200

// ItemView is all that there is to say of one item.
type ItemView struct {
	Item           *catalog.Item
	Manifest       *evidence.Manifest // nil when it cannot be read
	ManifestSigned bool               // by a key that the dock has or had
	Receipt        *evidence.Receipt  // nil before it is signed, or when it cannot be read
	ReceiptSigned  bool               // by this server's receipt key
	Checks         []Check
	Times          Times
	Siblings       []catalog.Item
	Releases       []catalog.Release
	Events         []catalog.EventRow // newest first
	MoreEvents     bool
	BlobMissing    bool           // stored by the catalog, and not in the store
	Derivatives    []catalog.Item // what was made of it
	TakenOver      *catalog.Item  // of a superseded item: the one that has its recording
}

// Items returns one page of the list, newest first.
func (s *Service) Items(ctx context.Context, actor *auth.Actor, f catalog.ItemFilter, cursor string, limit int) (catalog.ItemPage, error) {
	if err := s.allow(actor, auth.ListItems); err != nil {
		return catalog.ItemPage{}, err
	}
	f.Agency, f.Within = s.Agency, s.within(actor, auth.ListItems)
	return s.Catalog.Items(ctx, f, catalog.NewestArrival, cursor, limit)
}

// View returns one item, and enters into the custody record that it was looked
// at. catalog.ErrNotFound when there is none.
func (s *Service) View(ctx context.Context, actor *auth.Actor, id evidence.EvidenceID) (*ItemView, error) {
	object := evidence.ItemObject(id)
	item, err := s.find(ctx, actor, auth.ViewItem, evidence.EventEvidenceViewed, id)
	if err != nil {
		return nil, err
	}
	if err := s.record(ctx, actor, evidence.EventEvidenceViewed, object, evidence.OutcomeDone, "", nil); err != nil {
		return nil, err
	}
	return s.view(ctx, actor, item)
}

func (s *Service) view(ctx context.Context, actor *auth.Actor, item *catalog.Item) (*ItemView, error) {
	v := &ItemView{Item: item}
	var err error
	if v.Manifest, v.ManifestSigned, err = s.manifest(ctx, item); err != nil {
		return nil, err
	}
	v.Receipt, v.ReceiptSigned = s.receipt(item)
	if v.Siblings, err = s.Catalog.Siblings(ctx, item); err != nil {
		return nil, err
	}
	if v.Derivatives, err = s.Catalog.DerivativesOf(ctx, s.Agency, item.ID, 0); err != nil {
		return nil, err
	}
	hidden := func(other catalog.Item) bool { return !auth.Sees(actor, &other) }
	v.Siblings, v.Derivatives = slices.DeleteFunc(v.Siblings, hidden), slices.DeleteFunc(v.Derivatives, hidden)
	if v.Releases, err = s.Catalog.Releases(ctx, s.Agency, item.ID); err != nil {
		return nil, err
	}
	if v.Events, v.MoreEvents, err = s.events(ctx, item.ID); err != nil {
		return nil, err
	}
	if item.State == catalog.StateStored {
		v.BlobMissing, err = s.blobMissing(ctx, item)
	}
	if err == nil && item.State == catalog.StateSuperseded {
		v.TakenOver, err = s.Catalog.FindRecording(ctx, s.Agency, item.Camera, item.Path, item.SHA256)
		if errors.Is(err, catalog.ErrNotFound) || err == nil && hidden(*v.TakenOver) {
			v.TakenOver, err = nil, nil
		}
	}
	v.Checks, v.Times = checks(v), times(v)
	return v, err
}

func (s *Service) blobMissing(ctx context.Context, item *catalog.Item) (bool, error) {
	blob, err := s.Blobs.Open(ctx, vault.Key{Agency: item.Agency, ID: item.ID, Attempt: item.Attempt})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("looking for the blob of item %s: %w", item.ID, err)
	}
	return false, blob.Close()
}

// manifest reads the dock's statement, or of a derivative the server's. What cannot be read or verified is
// shown as that, not hidden.
func (s *Service) manifest(ctx context.Context, item *catalog.Item) (*evidence.Manifest, bool, error) {
	envelope, err := evidence.ParseEnvelope(item.Manifest)
	if err != nil {
		return nil, false, nil
	}
	var m evidence.Manifest
	if evidence.Decode(envelope.Payload, &m) != nil || envelope.PayloadType != m.Type() || m.Evidence != item.ID || m.Agency != item.Agency {
		return nil, false, nil
	}
	keys, err := s.signers(ctx, &m, item.Dock)
	if err != nil {
		return nil, false, err
	}
	for _, key := range keys {
		if _, err := envelope.Verify(m.Type(), key); err == nil {
			return &m, true, nil
		}
	}
	return &m, false, nil
}

// signers are the keys that may have signed a manifest.
func (s *Service) signers(ctx context.Context, m *evidence.Manifest, dock evidence.DockID) (keys []ed25519.PublicKey, err error) {
	if m.Derivation != nil {
		if s.DerivativeKey != nil {
			keys = append(keys, s.DerivativeKey)
		}
		return keys, nil
	}
	rows, err := s.Catalog.DockKeys(ctx, s.Agency, dock)
	for _, row := range rows {
		keys = append(keys, row.PublicKey)
	}
	return keys, err
}

// receipt reads the server's own statement.
func (s *Service) receipt(item *catalog.Item) (*evidence.Receipt, bool) {
	if item.Receipt == nil {
		return nil, false
	}
	envelope, err := evidence.ParseEnvelope(item.Receipt)
	if err != nil || envelope.PayloadType != evidence.TypeReceipt {
		return nil, false
	}
	_, err = envelope.Verify(evidence.TypeReceipt, s.ReceiptKey)
	var r evidence.Receipt
	if evidence.Decode(envelope.Payload, &r) != nil || r.Evidence != item.ID || r.Agency != item.Agency {
		return nil, false
	}
	return &r, err == nil
}

func (s *Service) events(ctx context.Context, id evidence.EvidenceID) ([]catalog.EventRow, bool, error) {
	rows, err := s.Catalog.Events(ctx, catalog.EventFilter{Agency: s.Agency, Object: evidence.ItemObject(id)}, MaxEvents+1)
	if len(rows) > MaxEvents {
		return rows[:MaxEvents], true, err
	}
	return rows, false, err
}

// Events returns an item's custody events, newest first, and enters into the
// record that the item was looked at.
func (s *Service) Events(ctx context.Context, actor *auth.Actor, id evidence.EvidenceID) ([]catalog.EventRow, error) {
	v, err := s.View(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	return v.Events, nil
}

// Receipt returns an item's receipt as it was signed, and enters into the
// custody record that it was opened.
func (s *Service) Receipt(ctx context.Context, actor *auth.Actor, id evidence.EvidenceID) (*ItemView, error) {
	object := evidence.ItemObject(id)
	item, err := s.find(ctx, actor, auth.OpenReceipt, evidence.EventReceiptOpened, id)
	if err != nil {
		return nil, err
	}
	v := &ItemView{Item: item}
	if v.Receipt, v.ReceiptSigned = s.receipt(item); item.Receipt == nil {
		return nil, fmt.Errorf("item %s: %w", id, ErrNoReceipt)
	}
	if err := s.record(ctx, actor, evidence.EventReceiptOpened, object, evidence.OutcomeDone, "", nil); err != nil {
		return nil, err
	}
	return v, nil
}

// HeldBack counts the items in quarantine.
func (s *Service) HeldBack(ctx context.Context, actor *auth.Actor) (int64, error) {
	if err := s.allow(actor, auth.ListItems); err != nil {
		return 0, err
	}
	n, err := s.Catalog.CountItems(ctx, catalog.ItemFilter{Agency: s.Agency, State: catalog.StateQuarantined, Within: s.within(actor, auth.ListItems)})
	return n.Items, err
}
