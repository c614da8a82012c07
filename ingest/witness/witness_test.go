package witness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/tlog"
)

// C2SP tlog-witness, add-checkpoint: each status and when it is due.
func TestEachAnswerIsThatOfTheProtocol(t *testing.T) {
	l, fork := newLog(t, 12, 99), newLog(t, 12, 3)
	foreign, err := tlog.NewSigner(origin, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Size: 9, Root: l.roots[9]}, foreign)
	if err != nil {
		t.Fatal(err)
	}
	good := l.request(t, 5, 9)
	with := func(change func(r *Request)) []byte {
		r := *good
		r.Proof = append([]tlog.Hash(nil), r.Proof...)
		change(&r)
		return r.Text()
	}
	flipped := bytes.Replace(l.checkpoint(t, 9), []byte("\n9\n"), []byte("\n8\n"), 1)
	for _, c := range []struct {
		name   string
		body   []byte
		status int
		answer string // of 409
	}{
		{"a good one", good.Text(), 200, ""},
		{"the same head again", l.request(t, 5, 5).Text(), 200, ""},
		{"other signatures beside the log's", append(good.Text(), "— stranger.example AAAAAAAA\n"...), 200, ""},
		{"no request", []byte("hello"), 400, ""},
		{"leading zero", bytes.Replace(good.Text(), []byte("old 5"), []byte("old 05"), 1), 400, ""},
		{"too long", append(good.Text(), bytes.Repeat([]byte("x"), MaxRequest)...), 400, ""},
		{"64 proof lines", with(func(r *Request) { r.Proof = make([]tlog.Hash, 64) }), 400, ""},
		{"old above the checkpoint", l.request(t, 10, 9).Text(), 400, ""},
		{"a log nobody named", bytes.Replace(good.Text(), []byte("\n\nevidence"), []byte("\n\nother"), 1), 404, ""},
		{"another's key", with(func(r *Request) { r.Checkpoint = forged }), 403, ""},
		{"changed after signing", with(func(r *Request) { r.Checkpoint = flipped }), 403, ""},
		{"old is not what was cosigned", l.request(t, 4, 9).Text(), 409, "5\n"},
		{"nothing known of the witness", l.request(t, 0, 9).Text(), 409, "5\n"},
		{"rolled back", l.request(t, 4, 4).Text(), 409, "5\n"},
		{"another root for the size", fork.request(t, 5, 5).Text(), 409, "5\n"},
		{"a fork", fork.request(t, 5, 9).Text(), 422, ""},
		{"no proof", with(func(r *Request) { r.Proof = nil }), 422, ""},
		{"a changed proof", with(func(r *Request) { r.Proof[0][0] ^= 1 }), 422, ""},
		{"a proof too long", with(func(r *Request) { r.Proof = append(r.Proof, tlog.Hash{}) }), 422, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, v := newDir(t)
			w := open(t, dir)
			if first := l.request(t, 0, 5); !cosigned(first.Checkpoint, post(t, w, first.Text()).Body.Bytes(), v) {
				t.Fatal("the first head was not cosigned")
			}
			out := post(t, w, c.body)
			if out.Code != c.status {
				t.Fatalf("status %d (%s), want %d", out.Code, out.Body, c.status)
			}
			head := w.Heads()[0]
			switch {
			case c.status == 200:
				_, checkpoint, _ := bytes.Cut(c.body, []byte("\n\n"))
				if strings.HasPrefix(c.name, "other") {
					checkpoint = good.Checkpoint
				}
				if !cosigned(checkpoint, out.Body.Bytes(), v) {
					t.Errorf("the answer %q is no cosignature", out.Body)
				}
			case head.Size != 5 || head.Root != l.roots[5]:
				t.Errorf("a refused request moved the head to %v", head)
			case c.status == 409 && (out.Body.String() != c.answer || out.Header().Get("Content-Type") != SizeType):
				t.Errorf("409 with %q as %s", out.Body, out.Header().Get("Content-Type"))
			}
		})
	}
}

func TestTheFirstHeadNeedsNoProofAndTakesNone(t *testing.T) {
	l := newLog(t, 4, 99)
	dir, v := newDir(t)
	w := open(t, dir)
	padded := l.request(t, 0, 4)
	padded.Proof = make([]tlog.Hash, 1)
	if out := post(t, w, padded.Text()); out.Code != 422 {
		t.Errorf("a proof from nothing: status %d", out.Code)
	}
	for _, r := range []*Request{l.request(t, 0, 0), l.request(t, 0, 4)} {
		if out := post(t, w, r.Text()); !cosigned(r.Checkpoint, out.Body.Bytes(), v) {
			t.Errorf("status %d: %s", out.Code, out.Body)
		}
	}
}

