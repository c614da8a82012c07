package tlog_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"testing"

	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/internal/tlog/tlogtest"
)

// proofOf makes a log of n entries, and the proof of one of them.
func proofOf(t testing.TB, n, index int64) (*tlog.Proof, ed25519.PrivateKey) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	signer, err := tlog.NewSigner("example.org/log", key)
	if err != nil {
		t.Fatal(err)
	}
	extra := func(i int64) []byte {
		return append(bytes.Repeat([]byte{byte(i)}, 32), fmt.Sprintf(`{"event":%d}`, i)...)
	}
	var entries [][]byte
	for i := range n {
		e := extra(i)
		entries = append(entries, tlog.Entry(e[:32], e[32:]))
	}
	tiles := &tlogtest.Memory{}
	size, root, err := tlog.Append(t.Context(), tiles, 0, entries)
	if err != nil {
		t.Fatal(err)
	}
	checkpoint, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: "example.org/log", Size: size, Root: root}, signer)
	if err != nil {
		t.Fatal(err)
	}
	path, err := tlog.ProveInclusion(t.Context(), tiles, size, index)
	if err != nil {
		t.Fatal(err)
	}
	return &tlog.Proof{Index: index, Extra: extra(index), Path: path, Checkpoint: checkpoint}, key
}

func TestAProofShowsItsEventWhereverItIs(t *testing.T) {
	for _, c := range [][2]int64{{1, 0}, {2, 1}, {7, 3}, {300, 0}, {300, 299}, {1000, 512}} {
		p, key := proofOf(t, c[0], c[1])
		again, err := tlog.ParseProof(p.Text())
		if err != nil {
			t.Fatal(err)
		}
		v, err := tlog.NewVerifier("example.org/log", key.Public().(ed25519.PublicKey))
		if err != nil {
			t.Fatal(err)
		}
		event, head, err := again.Check("example.org/log", v)
		if err != nil || string(event) != fmt.Sprintf(`{"event":%d}`, c[1]) || head.Size != c[0] || !tlog.IsProof(p.Text()) {
			t.Errorf("entry %d of %d: %s, %+v, %v", c[1], c[0], event, head, err)
		}
		if _, _, err := again.Check("example.org/other", v); !errors.Is(err, tlog.ErrCheckpoint) {
			t.Errorf("as of another log: %v", err)
		}
	}
}

// Each byte of the file counts.
func TestAChangedProofShowsNothing(t *testing.T) {
	p, key := proofOf(t, 300, 77)
	v, err := tlog.NewVerifier("example.org/log", key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	text := p.Text()
	for i := range text {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		q, err := tlog.ParseProof(changed)
		if err == nil {
			_, _, err = q.Check("example.org/log", v)
		}
		if err == nil {
			t.Errorf("byte %d (%q) is changed, and the proof holds", i, text[i])
		}
	}
}

func FuzzParseProof(f *testing.F) {
	p, _ := proofOf(f, 5, 2)
	f.Add(p.Text())
	f.Add([]byte("c2sp.org/tlog-proof@v1\nindex 0\n\nx"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := tlog.ParseProof(text); err == nil && !bytes.Equal(p.Text(), text) {
			t.Error("a proof is written in two ways")
		}
	})
}
