package upload

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/tlog/tlogtest"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// put spools one recording as offload does.
func (s *station) put(path string, data []byte) spool.Recording {
	s.t.Helper()
	source := spool.Source{Serial: "CAM-1", Path: path, Size: uint64(len(data)), Captured: "20261101T100000"}
	rec, err := s.spool.Add(s.t.Context(), source, evidence.NewDockingID(), "1-1")
	if err != nil {
		s.t.Fatal(err)
	}
	return s.seal(rec, data)
}

// seal makes the next attempt of a recording's copy.
func (s *station) seal(rec spool.Recording, data []byte) spool.Recording {
	s.t.Helper()
	ok := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	w, err := s.spool.Begin(s.t.Context(), rec.Evidence, rec.Docking, "1-1", uint64(len(data)))
	ok(err)
	key, err := seal.NewKey()
	ok(err)
	associated := seal.AAD("riverton", rec.Evidence, w.Attempt())
	wrapped, err := seal.Wrap(s.server.private.Public(), key, associated)
	ok(err)
	sealer, err := seal.NewSealer(key, associated)
	ok(err)
	ok(w.Header(sealer.Header()))
	var leaves []evidence.Digest
	n := evidence.LeafCount(uint64(len(data)))
	for i := range n {
		plain := data[i*evidence.LeafSize : min((i+1)*evidence.LeafSize, uint64(len(data)))]
		leaves = append(leaves, evidence.LeafHash(plain))
		sealed, err := sealer.Seal(nil, plain, i, i == n-1)
		ok(err)
		ok(w.Segment(sealed))
	}
	m := evidence.Manifest{
		Version: 1, Agency: "riverton", Station: "north", Dock: "front-desk", Bay: "1-1", Docking: rec.Docking, Evidence: rec.Evidence, Attempt: w.Attempt(),
		Camera: evidence.CameraInfo{Serial: rec.Source.Serial}, Recording: evidence.RecordingInfo{Path: rec.Source.Path, Kind: evidence.KindVideo},
		Length: uint64(len(data)), SHA256: evidence.SHA256(data), MerkleRoot: evidence.MerkleRoot(leaves), Confirmed: evidence.ConfirmedByReread,
		Clocks: evidence.Clocks{DockStart: time.Now().UTC(), DockEnd: time.Now().UTC()}, Agent: "test",
	}
	payload, err := evidence.Encode(&m)
	ok(err)
	envelope, err := s.key.Sign(evidence.TypeManifest, payload)
	ok(err)
	ok(w.Commit(s.t.Context(), spool.Sealed{Length: m.Length, SHA256: m.SHA256, MerkleRoot: m.MerkleRoot, Leaves: leaves, Manifest: envelope.Marshal(), WrappedKey: wrapped}))
	rec, err = s.spool.Get(s.t.Context(), rec.Evidence)
	ok(err)
	return rec
}

func (s *station) until(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	for !ok() {
		tick := time.NewTimer(10 * time.Millisecond)
		select {
		case <-deadline:
			s.t.Fatalf("never came true: %s; the uploader says: %s", what, s.up.State().Message)
		case <-tick.C:
		}
	}
}

func (s *station) state(rec spool.Recording) spool.Recording {
	s.t.Helper()
	r, err := s.spool.Get(s.t.Context(), rec.Evidence)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *station) is(rec spool.Recording, state spool.State) func() bool {
	return func() bool { return s.state(rec).State == state }
}

func (s *station) copies() int {
	files, _ := filepath.Glob(filepath.Join(s.spool.Dir(), "recordings", "*"))
	return len(files)
}

func noise(seed byte, n int) []byte {
	b := bytes.Repeat([]byte{seed, 1, 2, 3, 5, 7, 11}, n/7+1)[:n]
	for i := 0; i < n; i += 4096 {
		b[i] = byte(i >> 12)
	}
	return b
}

const mib = 1 << 20

