package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"github.com/sealdock/sealdock/internal/testkit/browser"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

// From the set-up link that init prints to footage that a camera brought in
// during the test, in a real browser: it plays, and it can be sought in.
func TestANewAdministratorWatchesWhatJustArrived(t *testing.T) {
	tab := browser.Open(t)
	s := open(t, station.Options{}, "--cameras", "1", "--recordings", "1", "--size-mib", "16")
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
		chromedp.Submit(chromedp.ID("name")), chromedp.WaitVisible(chromedp.CSS(`form[action="/account/app"]`)))

	// An administrator sets up a second factor first, here the one that works under an address too.
	do(chromedp.Navigate(s.Web+"/evidence"), chromedp.WaitVisible(chromedp.CSS(`form[action="/account/app"]`)),
		chromedp.Submit(chromedp.CSS(`form[action="/account/app"] button`)), chromedp.WaitVisible(chromedp.CSS(".secret")))
	secret, err := chromedp.Run(tab, chromedp.Evaluate[string](`document.querySelector(".secret").textContent.replace(/\s/g, "")`))
	check(t, err)
	code, err := totp.GenerateCode(secret, time.Now())
	check(t, err)
	do(chromedp.SendKeys(chromedp.ID("code"), code), chromedp.Submit(chromedp.ID("code")), chromedp.WaitVisible(chromedp.CSS(`form[action="/account/recovery"]`)),
		chromedp.Navigate(s.Web+"/"), chromedp.WaitVisible(chromedp.CSS(".figures")))
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

	// A clip of it is made where it is watched, and is told from it.
	shot := func(name string) {
		if dir := os.Getenv("SEALDOCK_PICTURES"); dir != "" {
			png, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
			check(t, err)
			check(t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
		}
	}
	fill := func(from, to string) {
		t.Helper()
		do(chromedp.WaitVisible(chromedp.ID("clip-from")),
			chromedp.SetValue(chromedp.ID("clip-from"), from), chromedp.SetValue(chromedp.ID("clip-to"), to), chromedp.SetValue(chromedp.ID("clip-reason"), "case 4711"))
		shot("clip-form")
		do(chromedp.Submit(chromedp.ID("clip-from")))
	}
	do(chromedp.Click(chromedp.CSS("details.act > summary")))
	fill("0:03", "0:01")
	do(chromedp.WaitVisible(chromedp.ID("clip-problem")))
	until(`document.getElementById("clip-to").value === "0:01"`)
	shot("clip-refused")
	fill("0:01", "0:02.5")
	do(chromedp.WaitNotPresent(chromedp.ID("clip-from")), chromedp.WaitVisible(chromedp.CSS(".cover")))
	until(`document.body.textContent.includes("Clip, no original") && document.body.textContent.includes("case 4711") && document.body.textContent.includes("Same bytes since it was made")`)
	do(chromedp.Click(chromedp.CSS(".cover")))
	until(`document.querySelector("video").currentTime > 0.2 && document.querySelector("video").videoWidth > 0 && document.querySelector("video").duration < 5`)
	shot("clip")
	do(chromedp.Click(chromedp.CSS(`.facts a[href^="/evidence/"]`)), chromedp.WaitVisible(chromedp.CSS("details.act")))
	until(`document.body.textContent.includes("Made of it") && document.body.textContent.includes("Download original")`)
	shot("original")

	// The link worked once.
	do(chromedp.Navigate(s.SetupLink))
	until(`document.getElementById("password") === null`)
}
