package dashboard_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/proto/evidence"
)

// TestAQueueAndATableAreChangedByKeyboard goes from the room of uplinks to a
// dock, changes its queue and its table with keys alone, and looks at all rooms
// on the way.
func TestAQueueAndATableAreChangedByKeyboard(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	s.uplinkDay(t)
	b := newBrowser(t, s.server.URL)
	token, err := s.Auth.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate(b.origin+"/setup?token="+token),
		chromedp.SendKeys(chromedp.ID("name"), "Alba Moreno"), chromedp.SendKeys(chromedp.ID("login"), "a.moreno"),
		chromedp.SendKeys(chromedp.ID("password"), readingtest.Password), chromedp.SendKeys(chromedp.ID("again"), readingtest.Password),
		chromedp.Submit(chromedp.ID("name")), chromedp.WaitVisible(chromedp.CSS(".figures")))
	b.do(chromedp.Navigate(b.origin+"/uplinks"), chromedp.WaitVisible(chromedp.CSS(".uplink")))
	b.until(`document.querySelector("[data-live-state]").textContent.includes("Live")`)
	b.pictures("uplinks")
	b.tabTo(`document.activeElement.matches('a[href="/uplinks/docks/front-desk"]')`)
	b.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS("table.queue")))
	b.until(`document.querySelector("[data-live-state]").textContent.includes("Live")`)
	b.pictures("uplink-dock")

	// The third moves up, then first; the keyboard stays with it.
	row := `document.getElementById("item-` + waitingClip(2).String() + `")`
	place := func(want string) {
		t.Helper()
		b.until(row + `.querySelector(".queue-place").textContent === "` + want + `"`)
	}
	place("3")
	b.tabTo(row + `.contains(document.activeElement) && document.activeElement.value === "up"`)
	b.do(chromedp.KeyEvent(kb.Enter))
	place("2") // behind the urgent one
	b.until(row + `.contains(document.activeElement)`)
	if got := ask[string](b, `document.activeElement.value`); got != "down" && got != "urgent" {
		t.Errorf("the keyboard is at %q", got)
	}
	b.tabTo(`document.activeElement.value === "urgent" && document.activeElement.closest("tr").id === "item-` + waitingClip(4).String() + `"`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.getElementById("item-` + waitingClip(4).String() + `").textContent.includes("marked here")`)
	b.pictures("uplink-queue")
	if n := s.Events(t, evidence.EventQueueOrdered, evidence.ItemObject(waitingClip(2))); n != 1 {
		t.Errorf("one move is %d events", n)
	}
	if n := s.Events(t, evidence.EventQueueUrgent, evidence.ItemObject(waitingClip(4))); n != 1 {
		t.Errorf("one mark is %d events", n)
	}

	b.tabTo(`document.activeElement.id === "w-rate"`)
	b.do(chromedp.KeyEvent("fast"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.ID("window-problem")))
	b.pictures("uplink-table-refused")
	b.do(chromedp.SetValue(chromedp.ID("w-rate"), "4"), chromedp.Focus(chromedp.ID("w-rate")), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(".windows li")))
	if text := ask[string](b, `document.querySelector("#table").textContent`); !containsAll(text, "mon-fri", "08:00 to 18:00", "at most 4 Mbit/s", "America/New_York") {
		t.Errorf("the table says: %s", text)
	}
	b.do(chromedp.Navigate(b.origin+"/uplinks/stations/north"), chromedp.WaitVisible(chromedp.CSS(".week")))
	b.pictures("uplink-station")
	b.do(chromedp.Navigate(b.origin+"/uplinks/sending"), chromedp.WaitVisible(chromedp.ID("officers")),
		chromedp.SendKeys(chromedp.ID("officers"), "4711"), chromedp.SendKeys(chromedp.ID("c-0"), "use of force"), chromedp.SendKeys(chromedp.ID("g-0"), "40"),
		chromedp.Submit(chromedp.ID("c-0")), chromedp.WaitVisible(chromedp.CSS(".notice.ok")))
	b.pictures("uplink-sending")
	if policy, err := s.Uplink.CommandLine().Sending(); err != nil || len(policy.UrgentOfficers) != 1 || len(policy.Categories) != 1 || policy.Categories[0].Weight != 40 {
		t.Errorf("policy %+v, %v", policy, err)
	}
	b.guarded()
}
