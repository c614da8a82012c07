package receive_test

import (
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/proto/upload"
)

func TestBadOrderOfFramesIsRefused(t *testing.T) {
	w := start(t, receive.Options{})
	plain := make([]byte, 3<<20)
	cases := map[string]func(s *receivetest.Stream, r *receivetest.Recording) error{
		"a gap":            func(s *receivetest.Stream, r *receivetest.Recording) error { return s.Send(r, 1, 2) },
		"Finish too early": func(s *receivetest.Stream, r *receivetest.Recording) error { return s.Send(r, 0, 2) },
		"more than offered": func(s *receivetest.Stream, r *receivetest.Recording) error {
			s.Send(r, 0, 3)
			return sendIndex(s, r, 3)
		},
		"an unknown frame": func(s *receivetest.Stream, r *receivetest.Recording) error {
			_, err := s.Write([]byte{99, 0, 0, 0, 0})
			return err
		},
		"a frame too long": func(s *receivetest.Stream, r *receivetest.Recording) error {
			_, err := s.Write([]byte{10, 255, 255, 255, 255})
			return err
		},
		"an empty segment": func(s *receivetest.Stream, r *receivetest.Recording) error {
			_, err := s.Write([]byte{10, 0, 0, 0, 8})
			return err
		},
	}
	for name, misbehave := range cases {
		t.Run(name, func(t *testing.T) {
			w.shelf.clear()
			client := w.connect()
			r := w.dock.Record(t, "A.MP4", plain)
			s, _, err := client.Offer(w.ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			misbehave(s, r)
			if _, err := s.Finish(); code(err) != upload.CodeBadFrame {
				t.Fatalf("got %v, want bad_frame", err)
			}
			if w.shelf.count(func() int { return w.shelf.finished }) != 0 {
				t.Fatal("it was finished")
			}
			// The connection goes on.
			if _, err := client.Ask(&upload.Inventory{Envelope: []byte("{}")}); err != nil {
				t.Fatalf("the connection is of no use any more: %v", err)
			}
		})
	}
}

// What a stripe had carried comes again on a stream that is further on already.
func TestSegmentsMayComeInAnyOrder(t *testing.T) {
	w := start(t, receive.Options{})
	r := w.dock.Record(t, "A.MP4", make([]byte, 3<<20))
	s, _, err := w.connect().Offer(w.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range []uint64{2, 0, 2, 1} {
		if err := s.Send(r, index, index+1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Finish(); err != nil {
		t.Fatal(err)
	}
}

func sendIndex(s *receivetest.Stream, r *receivetest.Recording, index uint64) error {
	return upload.WriteMessage(s, &upload.Data{Index: index, Sealed: r.Sealed[0]})
}

func TestNothingIsAcknowledgedBeforeItIsSynced(t *testing.T) {
	w := start(t, receive.Options{})
	client := w.connect()
	r := w.dock.Record(t, "A.MP4", make([]byte, 20<<20))
	s, _, err := client.Offer(w.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(r, 0, 20); err != nil {
		t.Fatal(err)
	}
	if err := s.Await(20); err != nil { // after a moment of silence, without Finish
		t.Fatal(err)
	}
	w.shelf.mu.Lock()
	if len(w.shelf.synced) != 20 {
		t.Errorf("20 segments are acknowledged, %d synced", len(w.shelf.synced))
	}
	w.shelf.mu.Unlock()
	if _, err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(20) {
		if n := w.shelf.count(func() int { return w.shelf.segments[i] }); n != 1 {
			t.Errorf("segment %d came %d times", i, n)
		}
	}
}

func TestARefusalReachesTheDockThatStillSends(t *testing.T) {
	w := start(t, receive.Options{})
	w.shelf.refuse = &upload.Error{Code: upload.CodeDigestMismatch, Message: "no", Segment: 0}
	client := w.connect()
	if _, err := client.Upload(w.ctx, w.dock.Record(t, "A.MP4", make([]byte, 64<<20))); code(err) != upload.CodeDigestMismatch {
		t.Fatalf("got %v, want digest_mismatch", err)
	}
}

func TestASilentRecordingStreamEnds(t *testing.T) {
	w := start(t, receive.Options{IdleTimeout: 200 * time.Millisecond})
	client := w.connect()
	r := w.dock.Record(t, "A.MP4", make([]byte, 1<<20))
	s, _, err := client.Offer(w.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Await(1); code(err) != upload.CodeRetryLater {
		t.Fatalf("got %v, want retry_later", err)
	}
}

func TestAFrameThatTricklesEnds(t *testing.T) {
	w := start(t, receive.Options{FrameTimeout: 300 * time.Millisecond})
	client := w.connect()
	r := w.dock.Record(t, "A.MP4", make([]byte, 1<<20))
	s, _, err := client.Offer(w.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte{10, 0, 16, 0, 40, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if err := s.Await(1); code(err) != upload.CodeRetryLater {
		t.Fatalf("got %v, want retry_later", err)
	}
}

func TestADockThatFillsItsShareDoesNotStopOthers(t *testing.T) {
	w := start(t, receive.Options{MemoryPerDock: 1, Memory: 1}) // one frame of the longest kind
	hold := make(chan struct{})
	w.shelf.block = hold
	client := w.connect()
	r := w.dock.Record(t, "A.MP4", make([]byte, 32<<20))
	s, _, err := client.Offer(w.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() { sent <- s.Send(r, 0, 32) }()
	other, err := receivetest.Connect(w.ctx, w.address, w.tls("back-door"), w.hello("back-door"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Ask(&upload.Inventory{Envelope: []byte("{}")}); err != nil {
		t.Fatalf("another dock's inventory: %v", err)
	}
	w.shelf.mu.Lock()
	taken := len(w.shelf.segments)
	w.shelf.mu.Unlock()
	if taken > 8 {
		t.Errorf("%d segments were taken while the first was held", taken)
	}
	close(hold)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if _, err := s.Finish(); err != nil {
		t.Fatal(err)
	}
}

func TestANewerStreamEndsTheOlderOne(t *testing.T) {
	w := start(t, receive.Options{})
	client := w.connect()
	s, _, err := client.Offer(w.ctx, w.dock.Record(t, "A.MP4", make([]byte, 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	close(w.shelf.stop)
	if err := s.Await(1); code(err) != upload.CodeRetryLater {
		t.Fatalf("got %v, want retry_later", err)
	}
}
