package kiosk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	testbrowser "github.com/sealdock/sealdock/internal/testkit/browser"
	"github.com/sealdock/sealdock/proto/upload"
)

// browser is one tab of a fresh browser.
type browser struct {
	t       *testing.T
	ctx     context.Context
	picture string // folder of screenshots, "" for none

	mu   sync.Mutex // guards said
	said []string   // what the browser found wrong with the page
}

// newBrowser starts a browser with an empty profile. SEALDOCK_SCREENSHOTS names
// a folder for pictures of what it saw.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	b := &browser{t: t, picture: os.Getenv("SEALDOCK_SCREENSHOTS")}
	b.ctx = testbrowser.Open(t, chromedp.WithListener(b.hear))
	return b
}

func (b *browser) hear(e any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := e.(type) {
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, e.ExceptionDetails.Text)
	case *cdplog.EventEntryAdded:
		// A server that does not answer is said too, and wanted here.
		if e.Entry.Level == cdplog.EntryLevelError && e.Entry.Source != cdplog.EntrySourceNetwork {
			b.said = append(b.said, e.Entry.Text)
		}
	}
}

// quiet fails the test if a script failed or the content policy had to stop something.
func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.said {
		b.t.Errorf("the browser complains: %s", s)
	}
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.shot("failure")
		b.t.Fatal(err)
	}
}

// ask evaluates a script.
func ask[T any](b *browser, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// until waits for a script to give true, over loads of the page.
func (b *browser) until(script string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// It fails while there is no such element, and while a page is being loaded.
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script))
		if err == nil && is {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.shot("failure")
			b.t.Fatalf("waiting for %s: %v", script, err)
		}
	}
}

// shot takes a picture of the page, at the window's width.
func (b *browser) shot(name string) {
	if b.picture == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(b.picture, name+".png"), png, 0o600)
	}
	if err != nil {
		b.t.Log("no picture:", err)
	}
}

// screen sets light or dark, and the window's size.
func (b *browser) screen(scheme string, width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height), func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return chromedp.Void{}, err
	})
}

// scripts turns JavaScript of pages on or off.
func (b *browser) scripts(on bool) {
	b.t.Helper()
	b.do(func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return chromedp.Void{}, err
	})
}

// cut lists what does not fit: text that is wider or higher than its tile, and
// tiles outside the window.
const cut = `[...document.querySelectorAll(".tile")].flatMap((tile) => {
  const box = tile.getBoundingClientRect();
  const out = [];
  if (box.bottom > innerHeight + 1 && innerWidth > 960) out.push(tile.dataset.key + " below the screen");
  for (const e of tile.querySelectorAll(".in > *, .in > header > *, .in > .work > *, .in button")) {
    const r = e.getBoundingClientRect();
    if (r.height > 1 && (r.bottom > box.bottom - 5 || r.right > box.right + 1 || r.left < box.left - 1)) out.push(tile.dataset.key + " " + e.className + " sticks out");
    if (e.matches(".verdict, .what, .big") && e.scrollWidth > e.clientWidth + 1) out.push(tile.dataset.key + " " + e.className + " is too wide");
  }
  return out;
})`

func (b *browser) fits(what string) {
	b.t.Helper()
	if out := ask[[]string](b, cut); len(out) > 0 {
		b.t.Errorf("%s: %q", what, out)
	}
	if !ask[bool](b, `document.documentElement.scrollWidth <= innerWidth`) {
		b.t.Errorf("%s is wider than its window", what)
	}
}

func TestEightBaysFitAScreenAndAPhone(t *testing.T) {
	b := newBrowser(t)
	for name, dock := range map[string]Dock{"idle": idle(), "busy": busy(), "done": done(), "trouble": trouble()} {
		s := serve(t, newScene(dock).options())
		b.screen("light", 1920, 1080)
		b.do(chromedp.Navigate(s.origin+"/"), chromedp.WaitVisible(chromedp.CSS(".tile")))
		b.until(`document.documentElement.classList.contains("is-live")`)
		b.fits(name + " at 1920x1080")
		if !ask[bool](b, `document.documentElement.scrollHeight <= innerHeight`) {
			t.Errorf("%s needs scrolling at 1920x1080", name)
		}
		if px := ask[float64](b, `Math.min(...[...document.querySelectorAll(".verdict")].map((e) => parseFloat(getComputedStyle(e).fontSize)))`); px < 32 {
			t.Errorf("%s: a verdict is written %.0f px high, too small for 2 m", name, px)
		}
		b.shot(name + "-wide")
		b.screen("dark", 1920, 1080)
		b.shot(name + "-dark")
		for _, size := range [][2]int64{{1366, 768}, {1280, 800}, {1024, 768}, {768, 1024}, {3840, 2160}} {
			b.screen("light", size[0], size[1])
			b.fits(fmt.Sprintf("%s at %dx%d", name, size[0], size[1]))
			b.shot(fmt.Sprintf("%s-%d", name, size[0]))
		}
		b.screen("light", 390, 844)
		b.fits(name + " on a phone")
		b.shot(name + "-phone")
		s.stop()
	}
	b.quiet()
}

