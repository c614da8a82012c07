package stamp

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/vault/fs"
	"github.com/sealdock/sealdock/internal/testkit/tsa"
	"github.com/sealdock/sealdock/internal/timestamp"
	"github.com/sealdock/sealdock/proto/evidence"
)

const agency = evidence.AgencyID("metro-pd")

// desk is a log with an authority to stamp it. Its clock is the authority's, moved by
// ahead.
type desk struct {
	*testing.T
	*Service
	db        *sqldb.DB
	log       *audit.Log
	authority *tsa.Authority
	ahead     time.Duration
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{T: t, authority: tsa.Start(t)}
	now := func() time.Time { return time.Now().Add(d.ahead) }
	var err error
	d.db, err = sqldb.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "catalog.db"), now)
	d.must(err)
	t.Cleanup(func() { d.must(d.db.Close()) })
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	d.log, err = audit.Open(t.Context(), audit.Config{Catalog: d.db, Tiles: fs.Tiles(t.TempDir()), Key: key, Origin: "example.org/custody", Node: "a", Now: now, Logger: slog.New(slog.DiscardHandler)})
	d.must(err)
	roots, err := os.ReadFile(d.authority.Roots)
	d.must(err)
	d.Service, err = New(Config{Catalog: d.db, Agency: agency, Origin: "example.org/custody", URL: d.authority.URL, Roots: roots, Every: 24 * time.Hour,
		Client: http.DefaultClient, Now: now, Logger: slog.New(slog.DiscardHandler)})
	d.must(err)
	return d
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// event adds an event to the log.
func (d *desk) event() {
	d.Helper()
	d.must(d.db.Update(d.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.AppendEvent(d.Context(), evidence.Event{Agency: agency, Type: evidence.EventEvidenceViewed, Actor: evidence.Actor{Kind: "user", ID: "u"}, Outcome: evidence.OutcomeDone})
		return err
	}))
	d.sequence()
}

func (d *desk) sequence() {
	d.Helper()
	_, _, err := d.log.Sequence(d.Context())
	d.must(err)
}

// due says whether the log wants a stamp now.
func (d *desk) due() bool {
	d.Helper()
	wait, err := d.next(d.Context())
	d.must(err)
	return wait <= 0
}

func TestTheLogIsStampedWhenItHasGrownAndOnceATurn(t *testing.T) {
	d := newDesk(t)
	if d.due() {
		t.Error("an empty log wants a stamp")
	}
	d.event()
	if !d.due() {
		t.Fatal("a log with events and no stamp wants none")
	}
	v, err := d.Stamp(t.Context())
	d.must(err)
	if v.Size != 1 || time.Since(v.At).Abs() > time.Minute || v.Authority != "Example Court Time Stamps" {
		t.Errorf("%+v", v)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(v.Roots)
	if is, err := timestamp.Verify(v.Token, sha256.Sum256(v.Checkpoint), pool); err != nil || is.Trusted != nil {
		t.Error("what is kept does not hold:", err)
	}
	d.sequence()
	if d.ahead = 48 * time.Hour; d.due() {
		t.Error("the event of a stamp alone makes the log want another one")
	}
	d.ahead = time.Hour
	d.event()
	if d.due() {
		t.Error("a log that was stamped an hour ago wants a stamp")
	}
	if d.ahead = 25 * time.Hour; !d.due() {
		t.Error("a log that has grown and was stamped yesterday wants none")
	}
	events, err := d.db.Events(t.Context(), catalog.EventFilter{Agency: agency, Type: evidence.EventLogStamped}, 10)
	d.must(err)
	if len(events) != 1 || events[0].Object != "log:example.org/custody" {
		t.Errorf("%d events tell of one stamp", len(events))
	}
}

func TestRunStampsByItself(t *testing.T) {
	d := newDesk(t)
	d.event()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Service.Run(ctx) }()
	for tick, until := time.Tick(10*time.Millisecond), time.Now().Add(20*time.Second); ; <-tick {
		if _, err := d.db.NewestStamp(t.Context()); err == nil {
			break
		} else if time.Now().After(until) {
			t.Fatal(err)
		}
	}
	stop()
	d.must(<-done)
	if n := d.authority.Asked.Load(); n != 1 {
		t.Errorf("the authority was asked %d times", n)
	}
}

// Nothing is kept of an authority that fails, lies or is another one; people hear of
// it when the last stamp is old, and when it is over.
func TestATokenThatDoesNotHoldIsNotKept(t *testing.T) {
	d := newDesk(t)
	d.event()
	foreign := tsa.Start(t)
	var earlier []byte
	d.authority.Mangle = func(reply []byte) (int, []byte) { earlier = bytes.Clone(reply); return 503, nil }
	cases := []struct {
		name, says string
		mangle     func(reply []byte) (int, []byte)
	}{
		{"an error", "503", d.authority.Mangle},
		{"an answer to another question", "nonce", func([]byte) (int, []byte) { return 200, earlier }},
		{"no answer", "no response of RFC 3161", func([]byte) (int, []byte) { return 200, []byte("<html>sign in</html>") }},
		{"too long", "at most", func([]byte) (int, []byte) { return 200, make([]byte, timestamp.MaxToken+5) }},
		{"cut off", "RFC 3161", func(b []byte) (int, []byte) { return 200, b[:len(b)/2] }},
		{"a changed signature", "does not hold", func(b []byte) (int, []byte) { b = bytes.Clone(b); b[len(b)-5] ^= 1; return 200, b }},
	}
	for _, c := range cases {
		d.authority.Mangle = c.mangle
		if _, err := d.Stamp(t.Context()); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	d.authority.Mangle = nil
	url := d.URL
	d.URL = foreign.URL
	_, err := d.Stamp(t.Context())
	if err == nil || !strings.Contains(err.Error(), "not of an authority that you named") {
		t.Errorf("another authority: %v", err)
	}
	if _, err := d.db.NewestStamp(t.Context()); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("a stamp was kept: %v", err)
	}
	d.missed(t.Context(), err)
	d.alerts(1, "no time stamp was ever received")
	d.URL = url
	_, err = d.Stamp(t.Context())
	d.must(err)
	d.alerts(0, "")
	d.ahead = 47 * time.Hour
	d.missed(t.Context(), errors.New("down"))
	d.alerts(0, "")
	d.ahead = 49 * time.Hour
	d.missed(t.Context(), errors.New("down"))
	d.alerts(1, "the last one is of")
}

func (d *desk) alerts(n int, says string) {
	d.Helper()
	open, err := d.db.Alerts(d.Context(), catalog.AlertFilter{Agency: agency, Code: catalog.AlertUnstamped, Open: true}, 10)
	d.must(err)
	if len(open) != n || n > 0 && !strings.Contains(open[0].Message, says) {
		d.Errorf("%d alerts, want %d that say %q: %+v", len(open), n, says, open)
	}
}

func TestRootsThatAreNoneAreRefused(t *testing.T) {
	if _, err := New(Config{Roots: []byte("-----BEGIN KEY-----")}); err == nil {
		t.Error("taken")
	}
}