func TestEverySpooledRecordingArrivesAndItsReceiptIsKept(t *testing.T) {
	s := newStation(t)
	var all []spool.Recording
	var want [][]byte
	for i, n := range []int{0, 1, mib, mib + 1, 5*mib + 77, 3, 2 * mib, 12 * mib} {
		want = append(want, noise(byte(i), n))
		all = append(all, s.put(fmt.Sprintf("REC%d.MP4", i), want[i]))
	}
	s.run()
	for i, rec := range all {
		s.until("received", s.is(rec, spool.StateReceived))
		s.server.set(func() {
			if !bytes.Equal(s.server.plain[rec.Evidence], want[i]) {
				t.Errorf("%s arrived wrong", rec.Source.Path)
			}
		})
		if r := s.state(rec); len(r.Receipt) == 0 || r.ReceiptItem != rec.Evidence || r.ReceiptDigest.IsZero() || len(r.WrappedKey) != 0 {
			t.Errorf("row of %s: %+v", rec.Source.Path, r)
		}
	}
	s.until("no copy is left in the spool", func() bool { return s.copies() == 0 })
	// Forecasts go by it: a receipt stands for the last acknowledgement.
	if have := s.up.State().Carried; have != uint64(len(bytes.Join(want, nil))) {
		t.Errorf("%d bytes are told to be carried, of %d", have, len(bytes.Join(want, nil)))
	}
	if text, err := os.ReadFile(filepath.Join(s.spool.Dir(), "checkpoints")); err != nil || !strings.HasPrefix(string(text), origin+"\n") {
		t.Errorf("checkpoints: %q, %v", text, err)
	}
}

// A broken stream, a broken session and a restarted server cost no segment that
// the server had acknowledged.
func TestBrokenTransfersGoOnWhereTheServerIs(t *testing.T) {
	for _, how := range []string{"stream", "session"} {
		t.Run(how, func(t *testing.T) {
			s := newStation(t)
			data := noise(1, 9*mib)
			rec := s.put("A.MP4", data)
			broken := 0
			s.server.onSegment = func(m *evidence.Manifest, index uint64) error {
				if broken < 3 && index == uint64(2+2*broken) {
					broken++
					if how == "session" {
						s.server.listener.Close()
						s.server.listen(s.server.address)
					}
					return errors.New("broken off")
				}
				return nil
			}
			s.run()
			s.until("received", s.is(rec, spool.StateReceived))
			s.server.set(func() {
				if s.server.sent != 9 || broken != 3 {
					t.Errorf("%d segments were taken over %d breaks, want 9 over 3", s.server.sent, broken)
				}
			})
		})
	}
}

func TestABadReceiptChangesNothing(t *testing.T) {
	stranger := bytes.Repeat([]byte("x"), 32)
	cases := map[string]func(s *ingest, r *evidence.Receipt, e *evidence.Envelope, first *evidence.Envelope) *evidence.Envelope{
		"signed by another key": func(s *ingest, r *evidence.Receipt, e, _ *evidence.Envelope) *evidence.Envelope {
			forged, err := s.sign(r, keyFrom(stranger))
			if err != nil {
				s.t.Error(err)
			}
			return forged
		},
		"altered after signing": func(s *ingest, r *evidence.Receipt, e, _ *evidence.Envelope) *evidence.Envelope {
			return &evidence.Envelope{PayloadType: e.PayloadType, Payload: bytes.Replace(e.Payload, []byte("CAM-1"), []byte("CAM-2"), 1), Signatures: e.Signatures}
		},
		"of another recording": func(s *ingest, r *evidence.Receipt, e, first *evidence.Envelope) *evidence.Envelope { return first },
		"of other bytes": func(s *ingest, r *evidence.Receipt, e, _ *evidence.Envelope) *evidence.Envelope {
			other := *r
			other.SHA256[0] ^= 1
			return relog(s, &other)
		},
		"of another agency": func(s *ingest, r *evidence.Receipt, e, _ *evidence.Envelope) *evidence.Envelope {
			other := *r
			other.Agency = "elsewhere"
			return relog(s, &other)
		},
		"of another kind": func(s *ingest, r *evidence.Receipt, e, _ *evidence.Envelope) *evidence.Envelope {
			return evidence.Sign(evidence.TypeRelease, e.Payload, "receipt", s.receiptKey)
		},
		"not in the log": func(s *ingest, r *evidence.Receipt, e, _ *evidence.Envelope) *evidence.Envelope {
			other := *r
			other.Proof.Index++
			forged, err := s.sign(&other, s.receiptKey)
			if err != nil {
				s.t.Error(err)
			}
			return forged
		},
		"in a log of another key": func(s *ingest, r *evidence.Receipt, e, _ *evidence.Envelope) *evidence.Envelope {
			other, key := *r, s.logKey
			s.logKey = keyFrom(stranger)
			defer func() { s.logKey = key }()
			return relog(s, &other)
		},
	}
	for name, forge := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStation(t)
			var first *evidence.Envelope
			s.server.onReceipt = func(r *evidence.Receipt, e *evidence.Envelope) *evidence.Envelope {
				if r.Path == "FIRST.MP4" {
					first = e
					return nil
				}
				return forge(s.server, r, e, first)
			}
			sound := s.put("FIRST.MP4", noise(9, mib))
			stop := s.run()
			s.until("the sound one received", s.is(sound, spool.StateReceived))
			rec := s.put("A.MP4", noise(1, 2*mib))
			s.until("the bad receipt is said", func() bool { return strings.Contains(s.state(rec).Reason, "receipt does not hold") })
			stop()
			if r := s.state(rec); r.State != spool.StateUploading || len(r.Receipt) != 0 || len(r.WrappedKey) == 0 || s.copies() != 1 {
				t.Fatalf("after a receipt %s: state %s, %d copies", name, r.State, s.copies())
			}
			if err := s.spool.Erasing(t.Context(), rec.Evidence); !errors.Is(err, spool.ErrState) {
				t.Fatalf("erasing is allowed: %v", err)
			}
			s.server.set(func() { s.server.onReceipt = nil })
			s.run()
			s.until("a sound receipt is taken", s.is(rec, spool.StateReceived))
		})
	}
}

