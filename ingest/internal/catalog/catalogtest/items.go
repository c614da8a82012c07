package catalogtest

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func itemsKeepEveryField(s suite) {
	want := s.insert(NewItem(1, s.clock.Now()))
	if got := s.item(want.ID); !reflect.DeepEqual(got, want) {
		s.Fatalf("got  %+v\nwant %+v", got, want)
	}
	bare := NewItem(2, s.clock.Now())
	bare.StartedAt, bare.EndedAt, bare.Marks, bare.Officer = time.Time{}, time.Time{}, []string{}, ""
	bare.CorrectedAt, bare.Uncertainty, bare.Wearer, bare.WearerID = time.Time{}, 0, "", ""
	bare.Sequence, bare.SequenceSource, bare.Confirmed, bare.Urgent, bare.Placed = 0, "", "", false, evidence.Digest{}
	bare.Length, bare.Attempt, bare.Encoding, bare.Encoded = evidence.MaxLength, 1<<32-1, evidence.EncodedAsIs, 0
	s.insert(bare)
	if got := s.item(bare.ID); !reflect.DeepEqual(got, bare) {
		s.Fatalf("got  %+v\nwant %+v", got, bare)
	}
	_, err := s.db.Item(s.Context(), Agency, evidence.EvidenceID{0xff})
	s.isError(err, catalog.ErrNotFound)
}

func oneItemPerRecording(s suite) {
	first := s.insert(NewItem(1, s.clock.Now()))
	s.refused(catalog.ErrExists, func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertItem(ctx, first) })
	again := NewItem(1, s.clock.Now())
	again.ID = evidence.EvidenceID{9}
	s.refused(catalog.ErrExists, func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertItem(ctx, again) })

	found, err := s.db.FindRecording(s.Context(), Agency, first.Camera, first.Path, first.SHA256)
	s.must(err)
	is(s, "the item of the recording", found.ID, first.ID)

	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		if err := tx.SupersedeItem(ctx, Agency, first.ID, "read anew"); err != nil {
			return err
		}
		return tx.InsertItem(ctx, again)
	})
	found, err = s.db.FindRecording(s.Context(), Agency, first.Camera, first.Path, first.SHA256)
	s.must(err)
	is(s, "the item of the recording", found.ID, again.ID)
	is(s, "the state of the first", s.item(first.ID).State, catalog.StateSuperseded)

	other := NewItem(1, s.clock.Now())
	other.ID, other.SHA256 = evidence.EvidenceID{10}, evidence.SHA256([]byte("other content"))
	s.insert(other) // the same name with other content is another recording
}

func itemStates(s suite) {
	item := s.insert(NewItem(1, s.clock.Now()))
	set := func(segments uint64) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.SetDurableSegments(ctx, Agency, item.ID, 1, segments)
		}
	}
	storing := func(attempt uint32) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.StoreItem(ctx, Agency, item.ID, attempt, 1, s.clock.Now())
		}
	}
	prove := func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.MarkProven(ctx, Agency, item.ID, s.clock.Now())
	}
	s.update(set(5))
	is(s, "durable segments", s.item(item.ID).DurableSegments, 5)
	s.refused(catalog.ErrConflict, prove)
	s.refused(catalog.ErrConflict, storing(2))
	s.store(item)
	got := s.item(item.ID)
	is(s, "state", got.State, catalog.StateStored)
	is(s, "stored at", got.StoredAt, s.clock.Now())
	is(s, "proven at", got.ProvenAt, s.clock.Now())
	s.refused(catalog.ErrConflict, storing(1))
	s.refused(catalog.ErrConflict, set(6))
	s.refused(catalog.ErrConflict, func(ctx context.Context, tx *sqldb.Tx) error { return tx.SupersedeItem(ctx, Agency, item.ID, "x") })
	s.clock.Advance(time.Hour)
	s.update(prove)
	is(s, "proven at", s.item(item.ID).ProvenAt, s.clock.Now())
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QuarantineItem(ctx, Agency, item.ID, 1, "segment 3 is damaged")
	})
	got = s.item(item.ID)
	is(s, "state", got.State, catalog.StateQuarantined)
	is(s, "reason", got.Reason, "segment 3 is damaged")
	s.refused(catalog.ErrConflict, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QuarantineItem(ctx, Agency, evidence.EvidenceID{3}, 1, "x")
	})
}

