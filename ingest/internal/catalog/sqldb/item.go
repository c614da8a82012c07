package sqldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// itemColumns are what scanItem reads.
const itemColumns = `agency, id, attempt, dock, station, bay, docking, camera, camera_model, path, kind, length, sha256, merkle_root,
	officer, officer_id, category, started_at, ended_at, marks, state, reason, offered_at, stored_at, proven_at, erased_at,
	release_result, release_reason, durable_segments, event_id, event_index, manifest_digest,
	corrected_at, uncertainty, wearer, wearer_id, sequence, sequence_source, confirmed, urgent, placed, encoding, encoded, destroyed_at, mirrored_at, original,
	annotated, title, note, incident, place, tags, given_category, claimed_category,
	(SELECT string_agg(m.case_id, ' ') FROM case_items m WHERE m.agency = items.agency AND m.item IN (items.id, items.original))`

func scanItem(s scanner, i *catalog.Item) error {
	var marks []byte
	var uncertainty, urgent int64
	var cases sql.NullString
	var tags, claimed string
	a := &i.Annotation
	if err := s.Scan(&i.Agency, hexInto(i.ID[:]), &i.Attempt, &i.Dock, &i.Station, &i.Bay, hexInto(i.Docking[:]), &i.Camera, &i.CameraModel,
		&i.Path, &i.Kind, &i.Length, hexInto(i.SHA256[:]), hexInto(i.MerkleRoot[:]),
		&i.Officer, &i.OfficerID, &i.Category, timeInto{&i.StartedAt}, timeInto{&i.EndedAt}, &marks, &i.State, &i.Reason,
		timeInto{&i.OfferedAt}, timeInto{&i.StoredAt}, timeInto{&i.ProvenAt}, timeInto{&i.ErasedAt},
		&i.ReleaseResult, &i.ReleaseReason, &i.DurableSegments, &i.EventID, &i.EventIndex, hexInto(i.ManifestDigest[:]),
		timeInto{&i.CorrectedAt}, &uncertainty, &i.Wearer, &i.WearerID, &i.Sequence, &i.SequenceSource, &i.Confirmed, &urgent, hexInto(i.Placed[:]), &i.Encoding, &i.Encoded, timeInto{&i.DestroyedAt}, timeInto{&i.MirroredAt}, hexInto(i.Original[:]),
		&i.Annotated, &a.Title, &a.Note, &a.Incident, &a.Place, &tags, &a.Category, &claimed, &cases); err != nil {
		return err
	}
	a.Tags = splitTags(tags)
	i.SetClaimedCategory(claimed)
	if !i.DestroyedAt.IsZero() {
		i.State = catalog.StateDestroyed
	}
	i.Cases = inOrder(strings.Fields(cases.String))
	i.Uncertainty, i.Urgent = time.Duration(uncertainty)*time.Microsecond, urgent == 1
	if err := json.Unmarshal(marks, &i.Marks); err != nil {
		return fmt.Errorf("the marks of item %s cannot be read: %w", i.ID, err)
	}
	return nil
}

// inOrder are the cases of an item, each once; nil: it is in none.
func inOrder(ids []string) []string {
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Item returns an item with all its statements. catalog.ErrNotFound.
func (r *Reader) Item(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID) (*catalog.Item, error) {
	item, err := r.ItemRow(ctx, agency, id)
	if err != nil {
		return nil, err
	}
	offer, err := r.Offer(ctx, agency, id, item.Attempt)
	if err != nil {
		return nil, err
	}
	item.Manifest, item.Leaves, item.Header, item.WrappedKey, item.AgencyKey = offer.Manifest, offer.Leaves, offer.Header, offer.WrappedKey, offer.AgencyKey
	err = r.one(ctx, fmt.Sprintf("the receipt of item %s", id), func(s scanner) error { return s.Scan(&item.Receipt) },
		"SELECT receipt FROM receipts WHERE agency = $1 AND id = $2 AND attempt = $3", agency, id.String(), item.Attempt)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return nil, err
	}
	return item, nil
}

// ItemRow returns an item without its statements. catalog.ErrNotFound.
func (r *Reader) ItemRow(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID) (*catalog.Item, error) {
	return get(ctx, r, fmt.Sprintf("item %s", id), scanItem, "SELECT "+itemColumns+" FROM items WHERE agency = $1 AND id = $2", agency, id.String())
}

// Offer returns what was offered in one attempt. catalog.ErrNotFound.
func (r *Reader) Offer(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32) (*catalog.Offer, error) {
	return get(ctx, r, fmt.Sprintf("the offer of item %s, attempt %d", id, attempt), func(s scanner, o *catalog.Offer) error {
		o.Agency, o.ID, o.Attempt = agency, id, attempt
		return s.Scan(timeInto{&o.At}, hexInto(o.ManifestDigest[:]), &o.Manifest, &o.Leaves, &o.Header, &o.WrappedKey, &o.AgencyKey)
	}, "SELECT offered_at, manifest_digest, manifest, leaves, header, wrapped_key, agency_key FROM offers WHERE agency = $1 AND id = $2 AND attempt = $3",
		agency, id.String(), attempt)
}

// FindRecording returns the receiving or stored item of one recording, without
// statements. catalog.ErrNotFound.
func (r *Reader) FindRecording(ctx context.Context, agency evidence.AgencyID, camera, path string, sha256 evidence.Digest) (*catalog.Item, error) {
	return get(ctx, r, "the item of a recording", scanItem,
		"SELECT "+itemColumns+" FROM items WHERE agency = $1 AND recording_key = $2 AND state IN ('receiving', 'stored')",
		agency, recordingKey(camera, path, sha256))
}

