package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

var logEvents = flag.Int("log-events", 3000, "how long a log programs of others check")

// outsider reads the custody log of a running server as a stranger does: over HTTPS,
// without a login, with a program that is not ours (Tessera).
type outsider struct {
	*running
	*client.HTTPFetcher
	verifier note.Verifier
	db       *sqldb.DB
	spoil    func(checkpoint []byte) []byte // nil: as it comes
}

func newOutsider(r *running) *outsider {
	r.t.Helper()
	address, err := url.Parse("https://" + r.ready.HTTPS.String() + "/log/")
	r.must(err)
	o := &outsider{running: r}
	o.HTTPFetcher, err = client.NewHTTPFetcher(address, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}})
	r.must(err)
	key, err := LogKey(r.ctx, r.config, time.Now)
	r.must(err)
	o.verifier, err = note.NewVerifier(key)
	r.must(err)
	o.db, err = r.config.openCatalog(r.ctx, time.Now)
	r.must(err)
	r.t.Cleanup(func() { o.db.Close() })
	return o
}

func (r *running) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// ReadCheckpoint implements fsck.Fetcher.
func (o *outsider) ReadCheckpoint(ctx context.Context) ([]byte, error) {
	text, err := o.HTTPFetcher.ReadCheckpoint(ctx)
	if err == nil && o.spoil != nil {
		text = o.spoil(text)
	}
	return text, err
}

// grow adds n events, and waits until the running server has logged them.
func (o *outsider) grow(n int) {
	o.t.Helper()
	last := int64(0)
	for left := n; left > 0; left -= 5000 {
		o.must(o.db.Update(o.ctx, func(tx *sqldb.Tx) (err error) {
			for range min(left, 5000) {
				if last, err = tx.AppendEvent(o.ctx, evidence.Event{Agency: "springfield", Type: evidence.EventEvidenceViewed, Actor: evidence.Actor{Kind: "user", ID: "u"}, Outcome: evidence.OutcomeDone}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	o.must(elsewhere{o.db}.Await(o.ctx, last))
}

// check has Tessera's fsck read and compute everything again. Of a long log that is
// damaged it finds the first damage and then waits for itself: no verdict in the time
// that it has is not a pass.
func (o *outsider) check() error {
	hash := func(bundle []byte) (leaves [][]byte, err error) {
		var b api.EntryBundle
		if err := b.UnmarshalText(bundle); err != nil {
			return nil, err
		}
		for _, e := range b.Entries {
			leaves = append(leaves, rfc6962.DefaultHasher.HashLeaf(e))
		}
		return leaves, nil
	}
	verdict := make(chan error, 1)
	go func() {
		verdict <- fsck.New(o.config.LogOrigin, o.verifier, o, hash, fsck.Opts{N: 2}).Check(o.ctx)
	}()
	select {
	case err := <-verdict:
		return err
	case <-time.After(patience):
		return errors.New("no verdict")
	}
}

// patience is several times what fsck takes for a whole log of 100,000 entries.
const patience = 5 * time.Second

// What strangers find: the log holds, proofs made of its tiles hold for the events
// that the server keeps, and one flipped bit anywhere is found.
func TestProgramsOfOthersCheckTheLog(t *testing.T) {
	r := newServer(t)
	r.start()
	o := newOutsider(r)
	o.grow(10)
	before, _, _, err := client.FetchCheckpoint(r.ctx, o.ReadCheckpoint, o.verifier, r.config.LogOrigin)
	r.must(err)
	began := time.Now()
	o.grow(*logEvents)
	t.Logf("%d events logged in %s", *logEvents, time.Since(began).Round(time.Millisecond))
	now, _, _, err := client.FetchCheckpoint(r.ctx, o.ReadCheckpoint, o.verifier, r.config.LogOrigin)
	r.must(err)
	if now.Size < uint64(*logEvents) {
		t.Fatalf("the log has %d entries", now.Size)
	}
	began = time.Now()
	if err := o.check(); err != nil {
		t.Fatalf("Tessera's fsck: %v", err)
	}
	t.Logf("fsck of %d entries passed in %s", now.Size, time.Since(began).Round(time.Millisecond))

	prover, err := client.NewProofBuilder(r.ctx, now.Size, o.ReadTile)
	r.must(err)
	growth, err := prover.ConsistencyProof(r.ctx, before.Size, now.Size)
	r.must(err)
	r.must(proof.VerifyConsistency(rfc6962.DefaultHasher, before.Size, now.Size, growth, before.Hash, now.Hash))
	for range 20 {
		index := rand.Int64N(int64(now.Size))
		r.must(o.db.EventsByIndex(r.ctx, index, index+1, func(e *catalog.EventRow) error {
			path, err := prover.InclusionProof(r.ctx, uint64(index))
			if err != nil {
				return err
			}
			leaf := rfc6962.DefaultHasher.HashLeaf(tlog.Entry(e.Salt, e.JSON))
			return proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(index), now.Size, leaf, path, now.Hash)
		}))
	}

	for kind, level := range map[string]int{"tile/0": 0, "tile/1": 1, "tile/entries": 0} {
		for _, name := range o.ends(kind, now.Size>>(8*level)%256) {
			whole, err := os.ReadFile(name)
			r.must(err)
			harmed := bytes.Clone(whole)
			harmed[rand.IntN(len(harmed))] ^= 1 << rand.IntN(8)
			r.must(os.WriteFile(name, harmed, 0o600))
			err = o.check()
			if err == nil {
				t.Errorf("Tessera's fsck passes a flipped bit in %s", name)
			}
			t.Logf("a flipped bit in %s: %.80v", strings.TrimPrefix(name, r.config.logDir()), err)
			r.must(os.WriteFile(name, whole, 0o600))
		}
	}
	for what, spoil := range map[string]func([]byte) []byte{
		"root": func(b []byte) []byte { b[bytes.Index(b, []byte("=\n"))-3] ^= 1; return b },
		"size": func(b []byte) []byte {
			return []byte(strings.Replace(string(b), fmt.Sprintf("\n%d\n", now.Size), fmt.Sprintf("\n%d\n", now.Size-1), 1))
		},
		"signature": func(b []byte) []byte { b[len(b)-20] ^= 1; return b },
	} {
		o.spoil = spoil
		if err := o.check(); err == nil {
			t.Errorf("a checkpoint with another %s passes", what)
		}
	}
	o.spoil = nil
	r.must(o.check())
}

// ends are the first file of the log below a folder, and its partial one of that
// width; those of earlier sizes nobody reads any more.
func (o *outsider) ends(below string, width uint64) []string {
	o.t.Helper()
	var first, last string
	err := filepath.WalkDir(filepath.Join(o.config.logDir(), below), func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
			return err
		case strings.HasSuffix(filepath.ToSlash(path), fmt.Sprintf(".p/%d", width)):
			last = path
		case first == "" && !strings.Contains(filepath.ToSlash(path), ".p/"):
			first = path
		}
		return nil
	})
	if err != nil || last == "" {
		o.t.Fatalf("the log has no partial tile of width %d below %s: %v", width, below, err)
	}
	if first == "" {
		return []string{last}
	}
	return []string{first, last}
}
