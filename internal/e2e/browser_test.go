package e2e

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

const chromium = "/usr/bin/chromium"

// From the set-up link that init prints to footage that a camera brought in
// during the test, in a real browser: it plays, and it can be sought in.
func TestANewAdministratorWatchesWhatJustArrived(t *testing.T) {
	if _, err := os.Stat(chromium); err != nil {
		t.Skipf("SKIPPED: there is no browser (make setup installs it): %v", err)
	}
	s := open(t, station.Options{}, "--cameras", "1", "--recordings", "1", "--size-mib", "4")
	drained(t, s)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.IgnoreCertErrors,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"), chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(time.Minute), chromedp.WindowSize(1440, 900))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		end, done := context.WithTimeout(tab, 10*time.Second)
		defer done()
		chromedp.Cancel(end)
		closeTab()
	})
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
	check(t, chromedp.Do(tab)) // the browser lives as long as the tab's context

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
