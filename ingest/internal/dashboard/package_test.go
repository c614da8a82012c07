package dashboard_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The page shows the stages of a package as the server tells them, with a bar.
func TestAPageShowsHowFarAPackageIs(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/A.MP4", Content: video(t)})
	b := newBrowser(t, s.server.URL)
	b.setUp(s)
	b.do(chromedp.Navigate(b.origin+"/evidence/"+item.ID.String()), chromedp.WaitVisible(chromedp.CSS("form[data-package]")))
	ask[bool](b, `(() => {
		globalThis.told = {state: "proving", total: 4000, proven: 1000, sent: 0};
		globalThis.asked = "";
		const real = fetch;
		globalThis.fetch = async (address, more) => { if (!String(address).includes("/package/progress")) return real(address, more); asked = address; return {ok: told !== null, json: async () => told} };
		document.querySelector("form[data-package]").addEventListener("submit", e => e.preventDefault());
		return true })()`)
	b.do(chromedp.Click(chromedp.CSS("form[data-package] button")))
	b.until(`document.querySelector("[data-package-progress] progress").value === 125`)
	b.pictures("item-package")
	if key := ask[string](b, `document.querySelector("form[data-package]").elements.key.value`); len(key) != 32 || !strings.HasSuffix(ask[string](b, `asked`), "/evidence/"+item.ID.String()+"/package/progress?key="+key) {
		t.Errorf("key %q, asked %q", key, ask[string](b, `asked`))
	}
	if words := ask[string](b, `document.querySelector("[data-package-progress]").innerText`); !strings.Contains(words, "read and proven") || !strings.Contains(words, "1.0 KiB of 3.9 KiB") {
		t.Errorf("%q", words)
	}
	ask[bool](b, `(told = {state: "sending", total: 4000, proven: 4000, sent: 2000}, true)`)
	b.until(`document.querySelector("[data-package-progress] progress").value === 750`)
	ask[bool](b, `(told = {state: "done", total: 4000, proven: 4000, sent: 4000}, true)`)
	b.until(`document.querySelector("[data-words]").textContent.includes("in your downloads")`)
}

// The receipts of this store prove nothing, so the button leads to a refusal in
// words; what a package is, export tests.
func TestAPackageThatWouldNotProveItselfIsRefusedInWords(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	client := s.signedIn(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/A.MP4", Content: []byte("moving pictures")})
	if a := s.ask(t, client, "GET", "/evidence/"+item.ID.String(), nil); !strings.Contains(a.body, "Custody package") {
		t.Error("the page of a stored item offers no package")
	}
	a := s.ask(t, client, "POST", "/evidence/"+item.ID.String()+"/package", url.Values{})
	if a.StatusCode != http.StatusInternalServerError || !strings.Contains(a.body, "does not prove itself") {
		t.Errorf("%d: %s", a.StatusCode, a.body)
	}
	if n := s.Events(t, evidence.EventPackaged, evidence.ItemObject(item.ID)); n != 1 {
		t.Errorf("%d events", n)
	}
	// Who asked is told how it ended, and nobody else.
	key := strings.Repeat("5e", 16)
	progress := "/evidence/" + item.ID.String() + "/package/progress?key=" + key
	if a := s.get(t, client, progress); a.StatusCode != http.StatusNotFound {
		t.Errorf("before it was asked for: %d", a.StatusCode)
	}
	s.ask(t, client, "POST", "/evidence/"+item.ID.String()+"/package", url.Values{"key": {key}})
	if a := s.get(t, client, progress); a.StatusCode != http.StatusOK || !strings.Contains(a.body, `"state":"failed"`) {
		t.Errorf("%d: %s", a.StatusCode, a.body)
	}
	_, other := s.member(t, s.Actor(t, s.again(t)), "o.ther", auth.EvidenceManager, "")
	if a := s.get(t, other, progress); a.StatusCode != http.StatusNotFound {
		t.Errorf("another person is told: %d", a.StatusCode)
	}
	s.Clock.Advance(time.Minute)
	s.ask(t, client, "POST", "/evidence/"+item.ID.String()+"/package", url.Values{"key": {strings.Repeat("5f", 16)}})
	if a := s.get(t, client, progress); a.StatusCode != http.StatusNotFound {
		t.Errorf("it is told for ever: %d", a.StatusCode)
	}
	coming := s.Offer(t, readingtest.Recording{Path: "DCIM/B.MP4", Content: []byte("on its way")})
	if a := s.ask(t, client, "GET", "/evidence/"+coming.ID.String(), nil); strings.Contains(a.body, "Custody package") {
		t.Error("a package is offered of what is not stored yet")
	}
	if a := s.ask(t, client, "POST", "/evidence/"+coming.ID.String()+"/package", url.Values{}); a.StatusCode != http.StatusConflict {
		t.Errorf("of what is not stored yet: %d", a.StatusCode)
	}
}