func TestARottenCopyIsNeverSentAndReadAgain(t *testing.T) {
	s := newStation(t)
	data := noise(1, 4*mib)
	rec := s.put("A.MP4", data)
	files, _ := filepath.Glob(filepath.Join(s.spool.Dir(), "recordings", "*"))
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(files[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.run()
	s.until("to be read again", s.is(rec, spool.StateReading))
	s.until("the rotten copy removed", func() bool { return s.copies() == 0 }) // after the state is kept
	again := s.seal(rec, data)
	s.until("received", s.is(again, spool.StateReceived))
	if r := s.state(rec); r.Attempt != 2 {
		t.Errorf("attempt %d", r.Attempt)
	}
}

func TestEveryErrorCodeIsActedOnAndSaid(t *testing.T) {
	cases := []struct {
		code   protocol.Code
		times  int // the server gives it, then takes the recording
		state  spool.State
		reason string
		copies int
	}{
		{protocol.CodeRetryLater, 3, spool.StateReceived, "", 0},
		{protocol.CodeFull, 2, spool.StateReceived, "", 0},
		{protocol.CodeInternal, 2, spool.StateReceived, "", 0},
		{"made_up_code", 2, spool.StateReceived, "", 0},
		{protocol.CodeUnknownDevice, 2, spool.StateReceived, "", 0},
		{protocol.CodeBadFrame, 2, spool.StateReceived, "", 0},
		{protocol.CodeDigestMismatch, 1, spool.StateReceived, "", 0},
		{protocol.CodeDigestMismatch, 9, spool.StateReading, "because", 0},
		{protocol.CodeConflict, 1, spool.StateReading, "because", 0},
		{protocol.CodeBadManifest, 1, spool.StateFailed, "because", 1},
		{protocol.CodeQuarantined, 1, spool.StateQuarantined, "because", 1},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s %d times", c.code, c.times), func(t *testing.T) {
			s := newStation(t)
			s.server.onOffer = func(m *evidence.Manifest, n int) error {
				if n <= c.times {
					return &protocol.Error{Code: c.code, Message: "because", RetryAfter: 5 * time.Millisecond}
				}
				return nil
			}
			rec := s.put("A.MP4", noise(1, mib))
			s.run()
			s.until(string(c.state), s.is(rec, c.state))
			s.until("the copy is as it should be", func() bool { return s.copies() == c.copies })
			if r := s.state(rec); !strings.Contains(r.Reason, c.reason) {
				t.Errorf("reason is %q", r.Reason)
			}
		})
	}
}

