package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sealdock/sealdock/internal/testkit/browser"
	"github.com/sealdock/sealdock/internal/testkit/station"
)

// What somebody does on the first day, who never read a manual: from the link that init
// prints to a person who watches one recording that a camera has just brought, and
// cannot take it away. Nothing is typed into the address bar but the two links; all else
// is reached from the pages, and by the keyboard alone.
func TestANewAdministratorLetsAPersonWatchARecording(t *testing.T) {
	boss, dana := newPerson(t), newPerson(t)
	s := open(t, station.Options{Name: "localhost"}, "--cameras", "1", "--recordings", "1", "--size-mib", "8")
	drained(t, s)
	began := time.Now()

	// The administrator, and a passkey.
	boss.authenticator()
	boss.visit(s.SetupLink)
	boss.fills("#name", "Alba Moreno", "#login", "a.moreno", "#password", "a long walk by the grey river", "#again", "a long walk by the grey river")
	boss.press(kb.Enter)
	boss.at("/account/factor")
	boss.fills("#passkey-name", "Blue key")
	boss.chooses(".passkey button")
	boss.at("/account/recovery")
	boss.chooses(`form[action="/account/recovery"] button`)
	boss.until(`document.querySelectorAll(".recovery-codes li").length === 10`)
	boss.follows("main a.button", "/")
	boss.until(`document.querySelector("[data-live-state]").textContent.includes("Live")`)

	// A role.
	boss.follows(`nav a[href="/people"]`, "/people")
	boss.follows(`.tabs a[href="/roles"]`, "/roles")
	boss.follows(`a[href="/roles/new"]`, "/roles/new")
	boss.fills("#name", "Viewer", "#about", "Watches what it is granted")
	for _, action := range []string{"overview.see", "evidence.list", "evidence.view", "evidence.play"} {
		boss.tabTo(`input[name="action"][value="` + action + `"]`)
		boss.press(" ")
	}
	boss.chooses(`form[action="/roles/new"] button`)
	boss.reads(".notice.ok", "The role is kept")

	// A person.
	boss.follows(`nav a[href="/people"]`, "/people")
	boss.fills("#name", "Dana Whitfield", "#login", "d.whitfield", "#role", "Viewer")
	boss.chooses("#invite button")
	boss.reads("h1", "Dana Whitfield is invited")
	link := boss.text("#link")

	// A grant of this one recording, given where it is watched.
	boss.follows(`nav a[href="/evidence"]`, "/evidence")
	boss.fills("#q", "mp4"+kb.Enter)
	boss.until(`location.search.includes("q=mp4") && document.querySelector("table.items") !== null`)
	boss.chooses("table.items tbody a")
	boss.until(`document.querySelector("[data-player]") !== null`)
	name := boss.text("h1")
	boss.chooses(`[data-act="give"] summary`)
	boss.fills("#give-person", "d.whitfield", "#give-role", "Viewer", "#give-reason", "Case 26-1184")
	boss.chooses(`[data-act="give"] button`)
	boss.reads("#seers .notice.ok", "The grant stands")
	boss.reads("#seers", "Dana Whitfield")

	// The person accepts, and signs in.
	dana.visit(link)
	dana.reads("h1", "Welcome, Dana Whitfield")
	dana.fills("#password", "paper lamp ocean nine", "#again", "paper lamp ocean nine"+kb.Enter)
	dana.reads("main", "Your account is ready")
	dana.follows(`a[href="/sign-in"]`, "/sign-in")
	dana.fills("#login", "d.whitfield", "#password", "paper lamp ocean nine"+kb.Enter)
	dana.at("/")
	dana.absent(`nav a[href="/people"]`, `nav a[href="/audit"]`, `nav a[href="/cameras"]`)

	// Finds it, by a word of its name.
	dana.follows(`nav a[href="/evidence"]`, "/evidence")
	dana.fills("#q", strings.ToLower(strings.TrimSuffix(name, ".MP4"))+kb.Enter)
	dana.until(`location.search.includes("q=") && document.querySelectorAll("table.items tbody tr").length === 1`)
	dana.chooses("table.items tbody a")
	dana.reads("h1", name)

	// Plays it.
	dana.until(`document.querySelector(".cover:not([hidden])") !== null`)
	dana.chooses(".cover")
	dana.until(`document.querySelector("video").currentTime > 0.2 && document.querySelector("video").videoWidth > 0`)
	at := dana.number(`document.querySelector("video").currentTime`)
	dana.until(fmt.Sprintf(`document.querySelector("video").currentTime > %f`, at+0.5))

	// And has no way to take it away: not on the page, and not without it.
	dana.absent(`form[action$="/original"]`, `form[action$="/package"]`, `form[action$="/clip"]`, `form[action$="/receipt"]`, `a[href$="/receipt"]`, "a[download]", "#seers")
	for _, way := range []string{"original", "package", "receipt"} {
		if code := dana.number(`fetch(location.pathname + "/` + way + `", {method: "POST"}).then(r => r.status)`); code != 403 {
			t.Errorf("asked all the same, %s answers %.0f", way, code)
		}
	}

	// The record has the refusals, and whose they were.
	boss.follows(`nav a[href="/audit"]`, "/audit")
	boss.chooses(`.tabs a[href*="outcome=not-done"]`)
	boss.until(`location.search.includes("outcome=not-done") && document.querySelector("table.audit") !== null`)
	rows := boss.text("table.audit tbody")
	if n := strings.Count(rows, "Dana Whitfield"); n != 3 || strings.Count(rows, name) == 0 {
		t.Errorf("%d refusals of Dana Whitfield are on record, want 3: %s", n, rows)
	}
	took := time.Since(began)
	t.Logf("from the set-up link to the refusal on record: %.1f s", took.Seconds())
	if took > 3*time.Minute {
		t.Errorf("it took %v", took)
	}
}

