package webhook_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	foreign "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
	"github.com/sealdock/sealdock/proto/evidence"
)

// A library that is not ours takes each message, its time included, and none that was
// changed; and there is nothing in a message but what it may hold.
func TestAForeignLibraryVerifiesEachMessage(t *testing.T) {
	g := newRig(t)
	r := newReceiver(t, time.Now, nil)
	s := g.service(trusting(r), func(c *webhook.Config) { c.Now = time.Now }) // the library looks at the real time
	actor := g.fresh()
	actor.FactorAt = time.Now()
	w, secret, err := s.For(actor).Make(t.Context(), "records", r.URL+"/in?from=sealdock", []evidence.EventType{evidence.EventEvidenceStored})
	g.must(err)
	g.happen(3)
	g.round(s)
	if _, err := s.For(actor).Test(t.Context(), w.ID); err != nil {
		t.Fatal(err)
	}
	judge, err := foreign.NewWebhook(secret)
	g.must(err)
	all := r.all()
	if len(all) != 4 {
		t.Fatalf("%d requests", len(all))
	}
	for _, c := range all {
		if err := judge.Verify(c.body, c.header); err != nil {
			t.Errorf("%v: %s", err, c.body)
		}
		if judge.Verify(append([]byte(" "), c.body...), c.header) == nil {
			t.Error("a changed message is taken")
		}
		if text := string(c.body); strings.Contains(text, "Jonah") || strings.Contains(text, "192.0.2.9") || strings.Contains(text, "SECRET") || strings.Contains(text, "reason") {
			t.Errorf("it tells too much: %s", text)
		}
	}
	var first struct {
		Type      string
		Timestamp time.Time
		Data      struct {
			Agency, Object, Outcome string
			Event                   int64
			LogIndex                int64 `json:"log_index"`
			Actor                   struct{ Kind, ID string }
		}
	}
	g.must(json.Unmarshal(all[0].body, &first))
	row, err := g.DB.Event(t.Context(), readingtest.Agency, first.Data.Event)
	if err != nil || *row.LogIndex != first.Data.LogIndex || string(row.Type) != first.Type || !row.At.Equal(first.Timestamp) || first.Data.Object != row.Object || first.Data.Actor.ID != "front-desk" {
		t.Errorf("%s: %+v %v", all[0].body, row, err)
	}
	if !strings.Contains(string(all[3].body), `"type":"webhook.test"`) {
		t.Errorf("the test: %s", all[3].body)
	}
}

// ids are the messages that came, in order.
func ids(all []came) (list []string) {
	for _, c := range all {
		list = append(list, c.header.Get("webhook-id"))
	}
	return list
}

