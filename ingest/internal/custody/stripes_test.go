package custody_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/proto/evidence"
)

// forgetful is a vault whose medium keeps only what was synced: at a crash,
// segments that no Sync covered are lost.
type forgetful struct {
	vault.Store
	mu              sync.Mutex // guards what follows
	there, unsynced map[uint64]bool
}

func (f *forgetful) Create(ctx context.Context, key vault.Key, header []byte) (vault.Upload, error) {
	u, err := f.Store.Create(ctx, key, header)
	if err != nil {
		return nil, err
	}
	return &forgetfulUpload{Upload: u, medium: f}, nil
}

type forgetfulUpload struct {
	vault.Upload
	medium *forgetful
}

func (u *forgetfulUpload) WriteSegment(index uint64, sealed []byte) error {
	err := u.Upload.WriteSegment(index, sealed)
	u.medium.mu.Lock()
	defer u.medium.mu.Unlock()
	if !u.medium.there[index] { // the same bytes again harm nothing
		u.medium.there[index], u.medium.unsynced[index] = true, true
	}
	return err
}

func (u *forgetfulUpload) Sync() error {
	u.medium.mu.Lock()
	u.medium.unsynced = map[uint64]bool{} // what is written from here on may be missed
	u.medium.mu.Unlock()
	return u.Upload.Sync()
}

// lost returns what a crash takes, and forgets it.
func (f *forgetful) lost() []uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lost []uint64
	for index := range f.unsynced {
		lost = append(lost, index)
		delete(f.there, index)
	}
	f.unsynced = map[uint64]bool{}
	return lost
}

// striped is one recording that comes in by random stripes.
type striped struct {
	*rig
	test   *testing.T
	rt     *rapid.T
	medium *forgetful
	r      *receivetest.Recording

	intake receive.Intake // nil: not offered
	mu     sync.Mutex     // guards acked
	acked  map[uint64]bool
}

// TestAnyOrderAnyStripesAnyBreaks: whatever the order of segments, on however
// many streams, through breaks and crashes that take what was not synced, the
// blob is the recording, and what was acknowledged is never asked again.
func TestAnyOrderAnyStripesAnyBreaks(t *testing.T) {
	g := newRig(t)
	medium := &forgetful{there: map[uint64]bool{}, unsynced: map[uint64]bool{}}
	g.wrap = func(s vault.Store) vault.Store { medium.Store = s; return medium }
	g.crash()
	g.open()
	turn := 0
	rapid.Check(t, func(rt *rapid.T) {
		turn++
		size := rapid.IntRange(0, 5).Draw(rt, "whole segments")<<20 + rapid.SampledFrom([]int{0, 1, 70_000}).Draw(rt, "rest")
		s := &striped{rig: g, test: t, rt: rt, medium: medium, acked: map[uint64]bool{}}
		s.r = g.dock.Record(t, fmt.Sprintf("%d.MP4", turn), bytesOf(fmt.Sprint(turn), size))
		medium.lost()
		clear(medium.there)
		for range rapid.IntRange(0, 3).Draw(rt, "steps") {
			s.offered()
			s.stripes()
			switch rapid.SampledFrom([]string{"goes on", "goes on", "breaks", "crashes"}).Draw(rt, "then") {
			case "breaks":
				s.breaks()
			case "crashes":
				s.crashes()
			}
		}
		s.ends()
	})
	g.sound()
}

// offered opens the recording where it is not open, and compares what the server
// says that it holds with what it has acknowledged.
func (s *striped) offered() {
	if s.intake != nil {
		return
	}
	s.peer.Session++
	admission, err := s.offer(s.peer, s.r)
	if err != nil {
		s.rt.Fatal(err)
	}
	s.intake = admission.Intake
	for index := range s.acked {
		if !s.holds(index) {
			s.rt.Fatalf("segment %d was acknowledged and is asked again", index)
		}
	}
}

func (s *striped) holds(index uint64) bool {
	first := s.intake.Durable().First
	held, at := s.intake.Held(first), index-first
	return index < first || at/8 < uint64(len(held)) && held[at/8]>>(at%8)&1 == 1
}

// stripes sends random segments on random streams, at once.
func (s *striped) stripes() {
	all := uint64(len(s.r.Sealed))
	var streams sync.WaitGroup
	for range rapid.IntRange(1, 4).Draw(s.rt, "stripes") {
		indices := rapid.SliceOfN(rapid.Uint64Range(0, all-1), 0, 4).Draw(s.rt, "segments")
		slices.Sort(indices)
		syncs := rapid.Bool().Draw(s.rt, "syncs")
		streams.Go(func() { s.stripe(slices.Compact(indices), syncs) })
	}
	streams.Wait()
}

