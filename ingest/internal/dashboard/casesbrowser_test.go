package dashboard_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/proto/evidence"
)

// signsIn signs somebody in by keyboard.
func (b *browser) signsIn(login string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.origin+"/sign-in"), chromedp.SendKeys(chromedp.ID("login"), login), chromedp.SendKeys(chromedp.ID("password"), readingtest.Password), chromedp.Submit(chromedp.ID("login")))
	b.arrive(`location.pathname === "/" && document.readyState === "complete"`)
}

// A case for a prosecutor, by keyboard alone: it is opened, two recordings are put in, a
// prosecutor is let in, plays them and takes nothing away; it is taken back while the
// player has more to ask for.
func TestACaseForAProsecutorByKeyboard(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	content := video(t)
	clip := s.Keep(t, readingtest.Recording{Path: "DCIM/100SEALD/CLIP0051.MP4", Officer: "Jonah Reyes", Content: content})
	second := s.Keep(t, readingtest.Recording{Path: "DCIM/100SEALD/CLIP0052.MP4", Officer: "Jonah Reyes", Content: content[:len(content)-9]})
	s.Keep(t, readingtest.Recording{Path: "DCIM/100SEALD/CLIP0053.MP4", Officer: "Jonah Reyes", Content: []byte("another")})
	boss := s.Actor(t, s.SetUp(t))
	_, other := s.member(t, boss, "p.rosecutor", auth.Prosecutor, "")
	b := newBrowser(t, s.named())
	b.signsIn("a.moreno")

	b.tabTo(focused(`a[href="/cases"]`))
	b.press(kb.Enter)
	b.arrive(`location.pathname === "/cases" && document.readyState === "complete"`)
	b.tabTo(focused("#number"))
	b.press("26-1184")
	b.tabTo(focused("#title"))
	b.press("Fire at pier 4")
	b.press(kb.Enter)
	b.arrive(`document.querySelector("h1")?.textContent === "26-1184 · Fire at pier 4" && document.readyState === "complete"`)

	// Two of them, from the case's page.
	b.tabTo(focused("#q"))
	b.press("reyes clip005")
	b.press(kb.Enter)
	b.arrive(`document.querySelectorAll("#put input[type=checkbox]").length === 3 && document.readyState === "complete"`)
	for _, id := range []evidence.EvidenceID{clip.ID, second.ID} {
		b.tabTo(focused("#pick-" + id.String()))
		b.press(" ")
	}
	b.tabTo(focused("#put form[action='/cases/put'] button"))
	b.press(kb.Enter)
	b.arrive(`location.pathname === "/cases/put" && document.readyState === "complete"`)
	if text := ask[string](b, `document.querySelector("main").textContent`); !strings.Contains(text, "Nobody was let into this case") || !strings.Contains(text, "2 recordings") {
		t.Errorf("what is about to be done is told as %q", text)
	}
	b.tabTo(focused("main form[method=post] button"))
	b.press(kb.Enter)
	b.arrive(`location.pathname.startsWith("/cases/") && document.querySelectorAll("#recordings li").length === 2 && document.readyState === "complete"`)

	// Let in.
	b.tabTo(focused("[data-act=give] > summary"))
	b.press(kb.Enter)
	b.tabTo(focused("#give-person"))
	b.press("p.rosecutor")
	b.press(kb.Enter)
	b.arrive(`document.querySelector("#seers li")?.textContent.includes("Person p.rosecutor") && document.readyState === "complete"`)
	b.pictures("case")

	// The prosecutor finds exactly these, and plays.
	theirs := newBrowser(t, s.named())
	theirs.signsIn("p.rosecutor")
	theirs.do(chromedp.Navigate(b.origin + "/evidence"))
	if names := ask[string](theirs, `[...document.querySelectorAll("table.items tbody th a span")].map(e => e.firstChild.data).sort().join(" ")`); names != "CLIP0051.MP4 CLIP0052.MP4" {
		t.Errorf("the prosecutor finds %q", names)
	}
	theirs.do(chromedp.Navigate(b.origin+"/evidence/"+clip.ID.String()), chromedp.WaitVisible(chromedp.CSS(".cover")))
	if ask[bool](theirs, `document.querySelector('form[action$="/original"], form[action$="/package"], form[action$="/clip"]') !== null`) {
		t.Error("who may only look is offered to take it away")
	}
	theirs.tabTo(focused(".cover"))
	theirs.press(kb.Enter)
	theirs.until(`document.querySelector("video").currentTime > 0.2`)
	for _, path := range []string{"/original", "/package"} {
		if a := s.ask(t, other, "POST", "/evidence/"+clip.ID.String()+path, nil); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}

	// Taken back: the next request is refused, and so is the next range of what plays.
	const range2 = `fetch(document.querySelector("video").src, {headers: {Range: "bytes=100-199"}}).then(r => r.status)`
	if code := ask[int](theirs, range2); code != http.StatusPartialContent {
		t.Fatalf("a range while it plays: %d", code)
	}
	b.tabTo(focused("#seers li form button"))
	b.press(kb.Enter)
	b.arrive(`document.querySelector("#seers").textContent.includes("Nobody was let in") && document.querySelector(".undo") !== null`)
	if code := ask[int](theirs, range2); code != http.StatusForbidden && code != http.StatusNotFound {
		t.Errorf("the next range of what plays: %d", code)
	}
	theirs.do(chromedp.Navigate(b.origin + "/evidence/" + clip.ID.String()))
	if text := ask[string](theirs, `document.querySelector("main").textContent`); strings.Contains(text, "CLIP0051") {
		t.Error("the page is still shown")
	}
	b.tabTo(focused(".undo button"))
	b.press(kb.Enter)
	b.arrive(`document.querySelector("#seers li")?.textContent.includes("Person p.rosecutor") && document.readyState === "complete"`)
	theirs.do(chromedp.Navigate(b.origin+"/evidence/"+clip.ID.String()), chromedp.WaitVisible(chromedp.CSS(".cover")))
}
