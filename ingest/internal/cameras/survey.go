package cameras

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/ledger"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// survey gathers the rows that ledger judges. With a serial it returns one
// report; else one of each camera, and one with no serial when the custody
// record speaks of items whose camera is not known any more.
func (s *Service) survey(ctx context.Context, serial string) ([]ledger.Report, error) {
	orphans, err := s.orphans(ctx)
	if err != nil {
		return nil, err
	}
	serials := []string{serial}
	if serial == "" {
		all, err := s.Catalog.Cameras(ctx, s.Agency)
		if err != nil {
			return nil, err
		}
		serials = nil
		for _, c := range all {
			serials = append(serials, c.Serial)
		}
	} else if _, err := s.Catalog.Camera(ctx, s.Agency, serial); err != nil {
		return nil, err
	}
	var reports []ledger.Report
	for _, name := range serials {
		subject, err := s.subject(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("checking the completeness of camera %s: %w", name, err)
		}
		subject.Orphans = orphans[name]
		delete(orphans, name)
		reports = append(reports, ledger.Judge(subject))
	}
	if serial != "" {
		return reports, nil
	}
	var nobodys []ledger.Orphan
	for _, left := range orphans {
		nobodys = append(nobodys, left...)
	}
	if len(nobodys) > 0 {
		reports = append(reports, ledger.Judge(&ledger.Subject{Orphans: nobodys, Now: s.Now()}))
	}
	return reports, nil
}

// subject gathers what is known of one camera.
func (s *Service) subject(ctx context.Context, serial string) (*ledger.Subject, error) {
	subject := &ledger.Subject{Camera: serial, Blobs: map[evidence.EvidenceID]ledger.Blob{}, Now: s.Now(), Grace: s.Grace}
	err := s.Catalog.EachDocking(ctx, s.Agency, serial, func(d *catalog.Docking) error {
		subject.Dockings = append(subject.Dockings, *d)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.Catalog.EachShown(ctx, s.Agency, serial, func(v *catalog.Shown) error {
		subject.Shown = append(subject.Shown, *v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if subject.Items, err = s.Catalog.ItemsOf(ctx, s.Agency, serial); err != nil {
		return nil, err
	}
	if subject.Receipts, err = s.Catalog.ItemsWithReceipt(ctx, s.Agency, serial); err != nil {
		return nil, err
	}
	if subject.Begin, err = s.Catalog.Beginning(ctx, s.Agency, serial); err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return nil, err
	}
	if subject.Settlements, err = s.Catalog.Settlements(ctx, s.Agency, serial); err != nil {
		return nil, err
	}
	bare, err := s.Catalog.Alerts(ctx, catalog.AlertFilter{Agency: s.Agency, Object: evidence.CameraObject(serial), Code: catalog.AlertErasedBare}, 0)
	if err != nil {
		return nil, err
	}
	for _, a := range bare {
		if a.ClearedAt.IsZero() {
			subject.Bare = append(subject.Bare, a)
		}
	}
	for i := range subject.Items {
		item := &subject.Items[i]
		if item.State != catalog.StateStored {
			continue
		}
		blob, good, err := s.blob(ctx, item)
		if err != nil {
			return nil, err
		}
		if !good {
			subject.Blobs[item.ID] = blob
		}
	}
	return subject, nil
}

// blob looks whether an item's blob is there, whole by its size. A row that
// changed while this was looked at is asked for once more.
func (s *Service) blob(ctx context.Context, item *catalog.Item) (blob ledger.Blob, good bool, err error) {
	blob.Want = seal.SealedSize(item.SealedLength())
	opened, err := s.Blobs.Open(ctx, vault.Key{Agency: item.Agency, ID: item.ID, Attempt: item.Attempt})
	if errors.Is(err, fs.ErrNotExist) {
		now, err := s.Catalog.ItemRow(ctx, item.Agency, item.ID)
		if err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return blob, false, err
		}
		blob.Missing = true
		return blob, err == nil && (now.State != item.State || now.Attempt != item.Attempt), nil
	}
	if err != nil {
		return blob, false, fmt.Errorf("opening the blob of item %s: %w", item.ID, err)
	}
	blob.Size = uint64(opened.Size())
	return blob, blob.Size == blob.Want, opened.Close()
}

// orphans returns the items that have lost their rows, by camera.
func (s *Service) orphans(ctx context.Context) (map[string][]ledger.Orphan, error) {
	mentions, err := s.Catalog.Orphans(ctx, s.Agency)
	if err != nil {
		return nil, err
	}
	var order []evidence.EvidenceID
	found := map[evidence.EvidenceID]*ledger.Orphan{}
	for _, m := range mentions {
		if found[m.ID] == nil {
			found[m.ID] = &ledger.Orphan{ID: m.ID}
			order = append(order, m.ID)
		}
		found[m.ID].Sources = append(found[m.ID].Sources, words(m))
	}
	byCamera := map[string][]ledger.Orphan{}
	for _, id := range order {
		o := found[id]
		if err := s.recall(ctx, o); err != nil {
			return nil, err
		}
		byCamera[o.Camera] = append(byCamera[o.Camera], *o)
	}
	return byCamera, nil
}

func words(m sqldb.Mention) string {
	switch m.Source {
	case "offer":
		return "the dock's offer"
	case "receipt", "release":
		return "a " + m.Source
	}
	return "the custody " + m.Source
}

// recall finds out what an item without a row was, from the manifest that was
// offered, else from its events.
func (s *Service) recall(ctx context.Context, o *ledger.Orphan) error {
	err := s.Catalog.EachOffer(ctx, s.Agency, o.ID, func(offer *catalog.Offer) error {
		var m evidence.Manifest
		envelope, err := evidence.ParseEnvelope(offer.Manifest)
		if err != nil || evidence.Decode(envelope.Payload, &m) != nil {
			return nil // it was judged when it came; its events tell the rest
		}
		o.Camera, o.Path, o.Placed = m.Camera.Serial, m.Recording.Path, catalog.Place(&m.Recording)
		return nil
	})
	if err != nil || o.Camera != "" {
		return err
	}
	rows, err := s.Catalog.Events(ctx, catalog.EventFilter{Agency: s.Agency, Object: evidence.ItemObject(o.ID)}, 0)
	if err != nil {
		return err
	}
	for _, row := range rows {
		var e evidence.Event
		if json.Unmarshal(row.JSON, &e) == nil && e.Details[proof.DetailCamera] != "" {
			o.Camera = e.Details[proof.DetailCamera]
			if path := e.Details[proof.DetailPath]; path != "" {
				o.Path = path
			}
		}
	}
	return nil
}
