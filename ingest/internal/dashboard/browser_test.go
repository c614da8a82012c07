package dashboard_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	testbrowser "github.com/sealdock/sealdock/internal/testkit/browser"
	"github.com/sealdock/sealdock/internal/testkit/footage"
	"github.com/sealdock/sealdock/proto/evidence"
)

// browser is one tab of a fresh browser.
type browser struct {
	t       *testing.T
	ctx     context.Context
	origin  string
	said    *complaints
	picture string // folder of screenshots, "" for none
}

// newBrowser starts a browser with an empty profile. SEALDOCK_SCREENSHOTS names
// a folder for pictures of what it saw.
func newBrowser(t *testing.T, origin string) *browser {
	t.Helper()
	said := &complaints{some: make(chan struct{}, 1)}
	ctx := testbrowser.Open(t, chromedp.WithListener(said.hear))
	return &browser{t: t, ctx: ctx, origin: origin, said: said, picture: os.Getenv("SEALDOCK_SCREENSHOTS")}
}

// complaints are what the browser found wrong with pages: scripts that failed,
// and whatever the content policy had to stop.
type complaints struct {
	mu   sync.Mutex
	all  []string
	some chan struct{} // full when there is one
}

func (c *complaints) hear(e any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() {
		if len(c.all) > 0 && len(c.some) == 0 {
			c.some <- struct{}{}
		}
	}()
	switch e := e.(type) {
	case *runtime.EventExceptionThrown:
		c.all = append(c.all, e.ExceptionDetails.Text+" "+describe(e.ExceptionDetails))
	case *cdplog.EventEntryAdded:
		// An answer with a status of 400 and above is said too, and expected here.
		if e.Entry.Level == cdplog.EntryLevelError && e.Entry.Source != cdplog.EntrySourceNetwork {
			c.all = append(c.all, e.Entry.Text)
		}
	}
}

// do runs steps within a minute.
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

// until waits for a script to give true.
func (b *browser) until(script string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](script, chromedp.WithPollingInterval(50*time.Millisecond))); err != nil {
		b.shot("failure")
		b.t.Fatalf("waiting for %s: %v", script, err)
	}
}

// arrive is until for what holds on another page than this one, which is on its way.
func (b *browser) arrive(script string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if there, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script)); err == nil && there {
			return // an error: the page that was asked is gone
		}
		select {
		case <-ctx.Done():
			b.shot("failure")
			b.t.Fatalf("waiting for %s on the next page", script)
		case <-tick.C:
		}
	}
}

// shot takes a picture of the whole page, at the window's width.
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

// scheme sets light or dark, and the window's size.
func (b *browser) scheme(name string, width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height), func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return chromedp.Void{}, err
	})
}

// pictures takes the room wide, dark and narrow, and sees that it fits.
func (b *browser) pictures(room string) {
	b.t.Helper()
	b.scheme("light", 1440, 900)
	b.shot(room + "-wide")
	b.scheme("dark", 1440, 900)
	b.shot(room + "-dark")
	b.scheme("light", 390, 844)
	b.fits()
	b.shot(room + "-narrow")
	b.scheme("light", 1440, 900)
}

func (b *browser) fits() {
	b.t.Helper()
	if !ask[bool](b, `document.documentElement.scrollWidth <= innerWidth`) {
		b.t.Errorf("%s is wider than its window of %d", ask[string](b, "location.pathname"), ask[int](b, "innerWidth"))
	}
}

