package dashboard_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
)

// What somebody does who never read a manual: a role, a person, a grant; and what the
// person then can do, and cannot.
func TestANewAdministratorMakesARoleAPersonAndAGrant(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	clip := s.Keep(t, readingtest.Recording{Path: "DCIM/100SEALD/CLIP0051.MP4", Officer: "Jonah Reyes", Content: video(t)})
	token, err := s.Auth.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, s.server.URL)
	b.do(
		chromedp.Navigate(b.origin+"/setup?token="+token),
		chromedp.SendKeys(chromedp.ID("name"), "Alba Moreno"), chromedp.SendKeys(chromedp.ID("login"), "a.moreno"),
		chromedp.SendKeys(chromedp.ID("password"), readingtest.Password), chromedp.SendKeys(chromedp.ID("again"), readingtest.Password),
		chromedp.Submit(chromedp.ID("name")), chromedp.WaitVisible(chromedp.CSS(".figures")),
		chromedp.Click(chromedp.CSS(`a[href="/people"]`)), chromedp.WaitVisible(chromedp.ID("invite")),
		chromedp.Click(chromedp.CSS(`.tabs a[href="/roles"]`)), chromedp.WaitVisible(chromedp.CSS(`a[href="/roles/new"]`)))
	b.pictures("roles")

	// The role, by keyboard alone.
	b.do(chromedp.Click(chromedp.CSS(`a[href="/roles/new"]`)), chromedp.WaitVisible(chromedp.ID("about")))
	b.do(chromedp.Focus(chromedp.ID("name")), chromedp.KeyEvent("Viewer"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("Watches what it is granted"))
	for range 4 { // overview, find, open, play
		b.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(" "))
	}
	b.pictures("role-new")
	b.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(".notice.ok")))

	// The person.
	b.do(chromedp.Navigate(b.origin+"/people"), chromedp.WaitVisible(chromedp.ID("invite")),
		chromedp.SendKeys(chromedp.ID("name"), "Dana Whitfield"), chromedp.SendKeys(chromedp.ID("login"), "d.whitfield"))
	ask[bool](b, `(() => { const s = document.getElementById("role"); s.value = [...s.options].find(o => o.text == "Viewer").value; return true })()`)
	b.pictures("people")
	b.do(chromedp.Submit(chromedp.ID("login")), chromedp.WaitVisible(chromedp.ID("link")))
	b.pictures("invited")
	link := ask[string](b, `document.getElementById("link").value`)

	// The grant: this one recording.
	b.do(chromedp.Click(chromedp.CSS(`.button[href="/people/d.whitfield"]`)), chromedp.WaitVisible(chromedp.CSS(`[data-act=grant] summary`)),
		chromedp.Click(chromedp.CSS(`[data-act=grant] summary`)), chromedp.WaitVisible(chromedp.CSS("[name=which]")))
	ask[bool](b, `(() => { const s = document.getElementById("role-d.whitfield"); s.value = [...s.options].find(o => o.text == "Viewer").value;
		document.getElementById("on-d.whitfield").value = "item:"; return true })()`)
	b.do(chromedp.SendKeys(chromedp.CSS("[name=which]"), clip.ID.String()), chromedp.SendKeys(chromedp.CSS("[name=reason]"), "Case 26-1184"))
	b.pictures("person-grant")
	b.do(chromedp.Submit(chromedp.CSS("[name=which]")), chromedp.WaitVisible(chromedp.CSS(".notice.ok")))
	b.pictures("person")
	b.do(chromedp.Navigate(b.origin+"/evidence/"+clip.ID.String()), chromedp.WaitVisible(chromedp.ID("seers")))
	b.pictures("seers")
	b.do(chromedp.Navigate(b.origin+"/groups"), chromedp.WaitVisible(chromedp.ID("name")))
	b.pictures("groups")

	// The person comes, finds it, plays it, and has no way to take it away.
	b.do(chromedp.Submit(chromedp.CSS(".who form")), chromedp.WaitVisible(chromedp.ID("login")))
	u := b.origin + link[len("https://")+len(ask[string](b, "location.host")):]
	b.do(chromedp.Navigate(u), chromedp.WaitVisible(chromedp.ID("again")))
	b.pictures("join")
	b.do(chromedp.SendKeys(chromedp.ID("password"), "paper lamp ocean nine"), chromedp.SendKeys(chromedp.ID("again"), "paper lamp ocean nine"),
		chromedp.Submit(chromedp.ID("password")), chromedp.WaitVisible(chromedp.CSS(`a[href="/sign-in"]`)), chromedp.Click(chromedp.CSS(`a[href="/sign-in"]`)),
		chromedp.WaitVisible(chromedp.ID("login")), chromedp.SendKeys(chromedp.ID("login"), "d.whitfield"), chromedp.SendKeys(chromedp.ID("password"), "paper lamp ocean nine"),
		chromedp.Submit(chromedp.ID("login")), chromedp.WaitVisible(chromedp.CSS(".who")))
	b.pictures("their-overview")
	b.do(chromedp.Click(chromedp.CSS(`a[href="/evidence"]`)), chromedp.WaitVisible(chromedp.CSS("table.items")))
	if n := ask[int](b, `document.querySelectorAll("table.items tbody tr").length`); n != 1 {
		t.Errorf("they find %d recordings, want the one", n)
	}
	b.do(chromedp.Click(chromedp.CSS("table.items tbody a")), chromedp.WaitVisible(chromedp.CSS(".cover")), chromedp.Click(chromedp.CSS(".cover")))
	b.until(`document.querySelector("video").currentTime > 0.2`)
	b.pictures("their-item")
	for what, gone := range map[string]string{"a download": `form[action$="/original"]`, "a package": `form[action$="/package"]`, "a clip": `form[action$="/clip"]`, "who sees it": "#seers", "people": `a[href="/people"]`} {
		if ask[bool](b, `document.querySelector('`+gone+`') != null`) {
			t.Errorf("their page offers %s", what)
		}
	}
	if code := ask[int](b, `fetch("/evidence/`+clip.ID.String()+`/original", {method: "POST"}).then(r => r.status)`); code != 403 {
		t.Errorf("asked all the same, the download answers %d", code)
	}
	b.said.mu.Lock()
	defer b.said.mu.Unlock()
	if len(b.said.all) > 0 {
		t.Errorf("the browser complains: %q", b.said.all)
	}
}
