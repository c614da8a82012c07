package reading_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

func newStore(t *testing.T) (*readingtest.Store, *auth.Actor) {
	t.Helper()
	s := readingtest.New(t)
	s.Enrol(t, "north", "front-desk")
	return s, s.Actor(t, s.SetUp(t))
}

func TestCopiedBytesAreTheRecordings(t *testing.T) {
	s, actor := newStore(t)
	content := bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyz\n"), 3*seal.SegmentSize/36)
	for _, size := range []int{0, 1, seal.SegmentSize - 1, seal.SegmentSize, seal.SegmentSize + 1, len(content)} {
		item := s.Keep(t, readingtest.Recording{Path: "DCIM/" + strings.Repeat("x", size%100+1), Content: content[:size]})
		footage, err := s.Reading.Play(t.Context(), actor, item.ID)
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(rt *rapid.T) {
			from := rapid.Uint64Range(0, uint64(size)).Draw(rt, "from")
			to := rapid.Uint64Range(from, uint64(size)).Draw(rt, "to")
			var got bytes.Buffer
			if err := footage.Copy(t.Context(), &got, from, to); err != nil {
				rt.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), content[from:to]) {
				rt.Fatalf("%d to %d of %d: other bytes", from, to, size)
			}
		})
		if err := footage.Copy(t.Context(), &bytes.Buffer{}, 0, uint64(size)+1); err == nil {
			t.Errorf("bytes beyond the end of %d were given", size)
		}
		footage.Close()
	}
	if n := s.Blobs.InUse(); n != 0 {
		t.Errorf("%d blobs stay open", n)
	}
}

func TestOneFootageServesSeveralReaders(t *testing.T) {
	s, actor := newStore(t)
	content := bytes.Repeat([]byte("abc"), seal.SegmentSize)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: content})
	footage, err := s.Reading.Play(t.Context(), actor, item.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer footage.Close()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			from := uint64(i) * 100_000
			var got bytes.Buffer
			if err := footage.Copy(t.Context(), &got, from, uint64(len(content))); err != nil || !bytes.Equal(got.Bytes(), content[from:]) {
				t.Errorf("reader %d: %v, %d bytes", i, err, got.Len())
			}
		})
	}
	all.Wait()
}

func TestAnyHarmedBitEndsTheReading(t *testing.T) {
	s, actor := newStore(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: bytes.Repeat([]byte("a"), seal.SegmentSize+100)})
	key := readingtest.Key(item)
	size := int(seal.SealedSize(item.Length))
	for _, offset := range []int{0, 10, seal.HeaderSize - 1, seal.HeaderSize, seal.HeaderSize + 5, seal.HeaderSize + seal.SegmentSize, size - 1} {
		s.Blobs.Harm(key, offset)
		footage, err := s.Reading.Download(t.Context(), actor, item.ID)
		if err == nil {
			var got bytes.Buffer
			err = footage.Copy(t.Context(), &got, 0, item.Length)
			footage.Close()
		}
		if !errors.Is(err, reading.ErrChanged) {
			t.Errorf("a bit at %d was harmed: %v", offset, err)
		}
		s.Blobs.Harm(key, offset) // puts it right again
	}
	footage, err := s.Reading.Download(t.Context(), actor, item.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer footage.Close()
	if err := footage.Copy(t.Context(), &bytes.Buffer{}, 0, item.Length); err != nil {
		t.Errorf("put right again: %v", err)
	}
	if n := s.Blobs.InUse(); n != 1 {
		t.Errorf("%d blobs are open, 1 is right", n)
	}
}

func TestAnotherItemsBlobIsNotThisItem(t *testing.T) {
	s, actor := newStore(t)
	one := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: []byte("one")})
	two := s.Keep(t, readingtest.Recording{Path: "DCIM/2.MP4", Content: []byte("two")})
	blob, err := s.Blobs.Open(t.Context(), readingtest.Key(two))
	if err != nil {
		t.Fatal(err)
	}
	swapped := make([]byte, blob.Size())
	blob.ReadAt(swapped, 0)
	blob.Close()
	s.Blobs.Put(readingtest.Key(one), swapped)
	if _, err := s.Reading.Play(t.Context(), actor, one.ID); !errors.Is(err, reading.ErrChanged) {
		t.Errorf("another item's blob: %v", err)
	}
}

