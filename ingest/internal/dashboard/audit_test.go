package dashboard_test

import (
	"context"
	"database/sql"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// happened records what people and machines did.
func (s *site) happened(t *testing.T) {
	t.Helper()
	s.fill(t)
	jonah := evidence.Actor{Kind: "user", ID: strings.Repeat("0b", 16), Name: "Jonah Reyes", Client: "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"}
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/100SEALD/CLIP0051.MP4", Officer: "Jonah Reyes", Content: []byte("traffic stop")})
	for _, e := range []evidence.Event{
		{Type: evidence.EventSignedIn, Actor: jonah, Object: "user:" + jonah.ID, Source: "192.0.2.9"},
		{Type: evidence.EventEvidenceViewed, Actor: jonah, Object: evidence.ItemObject(item.ID), Source: "192.0.2.9"},
		{Type: evidence.EventEvidencePlayed, Actor: jonah, Object: evidence.ItemObject(item.ID), Source: "192.0.2.9", Details: map[string]string{"path": item.Path, "length": "12"}},
		{Type: evidence.EventDownloaded, Actor: jonah, Object: evidence.ItemObject(item.ID), Source: "192.0.2.9", Outcome: evidence.OutcomeRefused, Reason: "the role does not allow evidence.download"},
		{Type: evidence.EventCameraApproved, Actor: evidence.Actor{Kind: "user", ID: strings.Repeat("0c", 16), Name: "Mirela Santos"}, Object: "camera:SD-04409", Source: "192.0.2.7", Reason: "bought last week"},
		{Type: evidence.EventDockConnected, Actor: evidence.Actor{Kind: "dock", ID: "front-desk", Client: "sealdock-agent 0.1.0"}, Object: "dock:front-desk", Source: "192.0.2.20"},
		{Type: evidence.EventSignInFailed, Actor: evidence.Actor{Kind: "user"}, Outcome: evidence.OutcomeFailed, Source: "203.0.113.66"},
	} {
		s.Clock.Advance(1234 * time.Millisecond)
		s.record(t, e)
	}
	s.Sequence(t)
}

// setUp makes the first administrator, who is then signed in.
func (b *browser) setUp(s *site) {
	b.t.Helper()
	token, err := s.Auth.NewSetupToken(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Navigate(b.origin+"/setup?token="+token),
		chromedp.SendKeys(chromedp.ID("name"), "Alba Moreno"), chromedp.SendKeys(chromedp.ID("login"), "a.moreno"),
		chromedp.SendKeys(chromedp.ID("password"), readingtest.Password), chromedp.SendKeys(chromedp.ID("again"), readingtest.Password),
		chromedp.Submit(chromedp.ID("name")), chromedp.WaitVisible(chromedp.CSS(".figures")))
}

// record appends an event as it is.
func (s *site) record(t *testing.T, e evidence.Event) {
	t.Helper()
	e.Agency = readingtest.Agency
	if e.Outcome == "" {
		e.Outcome = evidence.OutcomeDone
	}
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error { _, err := tx.AppendEvent(ctx, e); return err })
}

func TestTheAuditIsSearchedVerifiedAndExportedByKeyboard(t *testing.T) {
	s := newSite(t)
	s.happened(t)
	b := newBrowser(t, s.server.URL)
	b.setUp(s)
	s.Sequence(t)
	b.do(chromedp.Navigate(b.origin + "/audit"))
	b.pictures("audit")
	text := ask[string](b, `document.querySelector("#room").innerText`)
	for _, want := range []string{
		"Jonah Reyes tried to download the original of CLIP0051.MP4 (", ") and was refused", "The role does not allow evidence.download.", "Mirela Santos approved the key of camera SD-04409",
		"Dock front-desk connected", "Somebody failed to sign in", "203.0.113.66", ".354 EST",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the page:\n%s", want, text)
		}
	}
	b.do(chromedp.Focus(chromedp.ID("person")), chromedp.SendKeys(chromedp.ID("person"), "nobody"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.ID("audit-problem")))
	b.shot("audit-refused")
	b.do(chromedp.Navigate(b.origin+"/audit?outcome=not-done"), chromedp.WaitVisible(chromedp.CSS(".audit-head")))
	if n := ask[int](b, `document.querySelectorAll("table.audit tbody tr").length`); n != 2 {
		t.Errorf("%d refused and failed acts, want 2", n)
	}
	b.do(chromedp.Focus(chromedp.CSS(`a[href*="verify"]`)), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(".audit-report.ok")))
	b.pictures("audit-verified")

	raw, err := sql.Open("sqlite3", s.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, statement := range []string{
		"DROP TRIGGER events_never_changed", "DROP TRIGGER events_never_deleted",
		`UPDATE events SET event = replace(CAST(event AS TEXT), '192.0.2.9', '192.0.2.8') WHERE type = 'evidence.downloaded'`,
		`DELETE FROM events WHERE type = 'camera.key_approved'`,
	} {
		if _, err := raw.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(statement, err)
		}
	}
	b.do(chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS(".audit-report.bad")))
	b.pictures("audit-broken")
	text = ask[string](b, `document.querySelector("#room").innerText`)
	for _, want := range []string{"The record was changed", "was deleted; it was written between", "its row was changed afterwards"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the page:\n%s", want, text)
		}
	}
	if n := ask[int](b, `document.querySelectorAll("table.audit tr.bad").length`); n != 1 {
		t.Errorf("%d events are marked as broken, want 1", n)
	}
	b.do(chromedp.Navigate(b.origin+"/audit?address=198.51.100.1"), chromedp.WaitVisible(chromedp.CSS(".teach")))
	b.shot("audit-nothing")
	b.guarded()
}

func TestAnAuditIsHandedOutAsAFile(t *testing.T) {
	s := newSite(t)
	s.happened(t)
	client := s.signedIn(t)
	for format, want := range map[string]string{"csv": "text/csv; charset=utf-8; header=present", "jsonl": "application/jsonl; charset=utf-8", "pdf": "application/pdf"} {
		answer, err := client.PostForm(s.server.URL+"/audit/export", url.Values{"format": {format}, "outcome": {"refused"}})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != want || !strings.HasPrefix(answer.Header.Get("Content-Disposition"), "attachment;") {
			t.Errorf("%s: %d %v %v", format, answer.StatusCode, answer.Header, err)
		}
		if format == "pdf" { // what stands in it: inspection.TestAnExportOnPaperTellsWhatWasFound
			if !strings.HasPrefix(string(body), "%PDF-") || !strings.HasSuffix(string(body), "%%EOF\n") {
				t.Errorf("this is no PDF: %.20q", body)
			}
			continue
		}
		if !strings.Contains(string(body), "evidence.downloaded") || strings.Contains(string(body), "evidence.played") {
			t.Errorf("%s: %s", format, body)
		}
	}
	if n := s.Events(t, evidence.EventAuditExported, ""); n != 3 {
		t.Errorf("%d exports are in the record", n)
	}
}

func TestTheAuditIsForAdministratorsAlone(t *testing.T) {
	s := newSite(t)
	client := s.operator(t)
	for _, path := range []string{"/audit", "/api/v1/events", "/api/v1/events/1/proof"} {
		answer, err := client.Get(s.server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
	page, err := client.Get(s.server.URL + "/evidence")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(page.Body)
	page.Body.Close()
	if strings.Contains(string(body), `href="/audit`) {
		t.Error("the way to the audit is shown to who may not go there")
	}
	if n := s.Events(t, evidence.EventAuditRead, ""); n != 3 {
		t.Errorf("%d refusals are in the record, want 3", n)
	}
}
