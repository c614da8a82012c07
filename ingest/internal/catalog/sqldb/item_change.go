package sqldb

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// InsertItem adds an offered item in state receiving, whatever state it says.
// catalog.ErrExists when the id, or a receiving or stored item of the same
// recording, is there.
func (tx *Tx) InsertItem(ctx context.Context, item *catalog.Item) error {
	values, err := itemValues(item)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("adding item %s", item.ID)
	_, err = tx.change(ctx, what, `INSERT INTO items (agency, id, state, `+itemFacts+`)
		VALUES ($1, $2, 'receiving', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,
		$27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, 1)`, values...)
	if err != nil {
		return err
	}
	return tx.insertOffer(ctx, item)
}

// itemFacts are the columns that an offer sets, in the order of itemValues; the last is 1.
const itemFacts = `attempt, dock, station, bay, docking, camera, camera_model, path, kind, length, sha256, merkle_root,
	officer, officer_id, category, started_at, ended_at, marks, offered_at, recorded_at, manifest_digest, recording_key, stem_key, search,
	corrected_at, uncertainty, wearer, wearer_id, wearer_search, sequence, sequence_source, confirmed, urgent, placed, encoding, encoded, original, worded`

// itemValues returns agency, id, and a value for each of itemFacts.
func itemValues(i *catalog.Item) ([]any, error) {
	marks := i.Marks
	if marks == nil {
		marks = []string{}
	}
	marked, err := json.Marshal(marks)
	if err != nil {
		return nil, fmt.Errorf("keeping the marks of item %s: %w", i.ID, err)
	}
	recorded := firstTime(i.CorrectedAt, i.StartedAt, i.OfferedAt)
	return []any{i.Agency, i.ID.String(), i.Attempt, i.Dock, i.Station, clean(i.Bay), i.Docking.String(), clean(i.Camera), clean(i.CameraModel),
		clean(i.Path), i.Kind, int64(i.Length), i.SHA256.String(), i.MerkleRoot.String(),
		clean(i.Officer), clean(i.OfficerID), clean(i.Category), micros(i.StartedAt), micros(i.EndedAt), clean(string(marked)),
		micros(i.OfferedAt), micros(recorded), i.ManifestDigest.String(),
		recordingKey(i.Camera, i.Path, i.SHA256), stemKey(i.Camera, i.Path), wordText(itemWords(i)),
		micros(i.CorrectedAt), i.Uncertainty.Microseconds(), clean(i.Wearer), clean(i.WearerID), wordText(wearerWords(i.Wearer, i.WearerID)), number(i.Sequence), i.SequenceSource, i.Confirmed, flag(i.Urgent), i.Placed.String(), i.Encoding, int64(i.Encoded), i.Original.String()}, nil
}

