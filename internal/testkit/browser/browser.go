// Package browser starts a headless Chromium for tests of pages.
//
// The browser that is installed is used, with an empty profile, over HTTPS
// with certificates that nobody vouches for. It ends with the test.
package browser

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// path finds the browser under the names that distributions give it.
func path() (string, error) {
	var err error
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		var found string
		if found, err = exec.LookPath(name); err == nil {
			return found, nil
		}
	}
	return "", err
}

// Open starts a browser and returns the context of its one tab, for chromedp.
// Where no browser is installed the test is skipped, and says so.
func Open(t *testing.T, options ...chromedp.ContextOption) context.Context {
	t.Helper()
	program, err := path()
	if err != nil {
		t.Skipf("THE BROWSER TEST DID NOT RUN: no Chromium is installed (make setup): %v", err)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.IgnoreCertErrors,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"), chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(time.Minute), chromedp.WindowSize(1440, 900))...)
	t.Cleanup(stop)
	tab, cancel := chromedp.NewContext(allocator, options...)
	t.Cleanup(func() {
		end, done := context.WithTimeout(tab, 10*time.Second)
		defer done()
		chromedp.Cancel(end)
		cancel()
	})
	if err := chromedp.Do(tab); err != nil { // the browser lives as long as the tab's own context
		t.Fatalf("starting %s: %v", program, err)
	}
	return tab
}