// What is not taken is tried again later and later, the same message first, until three
// days are over; enabled again it goes on where it stood, and all arrives in order.
func TestWhatIsNotTakenIsTriedForThreeDaysAndNotLost(t *testing.T) {
	g := newRig(t)
	down := true
	r := newReceiver(t, g.Clock.Now, func(_ int, w http.ResponseWriter, _ *http.Request) {
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	s := g.service(trusting(r))
	w, _ := g.hook(s, r, "records")
	began := g.Clock.Now()
	g.happen(3)
	for g.Clock.Now().Sub(began) < 4*24*time.Hour {
		g.round(s)
		g.Clock.Advance(time.Second)
		if hook, _ := g.get(s, w.ID); hook.TryAt.After(g.Clock.Now()) {
			g.Clock.Advance(hook.TryAt.Sub(g.Clock.Now()))
		} else if !hook.DisabledAt.IsZero() {
			break
		}
	}
	all := r.all()
	for i := range all {
		if ids(all)[i] != ids(all)[0] {
			t.Fatalf("attempt %d is of another message: what came later went first", i)
		}
		if i < 2 {
			continue
		}
		// Random says 0.5, so each pause is three quarters of its step, and the step doubles up to 4 h.
		gap, before := all[i].at.Sub(all[i-1].at), all[i-1].at.Sub(all[i-2].at)
		if gap < before-time.Second || gap > 2*before+2*time.Second || gap > 4*time.Hour {
			t.Errorf("pause %d is %s after one of %s", i, gap, before)
		}
	}
	if first := all[1].at.Sub(all[0].at); first < 2*time.Second || first > 6*time.Second {
		t.Errorf("the first pause is %s", first)
	}
	span := all[len(all)-1].at.Sub(all[0].at)
	if span < 3*24*time.Hour || span > 3*24*time.Hour+5*time.Hour || len(all) < 20 || len(all) > 60 {
		t.Errorf("%d attempts within %s", len(all), span)
	}
	hook, last := g.get(s, w.ID)
	if hook.DisabledAt.IsZero() || !strings.Contains(hook.DisabledWhy, "three days") || last[0].Status != 503 || last[0].Attempt != int64(len(all)) {
		t.Errorf("%+v %+v", hook, last[0])
	}
	alerts, err := g.DB.Alerts(t.Context(), catalog.AlertFilter{Agency: readingtest.Agency, Code: catalog.AlertWebhook, Open: true}, 10)
	if err != nil || len(alerts) != 1 || g.Events(t, evidence.EventWebhookDisabled, evidence.WebhookObject(w.ID)) != 1 {
		t.Errorf("%d alerts, %v", len(alerts), err)
	}
	g.Clock.Advance(24 * time.Hour)
	g.round(s)
	if len(r.all()) != len(all) {
		t.Error("something is sent for a webhook that is disabled")
	}
	down = false
	on := true
	g.must(s.For(g.fresh()).Change(t.Context(), w.ID, webhook.Change{Enabled: &on}))
	g.happen(1)
	g.round(s)
	// The three, the alarm about this webhook itself, and the last one.
	if got := r.all()[len(all):]; len(got) != 5 || ids(got)[0] != ids(all)[0] || len(slices.Compact(ids(got))) != 5 || !strings.Contains(string(got[3].body), "alert.raised") {
		t.Errorf("after it was enabled there came %q", ids(got))
	}
	if alerts, err := g.DB.Alerts(t.Context(), catalog.AlertFilter{Agency: readingtest.Agency, Code: catalog.AlertWebhook, Open: true}, 10); err != nil || len(alerts) != 0 {
		t.Errorf("%d alerts stand, %v", len(alerts), err)
	}
}

func TestWhatWaitsCanBeSkipped(t *testing.T) {
	g := newRig(t)
	r := newReceiver(t, g.Clock.Now, nil)
	s := g.service(trusting(r))
	w, _ := g.hook(s, r, "records")
	off, on := false, true
	g.must(s.For(g.fresh()).Change(t.Context(), w.ID, webhook.Change{Enabled: &off}))
	g.happen(3)
	g.round(s)
	g.must(s.For(g.fresh()).Change(t.Context(), w.ID, webhook.Change{Enabled: &on, Skip: true}))
	g.happen(1)
	g.round(s)
	if n := len(r.all()); n != 1 {
		t.Errorf("%d came", n)
	}
}

// How a receiver answers is judged by its status alone, within bounds of time and size.
func TestAnswersAreJudged(t *testing.T) {
	for name, c := range map[string]struct {
		answer  func(w http.ResponseWriter, r *http.Request)
		trouble string        // "": it is taken
		wait    time.Duration // least one until it is tried again
		gone    bool
	}{
		"200": {answer: func(w http.ResponseWriter, r *http.Request) {}},
		"202": {answer: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(202) }},
		"400": {answer: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(400) }, trouble: "400 Bad Request"},
		"410": {answer: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(410) }, trouble: "gone for good", gone: true},
		"redirect": {answer: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, trouble: "redirect"},
		"no answer": {answer: func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, trouble: "did not answer in time"},
		"cut off":   {answer: func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, trouble: "EOF"},
		"endless head": {answer: func(w http.ResponseWriter, r *http.Request) {
			for i := range 2000 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1000))
			}
		}, trouble: "exceeded"},
		"endless body": {answer: func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}},
		"wait": {answer: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(429)
		}, trouble: "429", wait: 2 * time.Hour},
		"wait until": {answer: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "Sun, 22 Nov 2026 20:00:00 GMT")
			w.WriteHeader(503)
		}, trouble: "503", wait: 5 * time.Hour},
		"wait for ever": {answer: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "999999999")
			w.WriteHeader(503)
		}, trouble: "503", wait: 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			r := newReceiver(t, g.Clock.Now, func(_ int, w http.ResponseWriter, r *http.Request) { c.answer(w, r) })
			s := g.service(trusting(r), func(conf *webhook.Config) { conf.Patience = 2 * time.Second })
			w, _ := g.hook(s, r, "records")
			g.happen(1)
			g.round(s)
			hook, last := g.get(s, w.ID)
			if len(r.all()) != 1 || len(last) != 1 {
				t.Fatalf("%d requests, %d deliveries", len(r.all()), len(last))
			}
			if d := last[0]; (d.Trouble == "") != (c.trouble == "") || !strings.Contains(d.Trouble, c.trouble) {
				t.Errorf("trouble: %q", d.Trouble)
			}
			if wait := hook.TryAt.Sub(g.Clock.Now()); c.wait > 0 && (wait < c.wait || wait > 24*time.Hour) {
				t.Errorf("tried again after %s", wait)
			}
			if !hook.DisabledAt.IsZero() != c.gone {
				t.Errorf("disabled: %s", hook.DisabledWhy)
			}
		})
	}
}

