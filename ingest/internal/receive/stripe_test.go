package receive_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/receive"
	"github.com/sealdock/sealdock/ingest/internal/receive/receivetest"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

func (w *world) offer(c *receivetest.Client, r *receivetest.Recording) *receivetest.Stream {
	w.t.Helper()
	s, _, err := c.Offer(w.ctx, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) join(c *receivetest.Client, r *receivetest.Recording) *receivetest.Stream {
	w.t.Helper()
	s, err := c.Join(w.ctx, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestSegmentsTravelOnStripesOfOtherConnections(t *testing.T) {
	w := start(t, receive.Options{})
	r := w.dock.Record(t, "A.MP4", make([]byte, 9<<20))
	s := w.offer(w.connect(), r)
	one, two := w.join(w.connect(), r), w.join(w.connect(), r)
	w.ok(two.Send(r, 6, 9)) // the end of the recording comes first
	w.ok(two.AwaitFrames(3))
	if two.Acked != 0 {
		t.Errorf("%d segments from the first on are acknowledged, and none of them is here", two.Acked)
	}
	w.ok(s.Send(r, 0, 2))
	w.ok(s.AwaitFrames(2))
	w.ok(one.Send(r, 2, 6))
	w.ok(one.End(4))
	w.ok(two.End(3))
	if one.Acked != 9 {
		t.Errorf("%d segments from the first on are acknowledged, want all 9", one.Acked)
	}
	late := w.join(w.connect(), r) // what came before is told to who joins
	if late.Resume != 9 {
		t.Errorf("a later stripe is told of %d segments, want 9", late.Resume)
	}
	if _, err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	w.ok(late.End(0)) // the recording's end ended it in good order
	for i := range uint64(9) {
		if n := w.shelf.count(func() int { return w.shelf.segments[i] }); n != 1 {
			t.Errorf("segment %d came %d times", i, n)
		}
	}
	if traffic := w.live.Traffic(); traffic.Twice != 0 || traffic.Bytes != 9*(1<<20+32) {
		t.Errorf("%d bytes came, %d of them twice", traffic.Bytes, traffic.Twice)
	}
}

func TestAStripeIsToldWhatIsHeldAndWhatComesTwiceIsCounted(t *testing.T) {
	w := start(t, receive.Options{})
	r := w.dock.Record(t, "A.MP4", make([]byte, 5<<20))
	client := w.connect()
	s := w.offer(client, r)
	w.ok(s.Send(r, 0, 1))
	w.ok(s.Send(r, 3, 4))
	w.ok(s.AwaitFrames(2))
	stripe := w.join(client, r)
	for i, want := range []bool{true, false, false, true, false} {
		if stripe.Holds(uint64(i)) != want {
			t.Errorf("segment %d is held: %t", i, !want)
		}
	}
	w.ok(stripe.Send(r, 1, 5))
	w.ok(stripe.End(4)) // the one that came again is acknowledged like the others
	if _, err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	if traffic := w.live.Traffic(); traffic.Twice != 1<<20+32 {
		t.Errorf("%d bytes came twice, want one segment", traffic.Twice)
	}
}

func TestWhoMayJoin(t *testing.T) {
	w := start(t, receive.Options{})
	r := w.dock.Record(t, "A.MP4", make([]byte, 1<<20))
	client := w.connect()
	later := func(who string, c *receivetest.Client) {
		t.Helper()
		_, err := c.Join(w.ctx, r)
		var refused *upload.Error
		if !errors.As(err, &refused) || refused.Code != upload.CodeRetryLater || refused.RetryAfter == 0 || refused.RetryAfter > time.Second {
			t.Errorf("%s: %v, want retry_later within a second", who, err)
		}
	}
	later("before the offer", client)
	s := w.offer(client, r)
	other, err := receivetest.Connect(w.ctx, w.address, w.tls("back-door"), w.hello("back-door"))
	w.ok(err)
	defer other.Close()
	later("another dock", other)
	anew := w.dock.Record(t, "A.MP4", r.Plain, func(m *evidence.Manifest) { m.Evidence, m.Attempt = r.Manifest.Evidence, 2 })
	if _, err := client.Join(w.ctx, anew); code(err) != upload.CodeConflict {
		t.Errorf("another attempt: %v, want conflict", err)
	}
	w.ok(s.Send(r, 0, 1))
	if _, err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	later("after the end", client)
}

func TestAStripeEndsWithItsBrokenRecording(t *testing.T) {
	w := start(t, receive.Options{})
	r := w.dock.Record(t, "A.MP4", make([]byte, 4<<20))
	s := w.offer(w.connect(), r)
	stripe := w.join(w.connect(), r)
	w.ok(stripe.Send(r, 2, 3))
	w.ok(stripe.AwaitFrames(1))
	s.Reset(upload.EndNormal)
	if err := stripe.AwaitFrames(2); code(err) != upload.CodeRetryLater {
		t.Errorf("got %v, want retry_later", err)
	}
}

func TestARecordingOutlivesItsStripes(t *testing.T) {
	w := start(t, receive.Options{})
	r := w.dock.Record(t, "A.MP4", make([]byte, 4<<20))
	s := w.offer(w.connect(), r)
	lane := w.connect()
	stripe := w.join(lane, r)
	w.ok(stripe.Send(r, 3, 4))
	w.ok(stripe.AwaitFrames(1))
	lane.Close()
	w.ok(s.Send(r, 0, 3))
	if _, err := s.Finish(); err != nil {
		t.Fatal(err)
	}
}

func TestASegmentRefusedOnAStripeEndsTheRecordingToo(t *testing.T) {
	w := start(t, receive.Options{})
	w.shelf.refuse = &upload.Error{Code: upload.CodeDigestMismatch, Message: "no", Segment: 1}
	r := w.dock.Record(t, "A.MP4", make([]byte, 2<<20))
	s := w.offer(w.connect(), r)
	stripe := w.join(w.connect(), r)
	w.ok(stripe.Send(r, 1, 2))
	if err := stripe.AwaitFrames(1); code(err) != upload.CodeDigestMismatch {
		t.Errorf("the stripe got %v, want digest_mismatch", err)
	}
	var refused *upload.Error
	if err := s.Await(1); !errors.As(err, &refused) || refused.Code != upload.CodeDigestMismatch || refused.Segment != 1 {
		t.Errorf("the recording got %v, want digest_mismatch of segment 1", err)
	}
}

// What was read whole before a break is written and synced, although nobody is
// there to hear of it.
func TestABreakCostsNoSegmentThatWasReadWhole(t *testing.T) {
	for name, breaks := range map[string]func(c *receivetest.Client, s *receivetest.Stream){
		"the stream is reset":      func(_ *receivetest.Client, s *receivetest.Stream) { s.Reset(upload.EndNormal) },
		"the stream ends":          func(_ *receivetest.Client, s *receivetest.Stream) { s.CloseWrite() },
		"the connection is closed": func(c *receivetest.Client, _ *receivetest.Stream) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, receive.Options{})
			r := w.dock.Record(t, "A.MP4", make([]byte, 3<<20))
			client := w.connect()
			s := w.offer(client, r)
			w.ok(s.Send(r, 0, 2))
			_, err := s.Write([]byte{byte(upload.KindData), 0, 16, 0, 40, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 3}) // begun, not ended
			w.ok(err)
			for w.live.Traffic().Bytes < 2*(1<<20+32) { // both have been read, and are perhaps not yet synced
				runtime.Gosched()
			}
			breaks(client, s)
			for {
				changed := w.live.Changed()
				if len(w.live.Transfers()) == 0 {
					break
				}
				await(t, w, changed)
			}
			if n := w.shelf.count(func() int { return len(w.shelf.synced) }); n != 2 {
				t.Errorf("%d segments are synced, want the 2 that came whole", n)
			}
		})
	}
}

func TestASilentStripeEnds(t *testing.T) {
	w := start(t, receive.Options{IdleTimeout: 200 * time.Millisecond})
	r := w.dock.Record(t, "A.MP4", make([]byte, 1<<20))
	w.offer(w.connect(), r)
	stripe := w.join(w.connect(), r)
	if err := stripe.AwaitFrames(1); code(err) != upload.CodeRetryLater {
		t.Errorf("got %v, want retry_later", err)
	}
}