// person is somebody before a browser of their own.
type person struct {
	t   *testing.T
	tab context.Context
}

func newPerson(t *testing.T) *person { return &person{t, browser.Open(t)} }

func (p *person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%v, at %s", err, p.text("body"))
	}
}

// authenticator gives the browser one that a finger is always on.
func (p *person) authenticator() {
	p.t.Helper()
	p.do(func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, webauthn.Enable, webauthn.EnableParams{})
		if err == nil {
			_, err = chromedp.Call(ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
				Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
				HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
			}})
		}
		return chromedp.Void{}, err
	})
}

// visit types a link into the address bar.
func (p *person) visit(link string) {
	p.t.Helper()
	p.do(chromedp.Navigate(link))
}

// press sends keys to whatever has the focus.
func (p *person) press(keys string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys))
}

// chooses goes to a link or a button by keyboard, and presses it.
func (p *person) chooses(selector string) {
	p.t.Helper()
	p.tabTo(selector)
	p.press(kb.Enter)
}

// follows chooses a link and waits for the page that it leads to.
func (p *person) follows(selector, path string) {
	p.t.Helper()
	p.chooses(selector)
	p.at(path)
}

// fills goes to fields by keyboard and types into them, given as pairs of selector and
// text.
func (p *person) fills(pairs ...string) {
	p.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		p.tabTo(pairs[i])
		p.press(pairs[i+1])
	}
}

// tabTo presses Tab until an element has the focus.
func (p *person) tabTo(selector string) {
	p.t.Helper()
	for range 120 {
		if p.number("Number(document.activeElement !== null && document.activeElement.matches(`"+selector+"`))") == 1 {
			return
		}
		p.press(kb.Tab)
	}
	p.t.Fatalf("no key leads to %s", selector)
}

// at waits for a page.
func (p *person) at(path string) {
	p.t.Helper()
	p.until(`document.readyState === "complete" && location.pathname === "` + path + `"`)
}

// reads waits for words on the page.
func (p *person) reads(selector, words string) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.querySelector(`%s`) !== null && document.querySelector(`%s`).textContent.includes(%q)", selector, selector, words))
}

// absent sees that nothing fits any of these selectors.
func (p *person) absent(selectors ...string) {
	p.t.Helper()
	for _, selector := range selectors {
		if n := p.number("document.querySelectorAll(`" + selector + "`).length"); n != 0 {
			p.t.Errorf("the page has %.0f of %s", n, selector)
		}
	}
}

// until waits for a script to give true. A page that goes takes the question along:
// then it is asked of the next one.
func (p *person) until(script string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, time.Minute)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](script, chromedp.WithPollingInterval(50*time.Millisecond)))
		switch {
		case err == nil:
			return
		case ctx.Err() != nil:
			p.t.Fatalf("waiting for %s: %v, at %s", script, err, p.text("body"))
		}
	}
}

// text is what an element says.
func (p *person) text(selector string) string {
	p.t.Helper()
	return eval[string](p, "(e => e.value || e.innerText)(document.querySelector(`"+selector+"`))")
}

// number is what a script gives.
func (p *person) number(script string) float64 {
	p.t.Helper()
	return eval[float64](p, script)
}

func eval[T any](p *person, script string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, time.Minute)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", script, err)
	}
	return v
}