func TestACosignatureTellsTheTime(t *testing.T) {
	l := newLog(t, 4, 99)
	dir, v := newDir(t)
	w := open(t, dir)
	synctest.Test(t, func(t *testing.T) {
		for range 2 {
			r := l.request(t, int(w.Heads()[0].Size), 4)
			n, err := note.Open(append(r.Checkpoint, post(t, w, r.Text()).Body.Bytes()...), note.VerifierList(v))
			if err != nil {
				t.Fatal(err)
			}
			if at, err := cosign.CoSigV1Timestamp(n.Sigs[0]); err != nil || !at.Equal(time.Now()) {
				t.Errorf("cosigned at %v, %v: want %v", at, err, time.Now())
			}
			<-time.After(time.Hour)
		}
	})
}

// 100 requests of two forks at a time, over real connections: every head that was
// cosigned is of one history.
func TestAHundredRequestsAtATimeCosignOneHistory(t *testing.T) {
	l, fork := newLog(t, 60, 99), newLog(t, 60, 10)
	dir, v := newDir(t)
	w := open(t, dir)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, NewServer(w), Limit(listener)) }()
	var mu sync.Mutex
	heads := map[int]map[tlog.Hash]bool{}
	statuses := map[int]int{}
	var group sync.WaitGroup
	for i := range 100 {
		of := []*testLog{l, fork}[i%2]
		size := 11 + i%49
		requests := [][]byte{of.request(t, 0, size).Text()}
		checkpoint := of.checkpoint(t, size)
		proofs := map[int][]byte{}
		for old := 1; old <= size; old++ {
			proofs[old] = of.request(t, old, size).Text()
		}
		group.Go(func() {
			body := requests[0]
			for range 20 {
				response, err := http.Post("http://"+listener.Addr().String()+"/add-checkpoint", "text/plain", bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := io.ReadAll(response.Body)
				response.Body.Close()
				mu.Lock()
				statuses[response.StatusCode]++
				mu.Unlock()
				if err != nil || response.StatusCode == 200 && !cosigned(checkpoint, answer, v) {
					t.Errorf("answer %q, %v", answer, err)
				}
				if response.StatusCode == 200 {
					mu.Lock()
					if heads[size] == nil {
						heads[size] = map[tlog.Hash]bool{}
					}
					heads[size][of.roots[size]] = true
					mu.Unlock()
				}
				var at int
				if _, err := fmt.Sscan(string(answer), &at); response.StatusCode != 409 || err != nil || proofs[at] == nil {
					return
				}
				body = proofs[at]
			}
		})
	}
	group.Wait()
	one := map[bool]int{}
	for size, roots := range heads {
		for root := range roots {
			one[root == l.roots[size]]++
		}
	}
	if len(one) != 1 || statuses[200] == 0 || statuses[409] == 0 {
		t.Errorf("cosigned: %d heads of one history, %d of the other; answers %v", one[true], one[false], statuses)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// The power goes before, during and after each save: what was cosigned before is
// never contradicted after.
func TestAKilledWitnessContradictsNothing(t *testing.T) {
	l, fork := newLog(t, 9, 99), newLog(t, 9, 6)
	for _, reached := range []bool{false, true} {
		dir, v := newDir(t)
		w := open(t, dir)
		if first := l.request(t, 0, 5); !cosigned(first.Checkpoint, post(t, w, first.Text()).Body.Bytes(), v) {
			t.Fatal("the first head was not cosigned")
		}
		save := w.save
		w.save = func(path string, data []byte) error {
			if reached {
				if err := save(path, data); err != nil {
					return err
				}
			}
			return errors.New("the power went")
		}
		if out := post(t, w, l.request(t, 5, 9).Text()); out.Code != 500 || strings.Contains(out.Body.String(), "—") {
			t.Fatalf("a head that may not be durable was answered with %d %s", out.Code, out.Body)
		}
		if head := w.Heads()[0]; head.Size != 5 {
			t.Errorf("the head moved to %d without a save", head.Size)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		w = open(t, dir)
		want := map[bool]int64{false: 5, true: 9}[reached]
		if head := w.Heads()[0]; head.Size != want || head.Root != l.roots[want] {
			t.Fatalf("reached %v: opened again at %v", reached, head)
		}
		if out := post(t, w, l.request(t, 5, 4).Text()); out.Code == 200 {
			t.Error("a smaller head was cosigned")
		}
		if !reached { // nothing above 5 was ever cosigned: the other history is as good
			r := fork.request(t, 5, 9)
			if !cosigned(r.Checkpoint, post(t, w, r.Text()).Body.Bytes(), v) {
				t.Error("a consistent head was refused")
			}
		} else if out := post(t, w, fork.request(t, 5, 9).Text()); out.Code != 409 {
			t.Errorf("status %d", out.Code)
		}
		w.Close()
	}
}

// Whatever is asked, and whenever the witness starts anew, all heads that it cosigns
// are consistent with each other and never get smaller.
func TestNoTwoInconsistentHeadsAreEverCosigned(t *testing.T) {
	logs := []*testLog{newLog(t, 24, 99), newLog(t, 24, 4), newLog(t, 24, 12)}
	dir, v := newDir(t)
	path := logPath(dir, origin)
	empty, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cosignatures := 0
	rapid.Check(t, func(t *rapid.T) {
		if err := os.WriteFile(path, empty, 0o600); err != nil {
			t.Fatal(err)
		}
		var last tlog.Checkpoint
		var w *Witness
		reopen := func() {
			var err error
			if w != nil {
				w.Close()
			}
			if w, err = Open(dir, slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			w.save = func(path string, data []byte) error { return os.WriteFile(path, data, 0o600) }
		}
		reopen()
		defer func() { w.Close() }()
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			if rapid.IntRange(0, 5).Draw(t, "restart") == 0 {
				reopen()
			}
			l := rapid.SampledFrom(logs).Draw(t, "log")
			size := rapid.IntRange(0, 24).Draw(t, "size")
			r := &Request{Old: last.Size, Checkpoint: sign(t, l, size)}
			if rapid.Bool().Draw(t, "any old") {
				r.Old = int64(rapid.IntRange(0, 24).Draw(t, "old"))
			}
			if r.Old > 0 && r.Old < int64(size) {
				if r.Proof, err = tlog.ProveConsistency(context.Background(), rapid.SampledFrom(logs).Draw(t, "proof of").tiles, int64(size), r.Old); err != nil {
					t.Fatal(err)
				}
			}
			line, err := w.add(r)
			if err != nil {
				continue
			}
			if !cosigned(r.Checkpoint, line, v) {
				t.Fatalf("%q is no cosignature", line)
			}
			cosignatures++
			// The model: size and root of a beginning of l.
			if int64(size) < last.Size || last.Size > 0 && l.roots[last.Size] != last.Root {
				t.Fatalf("after %d entries of one history, %d of another were cosigned", last.Size, size)
			}
			last = tlog.Checkpoint{Size: int64(size), Root: l.roots[size]}
		}
	})
	if cosignatures < 50 {
		t.Errorf("only %d heads were cosigned: this shows little", cosignatures)
	}
}

func sign(t *rapid.T, l *testLog, size int) []byte {
	text, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Size: int64(size), Root: l.roots[size]}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAFolderIsOpenedOnceAndDamageIsNoNewBeginning(t *testing.T) {
	l := newLog(t, 4, 99)
	dir, _ := newDir(t)
	w := open(t, dir)
	if out := post(t, w, l.request(t, 0, 4).Text()); out.Code != 200 {
		t.Fatal(out.Body)
	}
	if _, err := Open(dir, slog.Default()); !errors.Is(err, durable.ErrLocked) {
		t.Errorf("a second witness on the folder: %v", err)
	}
	key, _ := tlog.VerifierKey(origin, logKey().Public().(ed25519.PublicKey))
	w.Close()
	if err := AddLog(dir, key, ""); !errors.Is(err, fs.ErrExist) {
		t.Errorf("adding a watched log: %v", err)
	}
	path := logPath(dir, origin)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := Open(dir, slog.Default())
		if err != nil {
			continue
		}
		if head := w.Heads()[0]; head.Size != 4 || head.Root != l.roots[4] { // the last bits of base64 say nothing
			t.Errorf("with byte %d flipped the witness opened at %v", i, head)
		}
		w.Close()
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("old 0\n\nlog\n1\nAAAA\n\n— log AAAA\n"))
	f.Add(newLog(f, 9, 99).request(f, 5, 9).Text())
	f.Add([]byte("old 281474976710657\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseRequest(text)
		if err != nil {
			return
		}
		if again := r.Text(); !bytes.Equal(again, text) {
			t.Errorf("%q was read from %q: two texts of one request", again, text)
		}
		if len(r.Proof) > maxProof || r.Old < 0 {
			t.Errorf("%+v is out of bounds", r)
		}
	})
}
