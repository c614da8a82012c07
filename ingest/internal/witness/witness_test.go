package witness

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/vault/fs"
	outside "github.com/sealdock/sealdock/ingest/witness"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	agency = evidence.AgencyID("metro-pd")
	origin = "example.org/custody"
)

// desk is a server's custody log. Its clock is moved by ahead.
type desk struct {
	*testing.T
	db    *sqldb.DB
	tiles *fs.TileStore
	log   *audit.Log
	ahead time.Duration
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{T: t, tiles: fs.Tiles(t.TempDir())}
	var err error
	d.db, err = sqldb.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "catalog.db"), d.now)
	d.must(err)
	t.Cleanup(func() { d.must(d.db.Close()) })
	d.log, err = audit.Open(t.Context(), audit.Config{Catalog: d.db, Tiles: d.tiles, Key: logKey(), Origin: origin, Node: "a", Now: d.now, Logger: slog.New(slog.DiscardHandler)})
	d.must(err)
	return d
}

func logKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

func (d *desk) now() time.Time { return time.Now().Add(d.ahead) }

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// events adds n events to the log.
func (d *desk) events(n int) {
	d.Helper()
	for range n {
		d.must(d.db.Update(d.Context(), func(tx *sqldb.Tx) error {
			_, err := tx.AppendEvent(d.Context(), evidence.Event{Agency: agency, Type: evidence.EventEvidenceViewed, Actor: evidence.Actor{Kind: "user", ID: "u"}, Outcome: evidence.OutcomeDone})
			return err
		}))
	}
	_, _, err := d.log.Sequence(d.Context())
	d.must(err)
}

func (d *desk) service(quorum int, all ...*Witness) *Service {
	return New(Config{Catalog: d.db, Tiles: d.tiles, Agency: agency, Origin: origin, Witnesses: all, Quorum: quorum, Every: time.Minute,
		Client: &http.Client{}, Now: d.now, Logger: slog.New(slog.DiscardHandler)})
}

// court runs a witness of the log and returns it as the configuration names it.
func (d *desk) court(name string) (*Witness, *httptest.Server) {
	d.Helper()
	dir := d.TempDir()
	key, err := outside.Init(dir, name)
	d.must(err)
	vkey, err := tlog.VerifierKey(origin, logKey().Public().(ed25519.PublicKey))
	d.must(err)
	d.must(outside.AddLog(dir, vkey, ""))
	w, err := outside.Open(dir, slog.New(slog.DiscardHandler))
	d.must(err)
	server := httptest.NewServer(w)
	d.Cleanup(func() { server.Close(); d.must(w.Close()) })
	return d.named(key, server.URL), server
}

func (d *desk) named(key, url string) *Witness {
	d.Helper()
	w, err := Parse(key + " " + url)
	d.must(err)
	return w
}

// kept returns the size of the kept checkpoint and whose cosignatures on it hold.
func (d *desk) kept(all ...*Witness) (size int64, names []string) {
	d.Helper()
	text, err := d.tiles.Get(d.Context(), File)
	d.must(err)
	logVerifier, err := tlog.NewVerifier(origin, logKey().Public().(ed25519.PublicKey))
	d.must(err)
	c, err := tlog.OpenCheckpoint(text, origin, logVerifier)
	d.must(err)
	for _, w := range all {
		v, err := cosign.NewVerifierForCosignatureV1(w.Key)
		d.must(err)
		if _, err := note.Open(text, note.VerifierList(v)); err == nil {
			names = append(names, w.Name())
		}
	}
	return c.Size, names
}

func (d *desk) open(code catalog.AlertCode) []catalog.Alert {
	d.Helper()
	all, err := d.db.Alerts(d.Context(), catalog.AlertFilter{Agency: agency, Code: code, Open: true}, 10)
	d.must(err)
	return all
}

func TestTheQuorumsCheckpointIsKept(t *testing.T) {
	d := newDesk(t)
	a, _ := d.court("court.example.org/a")
	b, stopped := d.court("union.example.org/b")
	s := d.service(2, a, b)
	for _, n := range []int{1, 0, 300, 5} { // over the edge of a tile
		d.events(n)
		round, err := s.Witness(t.Context())
		d.must(err)
		if size, names := d.kept(a, b); !round.Kept || round.Cosigned != 2 || size != round.Size || len(names) != 2 {
			t.Fatalf("%+v: kept are %d entries, cosigned by %q", round, size, names)
		}
	}
	// A new process knows no sizes, and asks.
	fresh := d.service(2, d.named(a.Key, a.URL), d.named(b.Key, b.URL))
	d.events(1)
	if round, err := fresh.Witness(t.Context()); err != nil || !round.Kept {
		t.Fatalf("%+v, %v", round, err)
	}
	stopped.Close()
	d.events(1)
	before, _ := d.kept()
	round, err := s.Witness(t.Context())
	if round.Kept || round.Cosigned != 1 || err == nil || errors.Is(err, ErrContradicted) {
		t.Errorf("with one of two gone: %+v, %v", round, err)
	}
	if size, _ := d.kept(); size != before {
		t.Errorf("without a quorum %d entries are kept", size)
	}
	d.must(s.Ask(t.Context()))
}