// video returns the content of a playable recording.
func video(t *testing.T) []byte {
	t.Helper()
	maker, err := footage.NewMaker(t.Context(), footage.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Skipf("THE BROWSER TEST DID NOT RUN: %v", err)
	}
	files, err := maker.Make(t.Context(), footage.Clip{Serial: "SD-04412", Model: "Sealdock Sim 2", Sequence: 51, Size: 8 << 20, Length: 20 * time.Second, Started: time.Date(2026, 11, 22, 13, 51, 1, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(files.Video)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestFromTheSetUpLinkToAPlayingVideo(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	content := video(t)
	clip := s.Keep(t, readingtest.Recording{
		Path: "DCIM/100SEALD/CLIP0051.MP4", Officer: "Jonah Reyes", Content: content, Adjust: readingtest.WrongClock,
		Began: s.Clock.Now().Add(readingtest.Ahead - 12*time.Minute), Ended: s.Clock.Now().Add(readingtest.Ahead - 12*time.Minute + 20*time.Second),
		Marks: []evidence.Mark{{AtSeconds: 4, Label: "Traffic stop"}, {AtSeconds: 12.5, Label: "Driver steps out"}},
	})
	s.Keep(t, readingtest.Recording{Path: "DCIM/100SEALD/CLIP0051.JSON", Kind: evidence.KindMetadata, Officer: "Jonah Reyes", Content: []byte(`{"officer":"Jonah Reyes"}`)})
	s.Offer(t, readingtest.Recording{Path: "DCIM/100SEALD/CLIP0052.MP4", Officer: "Jonah Reyes", Content: []byte("on its way")})
	s.Hold(t, readingtest.Recording{Path: "DCIM/100SEALD/CLIP0109.MP4", Camera: "SD-04401", Dock: "garage", Station: "north", Content: []byte("wrong")}, "the bytes read back have SHA-256 7d1a…, the manifest says 2c26…")
	s.Live.Set(liveDay(s.Clock.Now()))
	token, err := s.Auth.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, s.server.URL)

	b.do(chromedp.Navigate(b.origin + "/setup?token=" + token))
	b.pictures("setup")
	b.do(
		chromedp.SendKeys(chromedp.ID("name"), "Alba Moreno"), chromedp.SendKeys(chromedp.ID("login"), "a.moreno"),
		chromedp.SendKeys(chromedp.ID("password"), "harbour-city-pd 1"), chromedp.SendKeys(chromedp.ID("again"), "harbour-city-pd 1"),
		chromedp.Submit(chromedp.ID("name")), chromedp.WaitVisible(chromedp.CSS(".notice.bad")))
	b.shot("setup-refused")
	b.do(
		chromedp.SendKeys(chromedp.ID("password"), readingtest.Password), chromedp.SendKeys(chromedp.ID("again"), readingtest.Password),
		chromedp.Submit(chromedp.ID("name")), chromedp.WaitVisible(chromedp.CSS(".figures")))

	b.overview(s)
	b.do(chromedp.Navigate(b.origin + "/evidence"))
	b.pictures("evidence")
	b.do(chromedp.Navigate(b.origin + "/quarantine"))
	b.pictures("quarantine")
	b.do(chromedp.Navigate(b.origin + "/evidence/" + clip.ID.String()))
	b.plays(s, clip.ID)
	b.do(chromedp.Click(chromedp.CSS(`a[href$="/receipt"]`)), chromedp.WaitVisible(chromedp.CSS(".slip")))
	b.pictures("receipt")
	b.do(chromedp.Navigate(b.origin + "/evidence/" + evidence.EvidenceID{9}.String()))
	b.pictures("missing")

	b.do(chromedp.Submit(chromedp.CSS(".who form")), chromedp.WaitVisible(chromedp.ID("login")))
	b.pictures("signin")
	b.guarded()
}

// guarded sees that the browser found nothing wrong so far, and that it would
// have: the content policy stops what it has to.
func (b *browser) guarded() {
	b.t.Helper()
	b.said.mu.Lock()
	for _, text := range b.said.all {
		b.t.Errorf("the browser complains: %s", text)
	}
	b.said.mu.Unlock()
	if !ask[bool](b, `(document.body.setAttribute("style", "color: rgb(255, 0, 0)"), getComputedStyle(document.body).color !== "rgb(255, 0, 0)")`) {
		b.t.Error("an inline style was applied")
	}
	if !ask[bool](b, `(() => { try { document.body.innerHTML = "<b>x</b>"; return false } catch { return true } })()`) {
		b.t.Error("a string became elements")
	}
	select {
	case <-b.said.some:
	case <-time.After(20 * time.Second):
		b.t.Error("the browser does not tell what the policy stopped")
	}
}

// overview sees the wall follow the docks without a reload.
func (b *browser) overview(s *site) {
	b.t.Helper()
	b.until(`document.querySelector("[data-live-state]").textContent.includes("Live")`)
	b.pictures("overview")
	if text := ask[string](b, `document.body.textContent`); strings.Contains(text, "their-dock") {
		b.t.Error("the overview shows another agency's dock")
	}
	ask[bool](b, `(globalThis.kept = document.querySelector('[data-key="bay-1-1"]'), true)`)
	live := liveDay(s.Clock.Now())
	live.Docks[1].Bays[0].State = "done"
	s.Live.Set(live)
	b.until(`[...document.querySelectorAll('[data-key="dock-front-desk"] [data-key="bay-1-1"] .status')].some(e => e.textContent.includes("Done"))`)
	b.scheme("light", 390, 844)
	b.fits()
	b.scheme("light", 1440, 900)
}

// plays sees the video play, seek and step, and what that left in the record.
func (b *browser) plays(s *site, id evidence.EvidenceID) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(".cover")))
	b.pictures("item")
	if n := s.Events(b.t, evidence.EventEvidencePlayed, ""); n != 0 {
		b.t.Errorf("opening the page counts as playing %d times", n)
	}
	b.do(chromedp.Focus(chromedp.CSS(".cover")), chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector("video").currentTime > 0.2`)
	if !ask[bool](b, `document.activeElement === document.querySelector("[data-act=toggle]")`) {
		b.t.Error("the keyboard is lost when playing begins")
	}
	b.do(chromedp.KeyEvent(" ")) // the play button has the focus
	b.until(`document.querySelector("video").paused`)
	if got := ask[float64](b, `document.querySelector("video").duration`); got < 19 || got > 21 {
		b.t.Errorf("the video is %.2f s long, 20 was recorded", got)
	}
	b.do(chromedp.Click(chromedp.CSS(`[data-mark="12.5"]`)))
	b.until(`Math.abs(document.querySelector("video").currentTime - 12.5) < 0.05 && document.querySelector("video").readyState >= 2`)
	b.do(chromedp.Click(chromedp.CSS(`[data-act="back"]`)))
	b.until(`Math.abs(document.querySelector("video").currentTime - 7.5) < 0.05`)
	before := ask[float64](b, `document.querySelector("video").currentTime`)
	b.do(chromedp.Click(chromedp.CSS(`[data-act="frame-ahead"]`)))
	b.until(`document.querySelector("video").readyState >= 2 && !document.querySelector("video").seeking`)
	if step := ask[float64](b, `document.querySelector("video").currentTime`) - before; step < 0.01 || step > 0.1 {
		b.t.Errorf("a frame is %.3f s", step)
	}
	b.pictures("player")
	if n := s.Events(b.t, evidence.EventEvidencePlayed, evidence.ItemObject(id)); n != 1 {
		b.t.Errorf("one playing is %d events", n)
	}
	b.scheme("light", 390, 844)
	b.fits()
	b.scheme("light", 1440, 900)
}

// describe says what an exception was, where the browser tells.
func describe(d *runtime.ExceptionDetails) string {
	if d.Exception == nil {
		return d.URL
	}
	return d.Exception.Description
}