// Siblings returns the other receiving and stored items of the same camera
// whose paths differ from this one's only in the extension: a video's sidecar,
// a sidecar's video. Oldest first, without statements.
func (r *Reader) Siblings(ctx context.Context, item *catalog.Item) ([]catalog.Item, error) {
	return list(ctx, r, "the siblings of an item", scanItem,
		"SELECT "+itemColumns+` FROM items WHERE agency = $1 AND stem_key = $2 AND id <> $3 AND state IN ('receiving', 'stored')
		ORDER BY offered_at, id LIMIT 100`, item.Agency, stemKey(item.Camera, item.Path), item.ID.String())
}

// ItemsAwaitingReceipt returns stored items that have no receipt yet, of all
// agencies, oldest first: a crash came between storing and signing.
func (r *Reader) ItemsAwaitingReceipt(ctx context.Context, limit int) ([]catalog.Item, error) {
	return list(ctx, r, "items without receipt", scanItem,
		"SELECT "+itemColumns+" FROM items WHERE state = 'stored' AND event_index = -1 ORDER BY stored_at LIMIT $1", page(limit))
}

// EachItem calls each for every item of every agency, without statements, in
// the order of agency and id. No row stays locked meanwhile.
func (r *Reader) EachItem(ctx context.Context, each func(*catalog.Item) error) error {
	const size = 200
	var agency, id string
	for {
		items, err := list(ctx, r, "all items", scanItem,
			"SELECT "+itemColumns+" FROM items WHERE (agency, id) > ($1, $2) ORDER BY agency, id LIMIT $3", agency, id, size)
		if err != nil {
			return err
		}
		for n := range items {
			if err := each(&items[n]); err != nil {
				return err
			}
			agency, id = string(items[n].Agency), items[n].ID.String()
		}
		if len(items) < size {
			return nil
		}
	}
}

// EachOffer calls each for every attempt at an item, the first one first, with
// all that was offered.
func (r *Reader) EachOffer(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, each func(*catalog.Offer) error) error {
	attempts, err := list(ctx, r, "the attempts at an item", func(s scanner, n *uint32) error { return s.Scan(n) },
		"SELECT attempt FROM offers WHERE agency = $1 AND id = $2 ORDER BY attempt", agency, id.String())
	if err != nil {
		return err
	}
	for _, n := range attempts {
		offer, err := r.Offer(ctx, agency, id, n)
		if err != nil {
			return err
		}
		if err := each(offer); err != nil {
			return err
		}
	}
	return nil
}

// Releases returns the releases of an item, oldest first.
func (r *Reader) Releases(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID) ([]catalog.Release, error) {
	return list(ctx, r, "the releases of an item", func(s scanner, v *catalog.Release) error {
		return s.Scan(&v.Agency, hexInto(v.Item[:]), hexInto(v.Digest[:]), &v.Result, &v.Reason, timeInto{&v.At}, timeInto{&v.ReceivedAt}, &v.Envelope)
	}, `SELECT agency, item, digest, result, reason, at, received_at, envelope FROM releases
		WHERE agency = $1 AND item = $2 ORDER BY received_at, digest LIMIT 1000`, agency, id.String())
}

// DerivativesOf returns what was made of an item and is stored, without statements, in
// the order in which it was made.
func (r *Reader) DerivativesOf(ctx context.Context, agency evidence.AgencyID, original evidence.EvidenceID, limit int) ([]catalog.Item, error) {
	return list(ctx, r, "the derivatives of an item", scanItem, "SELECT "+itemColumns+` FROM items
		WHERE agency = $1 AND original = $2 AND kind = 'derivative' AND state = 'stored' AND destroyed_at = 0 ORDER BY offered_at, id LIMIT $3`, agency, original.String(), page(limit))
}

// DerivativesUnderWay returns derivatives whose making has not come to its end, without
// statements.
func (r *Reader) DerivativesUnderWay(ctx context.Context, limit int) ([]catalog.Item, error) {
	return list(ctx, r, "derivatives under way", scanItem, "SELECT "+itemColumns+` FROM items
		WHERE kind = 'derivative' AND state = 'receiving' ORDER BY offered_at, id LIMIT $1`, page(limit))
}

// ItemsOf returns all items of a camera but derivatives, without statements, by id.
func (r *Reader) ItemsOf(ctx context.Context, agency evidence.AgencyID, camera string) ([]catalog.Item, error) {
	return list(ctx, r, "the items of a camera", scanItem, "SELECT "+itemColumns+" FROM items WHERE agency = $1 AND camera = $2 AND kind <> 'derivative' ORDER BY offered_at, id", agency, clean(camera))
}

// ItemsVanished returns the items, without statements, of the recordings that
// were gone from a camera by a docking: those that the ledger joins by place.
func (r *Reader) ItemsVanished(ctx context.Context, agency evidence.AgencyID, camera string, docking evidence.DockingID) ([]catalog.Item, error) {
	return list(ctx, r, "the items of vanished recordings", scanItem, "SELECT "+itemColumns+` FROM items WHERE agency = $1 AND camera = $2
		AND placed IN (SELECT place FROM shown WHERE agency = $1 AND camera = $2 AND vanished_in = $3) ORDER BY offered_at, id`, agency, clean(camera), docking.String())
}