func TestFrom1To32BaysNothingSticksOut(t *testing.T) {
	b := newBrowser(t)
	source := trouble().Bays
	paths := empty(1)[0] // a bay that nobody numbered shows its port
	paths.Port, paths.Label = "paths", "12-2.3.4.1"
	source = append(source, paths, source[2])
	source[9].Label = "12-2.3.4.1"
	for _, n := range []int{1, 2, 3, 4, 5, 6, 10, 12, 16, 24, 32} {
		bays := empty(n)
		for i := range bays {
			place := bays[i]
			bays[i] = source[i%len(source)]
			bays[i].Port = place.Port
			if i%len(source) < 8 {
				bays[i].Label = place.Label
			}
		}
		s := serve(t, newScene(dockOf(bays)).options())
		b.screen("light", 1920, 1080)
		b.do(chromedp.Navigate(s.origin+"/"), chromedp.WaitVisible(chromedp.CSS(".tile")))
		name := fmt.Sprintf("bays-%d", n)
		b.fits(name)
		b.shot(name)
		s.stop()
	}
	b.quiet()
}

func TestUrgentIsPressedByKeyboardAndTheTileChangesLive(t *testing.T) {
	scene := newScene(busy())
	s := serve(t, scene.options())
	b := newBrowser(t)
	b.screen("light", 1920, 1080)
	b.do(chromedp.Navigate(s.origin+"/"), chromedp.WaitVisible(chromedp.CSS(".tile")))

	// The first button of the page, by Tab alone.
	b.do(chromedp.KeyEvent(kb.Tab))
	b.until(`document.activeElement.matches('[data-key="bay-1-2.1"] button[aria-pressed=false]')`)
	b.shot("focus")
	b.do(chromedp.KeyEvent(" "))
	b.until(`document.activeElement.matches('[data-key="bay-1-2.1"] button[aria-pressed=true]')`) // pressed, and focus stayed
	b.do(chromedp.KeyEvent(kb.Enter))
	b.until(`document.activeElement.matches('[data-key="bay-1-2.1"] button[aria-pressed=false]')`)
	if got := scene.presses(); len(got) != 2 || got[0] != "1-2.1 true" || got[1] != "1-2.1 false" {
		t.Errorf("the agent was asked %q", got)
	}

	// The dock goes on by itself: seen, and said, without a reload.
	ask[bool](b, `window.same = true`)
	scene.set(func(d *Dock) {
		d.Bays[0] = bay(1, upload.BayUploading, func(b *Bay) { b.Officer, b.Safe, b.RecordingsSafe, b.RecordingsTotal = "Jonah Reyes", true, 12, 12 })
	})
	b.until(`document.querySelector('[data-key="bay-1-2.1"] .verdict.take')?.textContent.includes("Safe to take")`)
	b.until(`document.getElementById("spoken").textContent === "Bay 1: Safe to take."`)
	if !ask[bool](b, `window.same === true && document.activeElement.matches('[data-key="bay-1-2.1"] button')`) {
		t.Error("the page was loaded anew or lost the focus")
	}

	scene.mu.Lock()
	scene.refuse = errors.New("the journal is locked: /var/lib/secret.db")
	scene.mu.Unlock()
	b.do(chromedp.KeyEvent(" "))
	b.until(`!document.getElementById("toast").hidden`)
	if text := ask[string](b, `document.body.innerText`); text == "" || containsAny(text, "journal", "secret") {
		t.Errorf("the page tells what went wrong inside: %s", text)
	}
	b.quiet()
}

const (
	covered   = `getComputedStyle(document.getElementById("lost")).visibility === "visible" && document.elementFromPoint(innerWidth / 2, innerHeight / 2).closest(".lost") !== null`
	uncovered = `document.querySelector(".tile") !== null && getComputedStyle(document.getElementById("lost")).visibility === "hidden" && !document.getElementById("face").inert`
)