// The same key signs another log for a witness: a split view. The other witness goes
// on, and people are alerted.
func TestASplitViewIsFoundOut(t *testing.T) {
	for name, sizes := range map[string][3]int{ // shown elsewhere, here before, here now
		"the same size": {4, 0, 4}, "smaller": {4, 0, 9}, "larger": {9, 0, 4},
	} {
		t.Run(name, func(t *testing.T) {
			d, other := newDesk(t), newDesk(t)
			a, _ := d.court("court.example.org/a")
			b, _ := d.court("union.example.org/b")
			other.events(sizes[0])
			_, err := other.service(1, other.named(b.Key, b.URL)).Witness(t.Context())
			d.must(err)
			d.events(sizes[2])
			s := d.service(1, a, b)
			for range 2 {
				round, err := s.Witness(t.Context())
				if !errors.Is(err, ErrContradicted) || !strings.Contains(err.Error(), b.Name()) || strings.Contains(err.Error(), a.Name()) {
					t.Fatalf("the error is %v", err)
				}
				if size, names := d.kept(a, b); !round.Kept || size != round.Size || len(names) != 1 || names[0] != a.Name() {
					t.Errorf("%+v, kept %d of %q", round, size, names)
				}
			}
			if err := s.Ask(t.Context()); !errors.Is(err, ErrContradicted) {
				t.Errorf("the server may sign: %v", err)
			}
			if open := d.open(catalog.AlertContradicted); len(open) != 1 || open[0].About != "witness "+b.Name() || open[0].Severity != catalog.SeverityUrgent {
				t.Errorf("alerts: %v", open)
			}
		})
	}
}

// Whatever a witness answers: no cosignature that does not hold is kept, and nothing
// but the three words for a contradiction is one.
func TestAnAnswerThatDoesNotHoldIsNotKept(t *testing.T) {
	d := newDesk(t)
	d.events(3)
	honest, real := d.court("court.example.org/a")
	stranger, _ := d.court("court.example.org/a") // the same name, another key
	conflict := func(size string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", outside.SizeType)
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, size)
		}
	}
	n := 0
	for name, c := range map[string]struct {
		key          string
		answer       http.HandlerFunc
		contradicted bool
	}{
		"another key": {stranger.Key, real.Config.Handler.ServeHTTP, false},
		"nothing":     {honest.Key, func(http.ResponseWriter, *http.Request) {}, false},
		"a page":      {honest.Key, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, false},
		"without end": {honest.Key, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 1<<20)) }, false},
		"elsewhere": {honest.Key, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, real.URL, http.StatusTemporaryRedirect)
		}, false},
		"unknown log":        {honest.Key, http.NotFound, false},
		"no size":            {honest.Key, conflict("many\n"), false},
		"a negative size":    {honest.Key, conflict("-1\n"), false},
		"a size too large":   {honest.Key, conflict("99999999999999999999\n"), false},
		"a 409 of a proxy":   {honest.Key, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "4", http.StatusConflict) }, false},
		"always other sizes": {honest.Key, func(w http.ResponseWriter, r *http.Request) { n++; conflict(fmt.Sprintf("%d\n", 1+n%2))(w, r) }, false},
		"more than there is": {honest.Key, conflict("4\n"), true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			round, err := d.service(1, d.named(c.key, server.URL)).Witness(t.Context())
			if err == nil || round.Cosigned != 0 || round.Kept || errors.Is(err, ErrContradicted) != c.contradicted {
				t.Errorf("%+v, %v", round, err)
			}
		})
	}
	d.ahead = 2 * time.Hour
	if round, err := d.service(1, honest).Witness(t.Context()); err == nil || round.Cosigned != 0 {
		t.Errorf("a cosignature of two hours ago: %+v, %v", round, err)
	}
	if _, err := d.tiles.Get(t.Context(), File); err == nil {
		t.Error("something was kept")
	}
}

func TestASilentWitnessIsAlertedOfAndTheAlertEnds(t *testing.T) {
	d := newDesk(t)
	d.events(1)
	w, server := d.court("court.example.org/a")
	real := server.Config.Handler
	silent := true
	gate := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		if silent {
			http.Error(out, "closed", http.StatusServiceUnavailable)
			return
		}
		real.ServeHTTP(out, in)
	}))
	defer gate.Close()
	s := d.service(1, d.named(w.Key, gate.URL))
	for _, step := range []struct {
		pass   time.Duration
		silent bool
		alerts int
	}{{0, true, 0}, {missedAfter - time.Minute, true, 0}, {2 * time.Minute, true, 1}, {time.Minute, true, 1}, {0, false, 0}} {
		d.ahead += step.pass
		if silent = step.silent; !silent {
			d.ahead = 0 // the witness's clock is not moved
		}
		_, err := s.Witness(t.Context())
		if (err == nil) == step.silent {
			t.Fatalf("%+v: %v", step, err)
		}
		if !silent {
			d.ahead = missedAfter + 5*time.Minute
		}
		if open := d.open(catalog.AlertUnwitnessed); len(open) != step.alerts {
			t.Errorf("%+v: alerts %v", step, open)
		}
	}
}

func TestAWitnessInTheConfiguration(t *testing.T) {
	key, err := outside.Init(t.TempDir(), "witness.example")
	if err != nil {
		t.Fatal(err)
	}
	typo := strings.Replace(key, "+", "+0", 1)
	for text, good := range map[string]bool{
		key + " https://w.example": true, key + " https://w.example/prefix/": true, key + " http://127.0.0.1:1": true,
		key + " http://w.example": false, key + " w.example": false, key: false, "": false, "x https://w.example": false, key + " file:///x": false, typo[:len("witness.example+")+8] + key[len("witness.example+")+8:] + " https://w.example": false,
	} {
		if w, err := Parse(text); (err == nil) != good || good && w.Name() != "witness.example" {
			t.Errorf("%q: %v", text, err)
		}
	}
}