func laterAttempt(s suite) {
	first := s.insert(NewItem(1, s.clock.Now()))
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QuarantineItem(ctx, Agency, first.ID, 1, "leaf 0 differs")
	})
	second := NewItem(1, s.clock.Now().Add(time.Minute))
	second.Attempt, second.Header, second.SHA256 = 2, []byte("another header"), evidence.SHA256([]byte("second reading"))
	again := func(ctx context.Context, tx *sqldb.Tx) error { return tx.NewAttempt(ctx, second) }
	s.update(again)
	if got := s.item(first.ID); !reflect.DeepEqual(got, second) {
		s.Fatalf("got  %+v\nwant %+v", got, second)
	}
	s.refused(catalog.ErrConflict, again)
	var headers []string
	s.must(s.db.EachOffer(s.Context(), Agency, first.ID, func(o *catalog.Offer) error {
		headers = append(headers, string(o.Header))
		return nil
	}))
	if !slices.Equal(headers, []string{"header", "another header"}) {
		s.Fatalf("headers of the attempts: %q", headers)
	}
	s.store(second)
	third := NewItem(1, s.clock.Now())
	third.Attempt = 3
	retry := func(ctx context.Context, tx *sqldb.Tx) error { return tx.NewAttempt(ctx, third) }
	s.refused(catalog.ErrConflict, retry)

	// Stored, later found damaged, and read from the camera once more.
	receipt := func(attempt uint32, text string) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.SetReceipt(ctx, Agency, first.ID, attempt, 5, []byte(text))
		}
	}
	s.update(receipt(2, "of the second attempt"))
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QuarantineItem(ctx, Agency, first.ID, 2, "damaged on the medium")
	})
	s.update(retry)
	if got := s.item(first.ID); !reflect.DeepEqual(got, third) {
		s.Fatalf("got  %+v\nwant %+v", got, third)
	}
	s.store(third)
	s.update(receipt(3, "of the third attempt"))
	is(s, "receipt", string(s.item(first.ID).Receipt), "of the third attempt")
}

func receiptOnce(s suite) {
	item := s.insert(NewItem(1, s.clock.Now()))
	receipt := func(text string) func(ctx context.Context, tx *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.SetReceipt(ctx, Agency, item.ID, 1, 42, []byte(text))
		}
	}
	s.refused(catalog.ErrConflict, receipt("early"))
	s.store(item)
	waiting, err := s.db.ItemsAwaitingReceipt(s.Context(), 10)
	s.must(err)
	is(s, "items without receipt", len(waiting), 1)
	s.update(receipt("the receipt"))
	s.update(receipt("the receipt"))
	s.refused(catalog.ErrExists, receipt("another"))
	got := s.item(item.ID)
	is(s, "receipt", string(got.Receipt), "the receipt")
	is(s, "log index", got.EventIndex, 42)
	waiting, err = s.db.ItemsAwaitingReceipt(s.Context(), 10)
	s.must(err)
	is(s, "items without receipt", len(waiting), 0)
}

func releases(s suite) {
	item := s.insert(NewItem(1, s.clock.Now()))
	s.store(item)
	release := func(text string, result evidence.ReleaseResult) bool {
		var fresh bool
		s.update(func(ctx context.Context, tx *sqldb.Tx) (err error) {
			fresh, err = tx.InsertRelease(ctx, &catalog.Release{Agency: Agency, Item: item.ID, Digest: evidence.SHA256([]byte(text)), Result: result,
				Reason: text, At: s.clock.Now(), ReceivedAt: s.clock.Now(), Envelope: []byte(text)})
			return err
		})
		return fresh
	}
	is(s, "a new release", release("camera busy", evidence.ReleaseFailed), true)
	is(s, "result", s.item(item.ID).ReleaseResult, evidence.ReleaseFailed)
	is(s, "erased", s.item(item.ID).ErasedAt.IsZero(), true)
	s.clock.Advance(time.Second)
	erased := s.clock.Now()
	is(s, "a new release", release("gone", evidence.ReleaseErased), true)
	is(s, "the same release", release("gone", evidence.ReleaseErased), false)
	s.clock.Advance(time.Second)
	is(s, "a late release", release("not there", evidence.ReleaseFailed), true)
	got := s.item(item.ID)
	is(s, "result", got.ReleaseResult, evidence.ReleaseErased)
	is(s, "erased at", got.ErasedAt, erased)
	all, err := s.db.Releases(s.Context(), Agency, item.ID)
	s.must(err)
	is(s, "releases", len(all), 3)
	is(s, "the first envelope", string(all[0].Envelope), "camera busy")
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.InsertRelease(ctx, &catalog.Release{Agency: Agency, Item: evidence.EvidenceID{1}, Digest: evidence.Digest{1}})
		return err
	})
}