func TestWithoutARecordNothingIsShown(t *testing.T) {
	s, actor := newStore(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: []byte("one")})
	unwritable := *actor
	unwritable.Origin.Address = strings.Repeat("x", evidence.MaxEvent) // too long for any event
	for name, act := range map[string]func() error{
		"view":     func() error { _, err := s.Reading.View(t.Context(), &unwritable, item.ID); return err },
		"events":   func() error { _, err := s.Reading.Events(t.Context(), &unwritable, item.ID); return err },
		"receipt":  func() error { _, err := s.Reading.Receipt(t.Context(), &unwritable, item.ID); return err },
		"play":     func() error { _, err := s.Reading.Play(t.Context(), &unwritable, item.ID); return err },
		"download": func() error { _, err := s.Reading.Download(t.Context(), &unwritable, item.ID); return err },
	} {
		if err := act(); !errors.Is(err, reading.ErrUnrecorded) {
			t.Errorf("%s without a record: %v", name, err)
		}
	}
	if n := s.Blobs.InUse(); n != 0 {
		t.Errorf("%d blobs were opened", n)
	}
	if _, err := s.Reading.Play(t.Context(), actor, item.ID); err != nil { // the failed try is no playing
		t.Fatal(err)
	}
	if n := s.Events(t, evidence.EventEvidencePlayed, evidence.ItemObject(item.ID)); n != 1 {
		t.Errorf("%d playings on record", n)
	}
}

func TestWhoMayNotIsRefusedAndOnRecord(t *testing.T) {
	s, actor := newStore(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: []byte("one")})
	nobody, foreign := *actor, *actor
	nobody.Role, nobody.Powers = "visitor", auth.ShippedPowers("visitor")
	foreign.Agency = "another-agency"
	for who, a := range map[string]*auth.Actor{"visitor": &nobody, "foreign": &foreign, "nobody": nil} {
		_, errView := s.Reading.View(t.Context(), a, item.ID)
		_, errPlay := s.Reading.Play(t.Context(), a, item.ID)
		_, errFile := s.Reading.Download(t.Context(), a, item.ID)
		_, errReceipt := s.Reading.Receipt(t.Context(), a, item.ID)
		_, errList := s.Reading.Items(t.Context(), a, catalog.ItemFilter{}, "", 10)
		_, errWall := s.Reading.Overview(t.Context(), a)
		_, errDocks := s.Reading.Docks(t.Context(), a)
		_, errHeld := s.Reading.HeldBack(t.Context(), a)
		for i, err := range []error{errView, errPlay, errFile, errReceipt, errList, errWall, errDocks, errHeld} {
			if !errors.Is(err, reading.ErrForbidden) {
				t.Errorf("%s, act %d: %v", who, i, err)
			}
		}
	}
	if n := s.Events(t, evidence.EventEvidencePlayed, evidence.ItemObject(item.ID)); n != 2 {
		t.Errorf("%d refused playings on record, 2 were tried", n)
	}
}

func TestOtherAgenciesItemsDoNotExist(t *testing.T) {
	s, actor := newStore(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: []byte("one")})
	page, err := s.Reading.Items(t.Context(), actor, catalog.ItemFilter{Agency: "another-agency"}, "", 10)
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != item.ID {
		t.Errorf("a filter chose the agency: %v, %v", page.Items, err)
	}
	if _, err := s.Reading.View(t.Context(), actor, evidence.EvidenceID{1}); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("an unknown item: %v", err)
	}
}

func TestTheChainSaysWhatIsEqual(t *testing.T) {
	s, actor := newStore(t)
	verdicts := func(item *catalog.Item) string {
		t.Helper()
		v, err := s.Reading.View(t.Context(), actor, item.ID)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, c := range v.Checks {
			all = append(all, string(c.Verdict))
		}
		return strings.Join(all, " ")
	}
	stored := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: []byte("one")})
	if got := verdicts(stored); got != "equal equal equal equal" {
		t.Errorf("a stored item: %s", got)
	}
	if got := verdicts(s.Offer(t, readingtest.Recording{Path: "DCIM/2.MP4", Content: []byte("two")})); got != "equal equal pending pending" {
		t.Errorf("an item on its way: %s", got)
	}
	s.Blobs.Lose(readingtest.Key(stored))
	v, err := s.Reading.View(t.Context(), actor, stored.ID)
	if err != nil || !v.BlobMissing || v.Checks[3].Verdict != reading.Unequal {
		t.Errorf("a lost blob: %+v, %v", v.Checks, err)
	}
	other := s.Keep(t, readingtest.Recording{Path: "DCIM/3.MP4", Dock: "never-enrolled", Station: "north", Content: []byte("three")})
	if got := verdicts(other); got != "unknown unknown equal equal" {
		t.Errorf("a manifest of an unknown key: %s", got)
	}
}

func TestRangesSideBySideAreOnePlaying(t *testing.T) {
	s, actor := newStore(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: []byte("one")})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			footage, err := s.Reading.Play(t.Context(), actor, item.ID)
			if err != nil {
				t.Error(err)
				return
			}
			footage.Close()
		})
	}
	all.Wait()
	if n := s.Events(t, evidence.EventEvidencePlayed, evidence.ItemObject(item.ID)); n != 1 {
		t.Errorf("%d playings on record", n)
	}
}
