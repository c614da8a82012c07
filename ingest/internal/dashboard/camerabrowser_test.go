package dashboard_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// TestACameraIsApprovedByKeyboard goes from the list to an approved key with
// keys alone, and looks at the rooms on the way.
func TestACameraIsApprovedByKeyboard(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	s.garage(t)
	s.Live.Set(liveDay(s.Clock.Now()))
	b := newBrowser(t, s.server.URL)
	token, err := s.Auth.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate(b.origin+"/setup?token="+token),
		chromedp.SendKeys(chromedp.ID("name"), "Alba Moreno"), chromedp.SendKeys(chromedp.ID("login"), "a.moreno"),
		chromedp.SendKeys(chromedp.ID("password"), "ferry lantern wheat orbit"), chromedp.SendKeys(chromedp.ID("again"), "ferry lantern wheat orbit"),
		chromedp.Submit(chromedp.ID("name")), chromedp.WaitVisible(chromedp.CSS(".figures")))
	b.until(`document.querySelector("[data-live-state]").textContent.includes("Live")`)
	b.pictures("alerted-overview")
	s.raise(t, catalog.AlertKeyMissing, catalog.SeverityUrgent, evidence.CameraObject("SD-04418"), "camera SD-04418 has a key and came without it")
	s.Live.Set(liveDay(s.Clock.Now()))
	b.until(`document.querySelector("[data-live-alerts] b").textContent === "6" && document.body.textContent.includes("All 6 alerts")`)
	b.do(chromedp.Navigate(b.origin+"/alerts"), chromedp.WaitVisible(chromedp.CSS(".alert")))
	b.pictures("alerts")
	b.do(chromedp.Navigate(b.origin+"/cameras/SD-04409"), chromedp.WaitVisible(chromedp.CSS(".finding-group")))
	b.pictures("camera-incomplete")
	b.do(chromedp.Navigate(b.origin+"/cameras/SD-04420"), chromedp.WaitVisible(chromedp.CSS(".tally")))
	b.pictures("camera-held")
	b.do(chromedp.Navigate(b.origin+"/cameras"), chromedp.WaitVisible(chromedp.CSS("table.cameras")))
	b.pictures("cameras")

	b.tabTo(`document.activeElement.matches('a[href="/cameras/SD-04433"]')`)
	b.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(`[data-act="approve"] summary`)))
	b.tabTo(`document.activeElement.matches('[data-act="approve"] summary')`)
	b.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(`[data-act="approve"] button`)))
	b.pictures("camera-approve")
	b.tabTo(`document.activeElement.matches('[data-act="approve"] input[name="reason"]')`)
	b.do(chromedp.KeyEvent("bought in May"))
	b.tabTo(`document.activeElement.matches('[data-act="approve"] input[name="sure"]')`)
	b.do(chromedp.KeyEvent(" "))
	b.tabTo(`document.activeElement.matches('[data-act="approve"] button')`)
	b.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(".notice.ok")))
	b.pictures("camera-approved")
	if n := s.Events(t, evidence.EventCameraApproved, evidence.CameraObject("SD-04433")); n != 1 {
		t.Errorf("one approval is %d events", n)
	}
	if text := ask[string](b, `document.querySelector("#keys").textContent`); !containsAll(text, "Approved", "bought in May", "Alba Moreno") {
		t.Errorf("the page does not say who approved it, or why: %s", text)
	}
	b.guarded()
}

// tabTo presses Tab until a script gives true.
func (b *browser) tabTo(script string) {
	b.t.Helper()
	for range 120 {
		if ask[bool](b, script) {
			return
		}
		b.do(chromedp.KeyEvent(kb.Tab))
	}
	b.shot("failure")
	b.t.Fatalf("no key leads to %s", script)
}