func (s *striped) stripe(indices []uint64, syncs bool) {
	for _, index := range indices {
		if _, err := s.intake.Segment(s.t.Context(), index, s.r.Sealed[index]); err != nil {
			s.t.Error(err)
			return
		}
	}
	if !syncs {
		return
	}
	come, err := s.intake.Sync(s.t.Context())
	if err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, index := range indices {
		s.acked[index] = true
	}
	for index := range come.First {
		s.acked[index] = true
	}
}

// breaks ends the streams; the server lives on.
func (s *striped) breaks() {
	if err := s.intake.Close(); err != nil {
		s.rt.Fatal(err)
	}
	s.intake = nil
	if lost := s.medium.lost(); len(lost) > 0 {
		s.rt.Fatalf("after the break segments %v are not synced", lost)
	}
}

// crashes ends the server, loses what was not synced, and starts it again.
func (s *striped) crashes() {
	s.crash()
	s.intake.Close() // as the end of the process would, without a sync
	s.intake = nil
	for _, index := range s.medium.lost() {
		spoil(s.test, s.dir, s.r, int64(len(s.r.Offer.Header))+int64(index)*vault.SealedSegment+20)
	}
	s.open()
}

// ends sends what is missing and demands the receipt, once and again.
func (s *striped) ends() {
	s.offered()
	for index := range uint64(len(s.r.Sealed)) {
		if s.holds(index) {
			continue
		}
		if _, err := s.intake.Segment(s.t.Context(), index, s.r.Sealed[index]); err != nil {
			s.rt.Fatal(err)
		}
	}
	receipt, err := s.intake.Finish(s.t.Context(), func(receive.Stage) {})
	if err := errors.Join(err, s.intake.Close()); err != nil {
		s.rt.Fatal(err)
	}
	s.checkStored(s.r, receipt)
	again, err := s.deliver(s.peer, s.r)
	if err != nil || string(again) != string(receipt) {
		s.rt.Fatalf("offering once more gave another answer: %v", err)
	}
	if n := s.events(evidence.EventEvidenceStored, evidence.ItemObject(s.r.Manifest.Evidence)); n != 1 {
		s.rt.Fatalf("%d events say that it is stored", n)
	}
}

// TestATakeoverProvesNothingTwice: what this process has written and synced is
// believed at a takeover; after a restart it is proven.
func TestATakeoverProvesNothingTwice(t *testing.T) {
	g := newRig(t)
	r := g.dock.Record(t, "A.MP4", bytesOf("footage", 6<<20))
	begin := func() receive.Intake {
		g.peer.Session++
		admission, err := g.offer(g.peer, r)
		g.check(err)
		return admission.Intake
	}
	in := begin()
	for _, i := range []uint64{0, 1, 4} {
		_, err := in.Segment(t.Context(), i, r.Sealed[i])
		g.check(err)
	}
	g.check(in.Close()) // syncs
	spoil(t, g.dir, r, int64(len(r.Offer.Header))+vault.SealedSegment+20)
	in = begin()
	if got := in.Durable(); got != (receive.Durable{First: 2, All: 3}) {
		t.Errorf("the takeover goes on from %+v: it has looked at the medium", got)
	}
	g.check(in.Close())
	g.crash()
	g.open()
	in = begin()
	if got := in.Durable(); got != (receive.Durable{First: 1, All: 2}) {
		t.Errorf("the restart goes on from %+v, which it cannot know", got)
	}
	g.check(in.Close())
	receipt, err := g.deliver(g.peer, r)
	g.check(err)
	g.checkStored(r, receipt)
}

// TestEventsTellWhatTheConnectionRanOver: with the offer and with the storage.
func TestEventsTellWhatTheConnectionRanOver(t *testing.T) {
	g := newRig(t)
	g.peer.Transport, g.peer.KeyExchange, g.peer.CipherSuite = "tcp", "X25519MLKEM768", "TLS_AES_128_GCM_SHA256"
	r := g.dock.Record(t, "A.MP4", bytesOf("footage", 1000))
	receipt, err := g.deliver(g.peer, r)
	g.check(err)
	g.checkStored(r, receipt)
	for _, kind := range []evidence.EventType{evidence.EventManifestReceived, evidence.EventEvidenceStored} {
		rows, err := g.db.Events(t.Context(), catalog.EventFilter{Agency: "springfield", Type: kind, Object: evidence.ItemObject(r.Manifest.Evidence)}, 0)
		g.check(err)
		if len(rows) != 1 {
			t.Fatalf("%d events %s", len(rows), kind)
		}
		for _, want := range []string{`"transport":"tcp"`, `"key_exchange":"X25519MLKEM768"`, `"cipher_suite":"TLS_AES_128_GCM_SHA256"`} {
			if !strings.Contains(string(rows[0].JSON), want) {
				t.Errorf("%s does not say %s: %s", kind, want, rows[0].JSON)
			}
		}
	}
}
