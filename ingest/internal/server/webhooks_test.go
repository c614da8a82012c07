package server

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	foreign "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/sealdock/sealdock/ingest/internal/settings"
)

// A server with everything real tells a receiver on HTTPS of a recording that a dock
// brings: not before the receiver's network is let in, and not again after the server
// was stopped and started.
func TestAReceiverIsToldOfARecording(t *testing.T) {
	type message struct {
		header http.Header
		body   []byte
	}
	var mu sync.Mutex
	var all []message
	came := make(chan string, 100)
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		mu.Lock()
		all = append(all, message{request.Header.Clone(), body})
		mu.Unlock()
		var told struct{ Type string }
		json.Unmarshal(body, &told) // what cannot be read is no type
		came <- told.Type
	}))
	t.Cleanup(receiver.Close)
	r, d := storing(t)
	r.end()
	r.config.WebhookRoots = filepath.Join(t.TempDir(), "receiver.pem")
	r.must(os.WriteFile(r.config.WebhookRoots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw}), 0o600))
	r.start()
	admin := r.desk(alba)
	var made struct{ ID, Secret string }
	if code := admin.call("POST", "/api/v1/webhooks", `{"name":"records","url":"`+receiver.URL+`/in","types":["evidence.stored","setting.changed"]}`, &made); code != http.StatusOK {
		t.Fatalf("%d", code)
	}
	var tested struct{ Trouble string }
	if code := admin.call("POST", "/api/v1/webhooks/"+made.ID+"/test", "", &tested); code != http.StatusOK || !strings.Contains(tested.Trouble, "webhooks.networks") {
		t.Errorf("%d %+v", code, tested)
	}
	for _, reason := range []string{"", "the records system stands beside this server"} {
		err := WithSettings(t.Context(), r.config, slog.New(slog.DiscardHandler), time.Now, func(k *settings.Desk) error {
			_, err := k.Set(t.Context(), settings.Change{Name: settings.WebhookNetworks, Value: "127.0.0.1", Reason: reason})
			return err
		})
		if (err == nil) != (reason != "") {
			t.Errorf("reason %q: %v", reason, err)
		}
	}
	r.store(d, d.Record(t, "B.MP4", footage(1000)))
	wait := func(kind string) {
		t.Helper()
		for {
			select {
			case got := <-came:
				if got == kind {
					return
				}
			case <-r.ctx.Done():
				t.Fatalf("%s did not come\n%s", kind, r.log.String())
			}
		}
	}
	wait("evidence.stored")
	r.end()
	r.start()
	r.store(d, d.Record(t, "C.MP4", footage(1000)))
	wait("evidence.stored")
	judge, err := foreign.NewWebhook(made.Secret)
	r.must(err)
	mu.Lock()
	defer mu.Unlock()
	seen := map[string]bool{}
	for _, m := range all {
		if err := judge.Verify(m.body, m.header); err != nil {
			t.Error(err)
		}
		if id := m.header.Get("webhook-id"); seen[id] {
			t.Errorf("%s came twice", id)
		} else {
			seen[id] = true
		}
	}
	if len(all) != 4 { // two settings, of which one was refused, and two recordings
		t.Errorf("%d messages", len(all))
	}
}