func TestADockThatFallsSilentIsNeverShownAsSafe(t *testing.T) {
	scene := newScene(done())
	var hang sync.Mutex // held: the agent does not answer
	o := scene.options()
	o.View = func() Dock {
		hang.Lock()
		defer hang.Unlock()
		return scene.view()
	}
	s := serve(t, o)
	b := newBrowser(t)
	b.screen("light", 1920, 1080)
	b.do(chromedp.Navigate(s.origin+"/"), chromedp.WaitVisible(chromedp.CSS(".tile")))
	b.until(uncovered)

	hang.Lock() // the connection stays open, but nothing new comes
	b.until(covered)
	b.shot("lost-wide")
	b.screen("light", 390, 844)
	b.shot("lost-phone")
	if !ask[bool](b, `document.getElementById("face").inert && document.getElementById("spoken").textContent.includes("Leave cameras in the dock")`) {
		t.Error("buttons that may be old can be pressed, or nothing is said")
	}
	b.do(chromedp.Navigate(s.origin + "/")) // a page that is opened now says so too
	b.until(`document.querySelector(".tile") === null && document.querySelector(".lost.now") !== null`)
	hang.Unlock()
	b.until(uncovered) // by itself

	s.stop() // no server at all
	b.until(covered)
	listener, err := net.Listen("tcp", strings.TrimPrefix(s.origin, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, o, listener)
	b.until(uncovered)
	b.quiet()
}

func TestAPageWhoseScriptDidNotLoadCoversItself(t *testing.T) {
	s := serve(t, newScene(done()).options())
	delete(s.kiosk.assets.byName, "live.js")
	b := newBrowser(t)
	b.do(chromedp.Navigate(s.origin+"/"), chromedp.WaitVisible(chromedp.CSS(".tile")))
	b.until(covered)
}

func TestWithoutScriptsThePageRenewsItselfAndUrgentWorks(t *testing.T) {
	scene := newScene(busy())
	s := serve(t, scene.options())
	b := newBrowser(t)
	b.scripts(false)
	b.do(chromedp.Navigate(s.origin+"/"), chromedp.WaitVisible(chromedp.CSS(".tile")))
	b.do(chromedp.Click(chromedp.CSS(`[data-key="bay-1-2.1"] button`)))
	b.do(chromedp.WaitVisible(chromedp.CSS(`[data-key="bay-1-2.1"] button[aria-pressed=true]`)))
	if got := scene.presses(); len(got) != 1 || got[0] != "1-2.1 true" {
		t.Errorf("the agent was asked %q", got)
	}
	scene.set(func(d *Dock) {
		d.Bays[0] = bay(1, upload.BayDone, func(b *Bay) { b.Safe, b.RecordingsSafe, b.RecordingsTotal = true, 12, 12 })
	})
	b.do(chromedp.WaitVisible(chromedp.CSS(`[data-key="bay-1-2.1"] .verdict.take`)))
	b.quiet()
}

func TestNoOtherSiteCanPressUrgentFromABrowser(t *testing.T) {
	scene := newScene(busy())
	s := serve(t, scene.options())
	// Another port of this machine is another site's stand-in of the hardest kind:
	// browsers call it same-site.
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><title>evil</title><form id="f" method="post" action="%s/urgent"><input name="port" value="1-2.1"><input name="on" value="yes"><button id="go">Win</button></form>`, s.origin)
	}))
	t.Cleanup(evil.Close)
	b := newBrowser(t)
	b.do(chromedp.Navigate(evil.URL+"/"), chromedp.WaitVisible(chromedp.ID("go")))
	script := fmt.Sprintf(`fetch(%q, {method: "POST", mode: "no-cors", credentials: "include", headers: {"Content-Type": "application/x-www-form-urlencoded"}, body: "port=1-2.1&on=yes"}).then((a) => a.type, () => "blocked")`, s.origin+"/urgent")
	ask[string](b, script)
	if got := ask[string](b, fmt.Sprintf(`fetch(%q).then(() => "read", () => "blocked")`, s.origin+"/")); got != "blocked" {
		t.Error("another site read the page")
	}
	b.do(chromedp.Click(chromedp.ID("go")))
	b.until(`document.title.includes("Sealdock") && document.body.innerText.includes("another site")`)
	if got := scene.presses(); len(got) != 0 {
		t.Errorf("another site pressed: %q", got)
	}
}

func containsAny(text string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}
