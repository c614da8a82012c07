package webhook_test

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	foreign "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
)

// killed names, in the environment of a sender that is to be killed, the catalog, the
// authority and the key.
const killed = "SEALDOCK_TEST_SENDER"

// TestSenderToBeKilled is the process that TestKilledAtAnyPointEachEventArrives kills.
func TestSenderToBeKilled(t *testing.T) {
	path := os.Getenv(killed)
	if path == "" {
		t.Skip("this is a process of another test")
	}
	text, err := os.ReadFile(path + ".pem")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	key, err := hex.DecodeString(os.Getenv(killed + "_KEY"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.Open(t.Context(), "sqlite:"+path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s, err := webhook.New(webhook.Config{Catalog: db, Agency: readingtest.Agency, Key: key, Node: "node", Roots: roots, Now: time.Now, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Networks: func(context.Context) []netip.Prefix { return loopback }})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The sender is killed (SIGKILL) while an attempt is under way, before or after the
// receiver has taken the message, again and again: each event arrives, in order, and what
// arrives twice has the same id and verifies.
func TestKilledAtAnyPointEachEventArrives(t *testing.T) {
	const events, kills = 20, 8
	g := newRig(t)
	victim := make(chan *os.Process, 1)
	struck := make(chan struct{}, kills)
	complete := make(chan struct{})
	var end sync.Once
	var mu sync.Mutex // guards what follows
	strikes, arrived := 0, map[string]bool{}
	r := newReceiver(t, time.Now, func(n int, w http.ResponseWriter, request *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		strike := n%2 == 1 && strikes < kills
		if strike {
			strikes++
		}
		if !strike || strikes%2 == 0 {
			arrived[request.Header.Get("webhook-id")] = true
		}
		if len(arrived) == events && strikes == kills {
			end.Do(func() { close(complete) })
		}
		if !strike {
			return
		}
		if strikes%2 == 0 {
			w.WriteHeader(http.StatusNoContent) // it has taken it, and the sender may or may not get to know
			http.NewResponseController(w).Flush()
		}
		if err := (<-victim).Kill(); err != nil {
			t.Errorf("killing the sender: %v", err)
		}
		struck <- struct{}{}
	})
	s := g.service(trusting(r))
	_, secret := g.hook(s, r, "records")
	g.happen(events)
	at := filepath.Join(t.TempDir(), "authority")
	g.must(os.WriteFile(at+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw}), 0o600))
	g.must(os.Symlink(at+".pem", g.Path+".pem"))

	program, err := os.Executable()
	g.must(err)
	start := func() *exec.Cmd {
		c := exec.CommandContext(t.Context(), program, "-test.run", "^TestSenderToBeKilled$")
		c.Env = append(os.Environ(), killed+"="+g.Path, killed+"_KEY="+hex.EncodeToString(g.key))
		c.Stderr = os.Stderr
		g.must(c.Start())
		victim <- c.Process
		return c
	}
	for range kills {
		c := start()
		<-struck
		if c.Wait() == nil {
			t.Fatal("the sender was not killed")
		}
	}
	c := start()
	<-complete
	g.must(c.Process.Kill())
	c.Wait()

	judge, err := foreign.NewWebhook(secret)
	g.must(err)
	for _, m := range r.all() {
		if err := judge.Verify(m.body, m.header); err != nil {
			t.Error(err)
		}
	}
	got := ids(r.all())
	once := slices.Compact(slices.Clone(got)) // what came twice came twice in a row, or the order is broken
	sorted := slices.Clone(once)
	slices.Sort(sorted)
	if len(once) != events || len(slices.Compact(sorted)) != events {
		t.Errorf("%d events arrived as %d messages: %q", events, len(got), got)
	}
	t.Logf("%d events, %d kills, %d messages", events, kills, len(got))
}