func siblings(s suite) {
	video := NewItem(1, s.clock.Now())
	sidecar := NewItem(2, s.clock.Now())
	sidecar.Camera, sidecar.Path, sidecar.Kind = video.Camera, "DCIM/100/CLIP000001.JSON", evidence.KindMetadata
	foreign := NewItem(3, s.clock.Now())
	foreign.Path = "DCIM/100/CLIP000001.JSON" // of another camera
	s.insert(video, sidecar, foreign)
	for _, pair := range [][2]*catalog.Item{{video, sidecar}, {sidecar, video}} {
		found, err := s.db.Siblings(s.Context(), pair[0])
		s.must(err)
		if len(found) != 1 || found[0].ID != pair[1].ID {
			s.Errorf("siblings of %s: %d", pair[0].Path, len(found))
		}
	}
}

func eachItem(s suite) {
	const n = 450
	var items []*catalog.Item
	for i := range n {
		items = append(items, NewItem(i, s.clock.Now()))
	}
	s.insert(items...)
	seen := map[evidence.EvidenceID]bool{}
	s.must(s.db.EachItem(s.Context(), func(i *catalog.Item) error {
		seen[i.ID] = true
		return nil
	}))
	is(s, "items", len(seen), n)
}

func storedAmong(s suite) {
	var ids []evidence.EvidenceID
	var stored []evidence.EvidenceID
	for i := range 450 { // more than one question asks for
		item := NewItem(i, s.clock.Now())
		ids = append(ids, item.ID)
		if i%150 == 7 {
			s.insert(item)
			s.store(item)
			stored = append(stored, item.ID)
		} else if i%150 == 8 {
			s.insert(item) // on its way
		}
	}
	got, err := s.db.StoredAmong(s.Context(), Agency, ids)
	s.must(err)
	slices.SortFunc(got, func(a, b evidence.EvidenceID) int { return slices.Compare(a[:], b[:]) })
	if !slices.Equal(got, stored) {
		s.Errorf("stored among them: %v, want %v", got, stored)
	}
	theirs, err := s.db.StoredAmong(s.Context(), "county", ids)
	s.must(err)
	is(s, "in another agency", len(theirs), 0)
	none, err := s.db.StoredAmong(s.Context(), Agency, nil)
	s.must(err)
	is(s, "of none", len(none), 0)
}

func leastProven(s suite) {
	var all []*catalog.Item
	for n := range 4 {
		item := s.insert(NewItem(n+1, s.clock.Now()))
		if n < 3 {
			s.store(item)
		}
		all = append(all, item)
		s.clock.Advance(time.Hour)
	}
	totals, err := s.db.ProvenTotals(s.Context(), Agency)
	s.must(err)
	is(s, "items", totals.Items, 3)
	is(s, "bytes", totals.Bytes, int64(all[0].Length+all[1].Length+all[2].Length))
	first := s.item(all[0].ID).ProvenAt
	is(s, "oldest", totals.Oldest, first)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.MarkProven(ctx, Agency, all[0].ID, s.clock.Now())
	})
	ids := func(before time.Time, after catalog.Proven, limit int) (ids []evidence.EvidenceID) {
		found, err := s.db.LeastProven(s.Context(), Agency, before, after, limit)
		s.must(err)
		for _, p := range found {
			ids = append(ids, p.ID)
		}
		return ids
	}
	later := s.clock.Now().Add(time.Second)
	is(s, "order", slices.Equal(ids(later, catalog.Proven{}, 9), []evidence.EvidenceID{all[1].ID, all[2].ID, all[0].ID}), true)
	is(s, "those before", slices.Equal(ids(s.clock.Now(), catalog.Proven{}, 9), []evidence.EvidenceID{all[1].ID, all[2].ID}), true)
	page, err := s.db.LeastProven(s.Context(), Agency, later, catalog.Proven{}, 1)
	s.must(err)
	is(s, "length", page[0].Length, all[1].Length)
	is(s, "next page", slices.Equal(ids(later, page[0], 9), []evidence.EvidenceID{all[2].ID, all[0].ID}), true)
	other, err := s.db.LeastProven(s.Context(), "other-pd", later, catalog.Proven{}, 9)
	s.must(err)
	is(s, "of another agency", len(other), 0)
}
