package witness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/sealdock/sealdock/internal/tlog"
)

const origin = "evidence.example.org/springfield"

// memory is a tlog.Tiles.
type memory struct{ sync.Map }

func (m *memory) Get(_ context.Context, path string) ([]byte, error) {
	if b, ok := m.Load(path); ok {
		return b.([]byte), nil
	}
	return nil, fs.ErrNotExist
}

func (m *memory) Put(_ context.Context, path string, data []byte) error {
	m.Store(path, bytes.Clone(data))
	return nil
}

// testLog is a log whose tree of size n has, from entry fork on, other entries.
type testLog struct {
	tiles  *memory
	signer note.Signer
	roots  []tlog.Hash // by size
}

func newLog(t testing.TB, size, fork int) *testLog {
	t.Helper()
	l := &testLog{tiles: &memory{}, signer: logSigner(t)}
	var at int64
	for i := range size + 1 {
		root, err := tlog.Root(t.Context(), l.tiles, at)
		if err != nil {
			t.Fatal(err)
		}
		l.roots = append(l.roots, root)
		if i == size {
			break
		}
		entry := fmt.Sprint("entry ", i)
		if i >= fork {
			entry += " of a fork"
		}
		if at, _, err = tlog.Append(t.Context(), l.tiles, at, [][]byte{[]byte(entry)}); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func logKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)) }

func logSigner(t testing.TB) note.Signer {
	t.Helper()
	s, err := tlog.NewSigner(origin, logKey())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (l *testLog) checkpoint(t testing.TB, size int) []byte {
	t.Helper()
	text, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Size: int64(size), Root: l.roots[size]}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (l *testLog) request(t testing.TB, old, size int) *Request {
	t.Helper()
	r := &Request{Old: int64(old), Checkpoint: l.checkpoint(t, size)}
	if old > 0 && old < size {
		var err error
		if r.Proof, err = tlog.ProveConsistency(t.Context(), l.tiles, int64(size), int64(old)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// newDir makes a witness that watches the test log.
func newDir(t testing.TB) (dir string, v note.Verifier) {
	t.Helper()
	dir = t.TempDir()
	vkey, err := Init(dir, "court.example.org/witness")
	if err != nil {
		t.Fatal(err)
	}
	key, err := tlog.VerifierKey(origin, logKey().Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	if err := AddLog(dir, key, ""); err != nil {
		t.Fatal(err)
	}
	if v, err = cosign.NewVerifierForCosignatureV1(vkey); err != nil {
		t.Fatal(err)
	}
	return dir, v
}

func open(t testing.TB, dir string) *Witness {
	t.Helper()
	w, err := Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func post(t testing.TB, w http.Handler, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	out := httptest.NewRecorder()
	w.ServeHTTP(out, httptest.NewRequest(http.MethodPost, "/add-checkpoint", bytes.NewReader(body)))
	return out
}

// cosigned says whether the answer's lines are a cosignature on the checkpoint.
func cosigned(checkpoint, lines []byte, v note.Verifier) bool {
	n, err := note.Open(append(bytes.Clone(checkpoint), lines...), note.VerifierList(v))
	return err == nil && len(n.Sigs) == 1
}