func TestAnotherServerGetsNothing(t *testing.T) {
	cases := map[string]func(*protocol.Welcome){
		"agency": func(w *protocol.Welcome) { w.Agency = "elsewhere" },
		"agency key": func(w *protocol.Welcome) {
			w.AgencyPublicKey = bytes.Clone(w.AgencyPublicKey)
			w.AgencyPublicKey[5] ^= 1
		},
		"log origin":  func(w *protocol.Welcome) { w.LogOrigin = "other.test" },
		"log key":     func(w *protocol.Welcome) { w.LogPublicKey = bytes.Repeat([]byte{1}, 32) },
		"receipt key": func(w *protocol.Welcome) { w.ReceiptPublicKey = bytes.Repeat([]byte{1}, 32) },
		"protocol":    func(w *protocol.Welcome) { w.Protocol = 2 },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStation(t)
			s.server.welcome = change
			rec := s.put("A.MP4", noise(1, mib))
			s.run()
			s.until("it is said", func() bool {
				m := s.up.State().Message
				return strings.Contains(m, "not the server") || strings.Contains(m, "different versions")
			})
			s.until("tried again", func() bool { s.server.mu.Lock(); defer s.server.mu.Unlock(); return s.server.sessions >= 2 })
			s.server.set(func() {
				if s.server.offers != 0 || s.state(rec).State != spool.StateSpooled {
					t.Errorf("%d offers were made", s.server.offers)
				}
			})
		})
	}
}

func TestStatementsAreSentUntilAcknowledgedAndInOrder(t *testing.T) {
	s := newStation(t)
	var want [][]byte
	for i := range 4 {
		inventory := evidence.Inventory{Version: 1, Agency: "riverton", Station: "north", Dock: "front-desk", Bay: "1-1", Docking: evidence.NewDockingID(),
			Part: i + 1, Parts: 4, TakenAt: time.Now().UTC(), Camera: evidence.CameraInfo{Serial: "CAM-1"}, Recordings: []evidence.RecordingInfo{}}
		payload, err := evidence.Encode(&inventory)
		if err != nil {
			t.Fatal(err)
		}
		envelope, err := s.key.Sign(evidence.TypeInventory, payload)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, payload)
		if err := s.spool.Queue(t.Context(), spool.KindInventory, envelope.Marshal()); err != nil {
			t.Fatal(err)
		}
	}
	s.server.onStated = func(n int) error {
		if n == 2 || n == 3 {
			return &protocol.Error{Code: protocol.CodeRetryLater, Message: "busy"}
		}
		return nil
	}
	s.run(func(o *Options) { o.Status = func() *protocol.Status { return &protocol.Status{AtUs: 1} } })
	s.until("all acknowledged", func() bool {
		_, found, err := s.spool.NextStatement(t.Context(), 0)
		return err == nil && !found
	})
	s.server.set(func() {
		if len(s.server.statements) != len(want) {
			t.Fatalf("%d statements arrived", len(s.server.statements))
		}
		for i := range want {
			if !bytes.Equal(s.server.statements[i].Payload, want[i]) {
				t.Errorf("statement %d is out of order", i)
			}
		}
	})
}

func TestARefusedStatementStaysQueuedAndHoldsNothingUp(t *testing.T) {
	s := newStation(t)
	for range 2 {
		if err := s.spool.Queue(t.Context(), spool.KindInventory, evidence.Sign(evidence.TypeInventory, []byte("{}"), "k", keyFrom(bytes.Repeat([]byte("x"), 32))).Marshal()); err != nil {
			t.Fatal(err)
		}
	}
	s.server.onStated = func(n int) error {
		if n == 1 {
			return &protocol.Error{Code: protocol.CodeBadManifest, Message: "no"}
		}
		return nil
	}
	s.run()
	s.until("the second arrived", func() bool { s.server.mu.Lock(); defer s.server.mu.Unlock(); return len(s.server.statements) == 1 })
	s.until("the first alone is queued", func() bool {
		first, found, err := s.spool.NextStatement(t.Context(), 0)
		if err != nil || !found {
			return false
		}
		_, second, _ := s.spool.NextStatement(t.Context(), first.Sequence)
		return first.Sequence == 1 && !second
	})
}

// The log may not show two heads of one size.
func TestAForkedLogIsNoticed(t *testing.T) {
	s := newStation(t)
	first := s.put("A.MP4", noise(1, mib))
	s.run()
	s.until("received", s.is(first, spool.StateReceived))
	s.server.set(func() { s.server.size, s.server.tiles = 0, new(tlogtest.Memory) })
	second := s.put("B.MP4", noise(2, mib))
	s.until("it is said", func() bool { return strings.Contains(s.state(second).Reason, "forked") })
}