// A receiver that hangs holds up nobody but itself.
func TestAReceiverThatHangsHoldsUpNobodyElse(t *testing.T) {
	g := newRig(t)
	reached, release := make(chan struct{}), make(chan struct{})
	slow := newReceiver(t, g.Clock.Now, func(n int, _ http.ResponseWriter, r *http.Request) {
		if n == 0 {
			close(reached)
		}
		<-release
	})
	others := make(chan struct{}, 10)
	quick := newReceiver(t, g.Clock.Now, func(int, http.ResponseWriter, *http.Request) { others <- struct{}{} })
	s := g.service(func(c *webhook.Config) { c.Roots = slow.roots(); c.Roots.AddCert(quick.Certificate()) })
	g.hook(s, slow, "slow")
	g.hook(s, quick, "quick")
	g.happen(5)
	done := make(chan error, 1)
	go func() { done <- s.Round(t.Context()) }()
	<-reached
	for range 5 {
		<-others
	}
	close(release)
	g.must(<-done)
	if len(slow.all()) != 5 {
		t.Errorf("%d came late", len(slow.all()))
	}
}

// Two servers on one catalog: one of them sends, and the other takes over when the first
// is gone for longer than its lease.
func TestOneServerSendsAtATime(t *testing.T) {
	g := newRig(t)
	var second *webhook.Service
	r := newReceiver(t, g.Clock.Now, func(n int, _ http.ResponseWriter, _ *http.Request) {
		if n == 0 {
			g.round(second) // while the first is at it
		}
	})
	first := g.service(trusting(r))
	second = g.service(trusting(r), func(c *webhook.Config) { c.Node = "other" })
	g.hook(first, r, "records")
	g.happen(3)
	g.round(first)
	if n := len(r.all()); n != 3 {
		t.Errorf("%d came", n)
	}
	g.happen(1)
	g.round(second)
	if n := len(r.all()); n != 3 {
		t.Errorf("%d came, while the first has its lease", n)
	}
	g.Clock.Advance(time.Minute)
	g.round(second)
	if n := len(r.all()); n != 4 {
		t.Errorf("%d came, after the lease was over", n)
	}
}

// After a rotation both secrets verify for a day, and the new one alone from then on. The
// catalog holds none of them.
func TestForADayBothSecretsVerify(t *testing.T) {
	g := newRig(t)
	r := newReceiver(t, g.Clock.Now, nil)
	s := g.service(trusting(r))
	w, first := g.hook(s, r, "records")
	second, until, err := s.For(g.fresh()).Rotate(t.Context(), w.ID)
	g.must(err)
	if !until.Equal(g.Clock.Now().Add(24*time.Hour)) || first == second {
		t.Errorf("until %s", until)
	}
	verifies := func(secret string) bool {
		t.Helper()
		judge, err := foreign.NewWebhook(secret)
		g.must(err)
		all := r.all()
		return judge.VerifyIgnoringTimestamp(all[len(all)-1].body, all[len(all)-1].header) == nil
	}
	for _, step := range []struct {
		advance time.Duration
		former  bool
	}{{0, true}, {24*time.Hour - time.Second, true}, {time.Second, false}} {
		g.Clock.Advance(step.advance)
		g.happen(1)
		g.round(s)
		if !verifies(second) || verifies(first) != step.former {
			t.Errorf("new %t, former %t", verifies(second), verifies(first))
		}
	}
	file, err := os.ReadFile(g.Path)
	g.must(err)
	wal, _ := os.ReadFile(g.Path + "-wal")
	for _, secret := range []string{first, second} {
		if text := strings.TrimPrefix(secret, "whsec_"); strings.Contains(string(file)+string(wal), text) {
			t.Error("the catalog holds a secret in clear")
		}
	}
	// Under another pepper nothing is signed, and a new secret mends it.
	other := g.service(trusting(r), func(c *webhook.Config) { c.Key = make([]byte, 32) })
	before := len(r.all())
	d, err := other.For(g.fresh()).Test(t.Context(), w.ID)
	if err != nil || !strings.Contains(d.Trouble, "give it a new one") || len(r.all()) != before {
		t.Errorf("%+v %v", d, err)
	}
	third, _, err := other.For(g.fresh()).Rotate(t.Context(), w.ID)
	g.must(err)
	if d, err = other.For(g.fresh()).Test(t.Context(), w.ID); err != nil || d.Trouble != "" || !verifies(third) {
		t.Errorf("%+v %v", d, err)
	}
}
