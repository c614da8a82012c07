package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/witness"
	outside "github.com/sealdock/sealdock/ingest/witness"
)

// court runs a witness of r's log and names it in r's configuration.
func (r *running) court(name string) {
	r.t.Helper()
	dir := r.t.TempDir()
	key, err1 := outside.Init(dir, name)
	vkey, err2 := LogKey(r.ctx, r.config, time.Now)
	if err := errors.Join(err1, err2, outside.AddLog(dir, vkey, "")); err != nil {
		r.t.Fatal(err)
	}
	w, err := outside.Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	server := httptest.NewServer(w)
	r.t.Cleanup(func() { server.Close(); w.Close() })
	r.config.Witnesses = append(r.config.Witnesses, key+" "+server.URL)
}

// Everything of a server is set back to an earlier moment, as only a witness can see:
// it signs nothing, until it is restored.
func TestAServerThatWasSetBackDoesNotStart(t *testing.T) {
	r := newServer(t)
	r.court("court.example.org/a")
	r.court("union.example.org/b")
	r.config.WitnessQuorum = 2
	r.start()
	r.end()
	old := filepath.Join(t.TempDir(), "data")
	if out, err := exec.Command("cp", "-a", r.config.DataDir, old).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r.start() // adds an event to the log
	r.end()
	round, err := WitnessLog(r.ctx, r.config, r.logger(), time.Now)
	if err != nil || !round.Kept || round.Cosigned != 2 {
		t.Fatalf("%+v, %v", round, err)
	}
	newest := r.config.DataDir
	r.config.DataDir = old
	before, err := os.ReadFile(old + "/log/checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	err = Run(r.ctx, r.config, "test", r.logger(), time.Now, nil)
	if !errors.Is(err, witness.ErrContradicted) || !strings.Contains(err.Error(), "court.example.org/a") {
		t.Fatalf("the server that was set back ended with %v", err)
	}
	if after, err := os.ReadFile(old + "/log/checkpoint"); err != nil || string(after) != string(before) {
		t.Errorf("it signed %q after %q, %v", after, before, err)
	}

	r.config.DataDir = newest
	r.start()
	pool := x509.NewCertPool()
	pool.AddCert(r.authority())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	response, err := client.Get("https://" + r.ready.HTTPS.String() + "/log/checkpoint.witnessed")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 || strings.Count(string(text), "— ") != 3 {
		t.Errorf("%s, %v:\n%s", response.Status, err, text)
	}
}
