package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sealdock/sealdock/internal/testkit/browser"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

// From the set-up link that init prints to footage that a camera brought in
// during the test, in a real browser: it plays, and it can be sought in.
func TestANewAdministratorWatchesWhatJustArrived(t *testing.T) {
	tab := browser.Open(t)
	s := open(t, station.Options{}, "--cameras", "1", "--recordings", "1", "--size-mib", "4")
	drained(t, s)
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		ctx, cancel := context.WithTimeout(tab, time.Minute)
		defer cancel()
		check(t, chromedp.Do(ctx, steps...))
	}
	until := func(script string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(tab, time.Minute)
		defer cancel()
		if _, err := chromedp.Run(ctx, chromedp.Poll[bool](script, chromedp.WithPollingInterval(50*time.Millisecond))); err != nil {
			t.Fatalf("waiting for %s: %v", script, err)
		}
	}
	const password = "a long walk by the grey river"
	do(chromedp.Navigate(s.SetupLink),
		chromedp.SendKeys(chromedp.ID("name"), "Alba Moreno"), chromedp.SendKeys(chromedp.ID("login"), "a.moreno"),
		chromedp.SendKeys(chromedp.ID("password"), password), chromedp.SendKeys(chromedp.ID("again"), password),
		chromedp.Submit(chromedp.ID("name")), chromedp.WaitVisible(chromedp.CSS(".figures")))
	until(`document.querySelector("[data-live-state]").textContent.includes("Live")`)

	do(chromedp.Navigate(s.Web+"/evidence?kind=video"), chromedp.WaitVisible(chromedp.CSS(`a[href^="/evidence/"]`)),
		chromedp.Click(chromedp.CSS(`a[href^="/evidence/"]`)), chromedp.WaitVisible(chromedp.CSS(".cover")),
		chromedp.Click(chromedp.CSS(".cover")))
	until(`document.querySelector("video").currentTime > 0.2 && document.querySelector("video").videoWidth > 0`)
	do(chromedp.Click(chromedp.CSS("[data-act=toggle]")))
	until(`document.querySelector("video").paused`)
	until(`(document.querySelector("video").currentTime = document.querySelector("video").duration / 2, true)`)
	until(`!document.querySelector("video").seeking && document.querySelector("video").readyState >= 2 &&
		Math.abs(document.querySelector("video").currentTime - document.querySelector("video").duration / 2) < 0.05`)

	// The link worked once.
	do(chromedp.Navigate(s.SetupLink))
	until(`document.getElementById("password") === null`)
}