func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func (tx *Tx) insertOffer(ctx context.Context, i *catalog.Item) error {
	if err := tx.notRetired(ctx, i.Agency, i.AgencyKey); err != nil {
		return fmt.Errorf("keeping the offer of item %s: %w", i.ID, err)
	}
	_, err := tx.change(ctx, fmt.Sprintf("keeping the offer of item %s", i.ID),
		`INSERT INTO offers (agency, id, attempt, offered_at, manifest_digest, manifest, leaves, header, wrapped_key, agency_key)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		i.Agency, i.ID.String(), i.Attempt, micros(i.OfferedAt), i.ManifestDigest.String(), some(i.Manifest), some(i.Leaves), some(i.Header), some(i.WrappedKey), i.AgencyKey)
	return err
}

// some keeps an empty value from becoming NULL.
func some(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// NewAttempt replaces a receiving, quarantined or superseded item by a later
// reading of its recording, in state receiving. The earlier offer stays, see
// Offer. catalog.ErrConflict when the item is stored, missing, or of this or a
// later attempt; catalog.ErrExists as InsertItem.
func (tx *Tx) NewAttempt(ctx context.Context, item *catalog.Item) error {
	values, err := itemValues(item)
	if err != nil {
		return err
	}
	before, err := tx.ItemRow(ctx, item.Agency, item.ID)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	err = tx.exec(ctx, fmt.Sprintf("beginning attempt %d at item %s", item.Attempt, item.ID), catalog.ErrConflict,
		`UPDATE items SET (state, reason, durable_segments, stored_at, proven_at, mirrored_at, event_id, event_index, `+itemFacts+`) =
		('receiving', '', 0, 0, 0, 0, 0, -1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,
		$27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, 1)
		WHERE agency = $1 AND id = $2 AND state <> 'stored' AND attempt < $3`, values...)
	if err != nil {
		return err
	}
	if before.Annotated > 0 { // what people added stays, beside what the new reading claims
		again := *item
		again.Annotated = before.Annotated
		if err := tx.setAnnotation(ctx, &again, &before.Annotation, before.Annotated); err != nil {
			return err
		}
	}
	return tx.insertOffer(ctx, item)
}

// SetDurableSegments notes how many segments of a receiving item are durable.
// It is a hint for people and restarts: the blob itself is what counts.
func (tx *Tx) SetDurableSegments(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, segments uint64) error {
	return tx.exec(ctx, fmt.Sprintf("noting the durable segments of item %s", id), catalog.ErrConflict,
		"UPDATE items SET durable_segments = $4 WHERE agency = $1 AND id = $2 AND attempt = $3 AND state = 'receiving'",
		agency, id.String(), attempt, int64(segments))
}

// StoreItem makes a receiving item stored and proven at the same time. event is
// the row of its evidence.stored event, appended in the same transaction.
// catalog.ErrConflict when the item is in another state or attempt.
func (tx *Tx) StoreItem(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, event int64, at time.Time) error {
	return tx.exec(ctx, fmt.Sprintf("storing item %s", id), catalog.ErrConflict,
		`UPDATE items SET state = 'stored', stored_at = $4, proven_at = $4, event_id = $5
		WHERE agency = $1 AND id = $2 AND attempt = $3 AND state = 'receiving'`,
		agency, id.String(), attempt, micros(at), event)
}

// SetReceipt keeps the receipt of a stored item. Doing it again with the same
// bytes changes nothing. catalog.ErrConflict when the item is not stored in
// this attempt; catalog.ErrExists when it has another receipt, which stays.
func (tx *Tx) SetReceipt(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, logIndex int64, receipt []byte) error {
	what := fmt.Sprintf("keeping the receipt of item %s", id)
	n, err := tx.change(ctx, what, `UPDATE items SET event_index = $4
		WHERE agency = $1 AND id = $2 AND attempt = $3 AND state = 'stored' AND event_index = -1`, agency, id.String(), attempt, logIndex)
	if err != nil {
		return err
	}
	if n == 0 {
		var kept []byte
		err := tx.one(ctx, what, func(s scanner) error { return s.Scan(&kept) },
			"SELECT receipt FROM receipts WHERE agency = $1 AND id = $2 AND attempt = $3", agency, id.String(), attempt)
		if err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return err
		}
		switch {
		case err != nil:
			return fmt.Errorf("%s: the item %w", what, catalog.ErrConflict)
		case string(kept) != string(receipt):
			return fmt.Errorf("%s: another one %w", what, catalog.ErrExists)
		}
		return nil
	}
	_, err = tx.change(ctx, what, "INSERT INTO receipts (agency, id, attempt, receipt) VALUES ($1, $2, $3, $4)", agency, id.String(), attempt, receipt)
	return err
}

// QuarantineItem puts an item into quarantine for a reason. A stored item may
// come there too: when its bytes are found damaged later.
// catalog.ErrConflict when the attempt is another one or it is superseded.
func (tx *Tx) QuarantineItem(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, reason string) error {
	return tx.exec(ctx, fmt.Sprintf("quarantining item %s", id), catalog.ErrConflict,
		"UPDATE items SET state = 'quarantined', reason = $4 WHERE agency = $1 AND id = $2 AND attempt = $3 AND state <> 'superseded' AND destroyed_at = 0",
		agency, id.String(), attempt, clean(reason))
}

// SupersedeItem gives up a receiving item because another one took its
// recording over. catalog.ErrConflict when it is not receiving.
func (tx *Tx) SupersedeItem(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, reason string) error {
	return tx.exec(ctx, fmt.Sprintf("superseding item %s", id), catalog.ErrConflict,
		"UPDATE items SET state = 'superseded', reason = $3 WHERE agency = $1 AND id = $2 AND state = 'receiving'",
		agency, id.String(), clean(reason))
}

// HealItem makes an item stored again that was, and went into quarantine since, and
// notes that its bytes were re-read and found right. catalog.ErrConflict when it is in
// another state or attempt, or was never stored; catalog.ErrExists when its recording
// was stored as another item in the meantime.
func (tx *Tx) HealItem(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, at time.Time) error {
	return tx.exec(ctx, fmt.Sprintf("healing item %s", id), catalog.ErrConflict,
		"UPDATE items SET state = 'stored', reason = '', proven_at = $4 WHERE agency = $1 AND id = $2 AND attempt = $3 AND state = 'quarantined' AND event_id <> 0 AND destroyed_at = 0",
		agency, id.String(), attempt, micros(at))
}

// MarkProven notes that the stored bytes were re-read and found right.
// catalog.ErrConflict when the item is not stored.
func (tx *Tx) MarkProven(ctx context.Context, agency evidence.AgencyID, id evidence.EvidenceID, at time.Time) error {
	return tx.exec(ctx, fmt.Sprintf("marking item %s proven", id), catalog.ErrConflict,
		"UPDATE items SET proven_at = $3 WHERE agency = $1 AND id = $2 AND state = 'stored' AND destroyed_at = 0", agency, id.String(), micros(at))
}

// InsertRelease keeps a release and notes its result at the item; an erasure
// once noted stays. The same statement again changes nothing and returns
// false. catalog.ErrNotFound when there is no such item.
func (tx *Tx) InsertRelease(ctx context.Context, r *catalog.Release) (bool, error) {
	n, err := tx.change(ctx, fmt.Sprintf("keeping a release of item %s", r.Item),
		`INSERT INTO releases (agency, digest, item, result, reason, at, received_at, envelope)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (agency, digest) DO NOTHING`,
		r.Agency, r.Digest.String(), r.Item.String(), r.Result, clean(r.Reason), micros(r.At), micros(r.ReceivedAt), some(r.Envelope))
	if err != nil || n == 0 {
		return false, err
	}
	var erased int64
	if r.Result == evidence.ReleaseErased {
		erased = micros(r.At)
	}
	n, err = tx.change(ctx, fmt.Sprintf("noting the release of item %s", r.Item),
		`UPDATE items SET erased_at = $3, release_result = $4, release_reason = $5 WHERE agency = $1 AND id = $2 AND erased_at = 0`,
		r.Agency, r.Item.String(), erased, r.Result, clean(r.Reason))
	if err != nil || n == 1 {
		return true, err
	}
	_, err = tx.ItemRow(ctx, r.Agency, r.Item)
	return err == nil, err
}

// recordingKey stands for (camera, path, SHA-256) in the index that keeps a
// recording from being stored twice.
func recordingKey(camera, path string, sum evidence.Digest) string {
	return fingerprint(camera, path, string(sum[:]))
}

// stemKey stands for (camera, path without extension).
func stemKey(camera, name string) string {
	return fingerprint(camera, strings.TrimSuffix(name, path.Ext(name)))
}

// fingerprint is the SHA-256 over texts, each with its length before it.
func fingerprint(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(t))))
		h.Write([]byte(t))
	}
	return evidence.Digest(h.Sum(nil)).String()
}
