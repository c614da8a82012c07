package dashboard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cases"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/dashboard"
	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/internal/testkit/routes"
	"github.com/sealdock/sealdock/proto/evidence"
)

// TestEveryPageIsForEverybody opens every page that there is, in every state that is
// worth a look, with all that can be unfolded unfolded: axe-core finds nothing in it
// against WCAG 2.2 AA, wide (each page once), on a phone and dark; nothing is wider than a phone; and
// whatever takes the keyboard shows it. The list of pages is the router's: a new one
// is looked at by itself, or fails until it is said what it is to be opened about.
func TestEveryPageIsForEverybody(t *testing.T) {
	rules := axeCore(t)
	s := newSite(t, func(c *dashboard.Config) {
		c.Derive = derive.New(derive.Config{Catalog: c.Cameras.Catalog, Originals: c.Packages, Agency: readingtest.Agency, Now: c.Now, Logger: slog.New(slog.DiscardHandler)})
	})
	b := newBrowser(t, s.named())
	b.authenticator()
	b.do(func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		if _, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
			return chromedp.Void{}, err
		}
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: rules})
		return chromedp.Void{}, err
	})
	l := &look{browser: b, seen: map[string]bool{}}
	token, err := s.Auth.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	l.open("/setup?token="+token, "setup")
	b.do(chromedp.SendKeys(chromedp.ID("name"), "Alba Moreno"), chromedp.SendKeys(chromedp.ID("login"), "a.moreno"), chromedp.SendKeys(chromedp.ID("password"), readingtest.Password), chromedp.SendKeys(chromedp.ID("again"), "another"), chromedp.Submit(chromedp.ID("name")))
	b.comes(`document.querySelector("#problem") !== null`)
	l.at("setup-refused")
	b.do(chromedp.SendKeys(chromedp.ID("password"), readingtest.Password), chromedp.SendKeys(chromedp.ID("again"), readingtest.Password), chromedp.Submit(chromedp.ID("name")))
	b.at("/")
	l.open("/setup?token="+token, "setup-closed")
	for _, room := range []string{"", "alerts", "cameras", "docks", "uplinks", "evidence", "cases", "quarantine", "people", "groups", "audit"} {
		l.open("/"+room, "empty-"+room)
	}

	about := s.showcase(t)
	l.factors()
	l.routes(s, about)
	l.rooms()
	for name, path := range map[string]string{
		"missing": "/nothing-here", "evidence-found-nothing": "/evidence?q=zebra&kind=video", "evidence-narrowed": "/evidence?officer=Jonah+Reyes", "people-found-nothing": "/people?q=zebra", "settings-found-nothing": "/settings?q=zebra",
		"alerts-past": "/alerts?show=all", "role-new": "/roles/new", "role-own": "/roles/" + about.ownRole, "own-person": "/people/a.moreno", "person-invited": "/people/" + about.invited, "item-missing": "/evidence/" + evidence.EvidenceID{9}.String(),
		"item-held": "/evidence/" + about.held, "item-receiving": "/evidence/" + about.receiving, "item-metadata": "/evidence/" + about.metadata, "camera-held": "/cameras/SD-04420", "camera-pending": "/cameras/SD-04433", "camera-keyless": "/cameras/0000A8F2", "dock-away": "/uplinks/docks/pier-4", "dock-disabled": "/docks/pier-4", "dock-unused": "/docks/spare", "docks-sorted": "/docks?sort=-state",
		"cases-found-nothing": "/cases?q=zebra", "case-shut": "/cases/" + about.shut, "case-search": "/cases/" + about.file + "?q=clip", "case-done": "/cases/" + about.file + "?done=put&item=" + about.item,
		"case-put-which": "/cases/put?item=" + about.item + "&item=" + about.held, "case-put-sure": "/cases/put?case=26-1184&item=" + about.item + "&item=" + about.held, "evidence-case": "/evidence?case=26-1184",
		"audit-item": "/audit?about=item&object=" + about.item,
	} {
		l.open(path, name)
	}
	l.answers(about)
	l.twoPeople(s, about)
	l.gates(s, about.invitation)
	t.Logf("%d pages and states of them, on a phone, dark and, each page once, wide: %d violations, %d too wide, %d places where the keyboard is not seen", len(l.seen), l.violations, l.wide, l.unseen)
}

// axeCore is the text of axe-core, which make setup has fetched.
func axeCore(t *testing.T) string {
	t.Helper()
	setup, err := os.ReadFile("../../../scripts/setup")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^axe_version=(\S+)$`).FindSubmatch(setup)
	cache, err := os.UserCacheDir()
	if err != nil || version == nil {
		t.Fatalf("where axe-core is kept is not known: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(cache, "sealdock", "axe-core-"+string(version[1])+".js"))
	if err != nil {
		t.Skipf("NO PAGE WAS LOOKED AT: axe-core is not here (make setup): %v", err)
	}
	return string(text)
}

// look goes from page to page and judges each.
type look struct {
	*browser
	seen                     map[string]bool // names of pages
	whole                    bool            // the pages are those of the router, not states of them
	violations, wide, unseen int
}

// open goes to a page and judges it.
func (l *look) open(path, name string) {
	l.t.Helper()
	l.do(chromedp.Navigate(l.origin + path))
	if want, _, _ := strings.Cut(path, "?"); want != ask[string](l.browser, "location.pathname") {
		l.t.Errorf("%s leads to %s", path, ask[string](l.browser, "location.pathname"))
	}
	l.at(name)
}

// submit sends a form as the page of a room would, and waits for what comes.
func (l *look) submit(action string, fields map[string]string) {
	l.t.Helper()
	text, err := json.Marshal(fields)
	if err != nil {
		l.t.Fatal(err)
	}
	ask[bool](l.browser, fmt.Sprintf(`(() => { globalThis.before = true; const f = document.createElement("form"); f.method = "post"; f.action = %q;
		for (const [name, value] of Object.entries(%s)) { const i = document.createElement("input"); i.type = "hidden"; i.name = name; i.value = value; f.append(i) }
		document.body.append(f); setTimeout(() => f.submit()); return true })()`, action, text))
	l.comes(`globalThis.before !== true && document.readyState === "complete"`)
}

// at judges the page that is open.
func (l *look) at(name string) {
	l.t.Helper()
	if l.seen[name] {
		l.t.Errorf("two pages are called %s", name)
	}
	l.seen[name] = true
	for _, as := range []struct {
		name, scheme  string
		width, height int64
	}{{"wide", "light", 1440, 900}, {"phone", "light", 390, 844}, {"dark", "dark", 1440, 900}} {
		if as.name == "wide" && !l.whole && l.picture == "" {
			continue // another state of a page that was judged wide: narrow is harder, and dark is wide too
		}
		l.scheme(as.scheme, as.width, as.height)
		l.shot(name + "-" + as.name)
		ask[bool](l.browser, `(document.activeElement.blur(), document.querySelectorAll("details:not([open])").forEach(d => { d.open = true; d.dataset.was = "shut" }), true)`)
		if as.name == "phone" {
			if over := ask[string](l.browser, widest); over != "" {
				l.wide++
				l.t.Errorf("%s is wider than a phone: %s", name, over)
			}
			for _, v := range ask[[]string](l.browser, squeezed) {
				l.wide++
				l.t.Errorf("%s is too wide for a phone: nothing is left for %s", name, v)
			}
			if ask[bool](l.browser, `document.querySelector("[data-was]") !== null`) {
				l.shot(name + "-unfolded")
			}
		}
		rules := allRules
		if as.name == "dark" {
			rules = colourRules // all else is as in the light
		}
		for _, v := range ask[[]string](l.browser, fmt.Sprintf(judge, rules)) {
			l.violations++
			l.t.Errorf("%s, %s: %s", name, as.name, v)
		}
		if as.name == "dark" {
			l.press(kb.Tab)
			for _, v := range ask[[]string](l.browser, unseen) {
				l.unseen++
				l.t.Errorf("%s: the keyboard is not seen at %s", name, v)
			}
		}
		ask[bool](l.browser, `(document.querySelectorAll("details[data-was]").forEach(d => { d.open = false; delete d.dataset.was }), true)`)
	}
	l.scheme("light", 1440, 900)
}

// judge has axe-core look at the page and tells what it found, a line each.
const judge = `axe.run(document, {runOnly: %s, resultTypes: ["violations"], preload: false}).then(found =>
	found.violations.flatMap(v => v.nodes.slice(0, 4).map(n => v.id + ": " + n.html.slice(0, 160) + " " + (n.any[0] || n.all[0] || n.none[0] || {message: ""}).message)))`

const (
	allRules    = `{type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}`
	colourRules = `{type: "rule", values: ["color-contrast", "link-in-text-block"]}`
)

// widest names what sticks out of the window, "" for nothing.
const widest = `(() => { if (document.scrollingElement.scrollWidth <= innerWidth) return "";
	const out = [...document.querySelectorAll("main *, header *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 3).map(e => e.outerHTML.slice(0, 120));
	return document.scrollingElement.scrollWidth + " of " + innerWidth + ": " + out.join(" | ") })()`

// squeezed names text that stands upright, because nothing is left of its width.
const squeezed = `[...document.querySelectorAll("body *")].filter(e => e.checkVisibility() && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim().length > 4)).filter(e => {
	const s = getComputedStyle(e), box = e.getBoundingClientRect(), size = parseFloat(s.fontSize);
	return box.height > 5 * size && box.width < 3 * size && s.position !== "absolute" }).slice(0, 3).map(e => e.outerHTML.slice(0, 120))`

// unseen gives the focus to everything that takes it, as the keyboard would, and
// names what then looks as before.
const unseen = `(() => { const found = [];
	for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0'], video[controls]")) {
		if (e.disabled || !e.checkVisibility()) continue;
		e.focus({preventScroll: true});
		if (document.activeElement !== e) continue;
		const s = getComputedStyle(e);
		if (s.outlineStyle === "none" || parseFloat(s.outlineWidth) < 2) found.push(e.outerHTML.slice(0, 120));
	}
	document.activeElement.blur();
	return found.slice(0, 4) })()`

// What is answered with no page of its own, and why.
var leadElsewhere = map[string]string{
	"GET /sign-in/oidc": "leads to the provider", "GET /sign-in/oidc/back": "comes from the provider", "GET /sign-in/oidc/end": "leads to the provider",
	"GET /confirm": "leads on for who has shown a factor just now: see factors and gates", "GET /sign-in/factor": "leads to sign-in without a password before",
	"GET /account/phone":                  "offered to who manages nothing, where codes are sent: see TestAPhoneIsSetUpAndSignsInOnItsPages",
	"GET /evidence/{id}/package/progress": "tells a page of a package that it asked for",
	"GET /cases/put":                      "opened about recordings: see case-put",
	"GET /setup":                          "opened with a link", "GET /join": "opened with a link", "GET /again": "opened with a form that waits: see answers",
}

// routes opens every page of the router.
func (l *look) routes(s *site, about *shown) {
	l.t.Helper()
	l.whole = true
	defer func() { l.whole = false }()
	for _, pattern := range routes.Of(l.t, dashboard.Routes(dashboard.Config{Settings: s.Settings, Freezes: s.Freezes})) {
		path, isGet := strings.CutPrefix(pattern, "GET ")
		if !isGet || leadElsewhere[pattern] != "" {
			continue
		}
		path = about.path(path)
		code := ask[int](l.browser, fmt.Sprintf(asked, path))
		switch code {
		case noPage:
		case http.StatusOK:
			l.open(path, strings.Trim(strings.NewReplacer("/", "-", "{", "", "}", "", "$", "overview").Replace(strings.TrimPrefix(pattern, "GET /")), "-"))
		default:
			l.t.Errorf("%s answers %s with %d: say in thing.path what it is to be opened about, or in leadElsewhere why it has no page", pattern, path, code)
		}
	}
}

const noPage = -1

// asked is the status of a page; noPage where the answer is none, as a stream is.
const asked = `(async () => { const stop = new AbortController();
	const answer = await fetch(%q, {headers: {Accept: "text/html"}, redirect: "manual", signal: stop.signal});
	const kind = answer.headers.get("Content-Type") || "";
	stop.abort();
	return answer.type === "opaqueredirect" ? 303 : answer.status < 400 && !kind.startsWith("text/html") || kind.startsWith("text/plain") ? -1 : answer.status })()`

// rooms judges the rooms as a phone shows them, opened and left by keyboard.
func (l *look) rooms() {
	l.t.Helper()
	l.do(chromedp.Navigate(l.origin + "/"))
	l.scheme("light", 390, 844)
	l.tabTo(focused(".rooms-key"))
	l.press(kb.Enter)
	l.until(`document.querySelector("#rooms").matches(":popover-open")`)
	l.shot("rooms-phone")
	for _, v := range ask[[]string](l.browser, fmt.Sprintf(judge, allRules)) {
		l.violations++
		l.t.Errorf("the rooms on a phone: %s", v)
	}
	l.press(kb.Tab)
	if !ask[bool](l.browser, `document.querySelector("#rooms").contains(document.activeElement)`) {
		l.t.Error("the keyboard does not go into the rooms that it opened")
	}
	l.press(kb.Escape)
	l.until(`document.activeElement.matches(".rooms-key") && !document.querySelector("#rooms").matches(":popover-open")`)
	l.scheme("light", 1440, 900)
}

// shown is what the pages are opened about.
type shown struct {
	thing
	held, receiving, metadata, invited, invitation, ownRole, group, shut string
}

// showcase fills the site as a year of use would.
func (s *site) showcase(t *testing.T) *shown {
	t.Helper()
	s.fill(t)
	s.garage(t)
	s.uplinkDay(t)
	s.Live.Set(liveDay(s.Clock.Now()))
	clip := s.Keep(t, readingtest.Recording{
		Path: "DCIM/100SEALD/CLIP0051.MP4", Officer: "Jonah Reyes", Camera: "SD-04412", Model: "Sealdock Sim 2", Content: video(t), Adjust: readingtest.WrongClock,
		Began: s.Clock.Now().Add(readingtest.Ahead - 12*time.Minute), Ended: s.Clock.Now().Add(readingtest.Ahead - 11*time.Minute),
		Marks: []evidence.Mark{{AtSeconds: 4, Label: "Traffic stop"}, {AtSeconds: 12.5, Label: "Driver steps out"}},
	})
	metadata := s.Keep(t, readingtest.Recording{Path: "DCIM/100SEALD/CLIP0051.JSON", Kind: evidence.KindMetadata, Officer: "Jonah Reyes", Content: []byte(`{"officer":"Jonah Reyes"}`)})
	receiving := s.Offer(t, readingtest.Recording{Path: "DCIM/100SEALD/CLIP0052.MP4", Officer: "Jonah Reyes", Content: []byte("on its way")})
	held := s.Hold(t, readingtest.Recording{Path: "DCIM/100SEALD/CLIP0109.MP4", Camera: "SD-04401", Dock: "garage", Station: "north", Content: []byte("wrong")}, "the bytes read back have SHA-256 7d1a…, the manifest says 2c26…")
	s.Update(t, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.SetSetting(ctx, &catalog.Setting{Agency: readingtest.Agency, Name: settings.SecurityContact, Value: "mailto:security@harbour-city.example", UpdatedAt: s.Clock.Now(), UpdatedBy: "local"})
	})
	boss := s.Actor(t, s.again(t))
	desk := s.Auth.Desk(boss)
	var failed error
	keep := func(id string, err error) string {
		if failed == nil {
			failed = err
		}
		return id
	}
	role := keep(desk.PutRole(t.Context(), "", "Viewer", "Watches what it is granted", []string{string(auth.SeeOverview), string(auth.ListItems)}))
	_, invitation, err := desk.Invite(t.Context(), auth.NewPerson{Login: "d.whitfield", Name: "Dana Whitfield", Role: auth.Role(role)})
	keep("", err)
	officer, _ := s.member(t, boss, "j.reyes", auth.Officer, "B-17")
	group := keep(desk.PutGroup(t.Context(), "", "Night shift"))
	keep("", desk.SetMember(t.Context(), group, officer, true))
	keep(desk.Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "j.reyes", Role: string(auth.Investigator), Scope: catalog.OnStation, Value: "north", ViewOnly: true, Until: s.Clock.Now().Add(240 * time.Hour), Networks: []string{"192.0.2.0/24"}, Reason: "Case 26-1184"}))
	keep(desk.Grant(t.Context(), catalog.Grant{Holder: catalog.ToGroup, HolderID: group, Role: string(auth.Supervisor), Scope: catalog.OnStation, Value: "harbour"}))
	gathered := keep(s.Cases.For(boss).Open(t.Context(), cases.Draft{Number: "26-1184", Title: "Fire at pier 4", Note: "Two units on the scene.\nThe third came later.", Lead: "j.reyes"}))
	shut := keep(s.Cases.For(boss).Open(t.Context(), cases.Draft{Number: "25-0310", Title: "A theft that is long over and has a long title of a great many words"}))
	_, err = s.Cases.For(boss).Put(t.Context(), gathered, []evidence.EvidenceID{clip.ID, metadata.ID, held.ID})
	keep("", err)
	keep("", s.Cases.For(boss).Close(t.Context(), shut))
	keep(desk.Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "d.whitfield", Role: string(auth.Prosecutor), Scope: catalog.OnCase, Value: gathered, ViewOnly: true, Until: s.Clock.Now().Add(240 * time.Hour), Reason: "Trial in May"}))
	keep(desk.Grant(t.Context(), catalog.Grant{Holder: catalog.ToGroup, HolderID: group, Role: string(auth.Investigator), Scope: catalog.OnCase, Value: gathered}))
	if failed != nil {
		t.Fatal(failed)
	}
	s.roomsDay(t, boss, clip.ID)
	request := s.waitingDownload(t, boss, clip.ID)
	s.Sequence(t)
	return &shown{thing: thing{clip.ID.String(), "SD-04409", "front-desk", "north", "j.reyes", "supervisor", gathered, request},
		held: held.ID.String(), receiving: receiving.ID.String(), metadata: metadata.ID.String(), invited: "d.whitfield", invitation: invitation, ownRole: role, group: group, shut: shut}
}

// factors sets a second factor up, page by page.
func (l *look) factors() {
	l.t.Helper()
	l.open("/account", "account-bare")
	l.do(chromedp.Navigate(l.origin + "/account/factor"))
	l.browser.at("/confirm")
	l.at("confirm-password")
	l.submit("/confirm", map[string]string{"next": "/account/factor", "password": readingtest.Password})
	l.at("factor-first")
	l.submit("/account/app", map[string]string{"next": "/account"})
	l.at("app")
	l.do(chromedp.Navigate(l.origin+"/account/factor"), chromedp.SendKeys(chromedp.ID("passkey-name"), "Blue key"), chromedp.KeyEvent(kb.Enter))
	l.browser.at("/account/recovery")
	l.at("recovery-first")
	l.submit("/account/recovery", map[string]string{"next": "/account"})
	l.at("recovery-codes")
}

// answers are pages that only a form leads to.
func (l *look) answers(about *shown) {
	l.t.Helper()
	for name, form := range map[string]struct {
		action string
		fields map[string]string
	}{
		"invited":         {"/people", map[string]string{"name": "Kim Larsen", "login": "k.larsen", "role": "officer"}},
		"invite-refused":  {"/people", map[string]string{"name": "Kim Larsen", "login": "k larsen", "role": "officer"}},
		"grant-refused":   {"/grants", map[string]string{"holder": "person", "holder_id": "j.reyes", "back": "/people/j.reyes", "role": "officer", "on": "item:", "which": "nothing"}},
		"grant-given":     {"/grants", map[string]string{"holder": "person", "holder_id": "d.whitfield", "back": "/evidence/" + about.item, "role": "officer", "on": "item:", "which": about.item}},
		"give-refused":    {"/grants", map[string]string{"holder": "person", "holder_id": "nobody", "back": "/evidence/" + about.item, "role": "officer", "on": "item:", "which": about.item}},
		"case-refused":    {"/cases", map[string]string{"number": "26-1184", "title": "Twin"}},
		"case-closed":     {"/cases/" + about.shut, map[string]string{"number": "x", "title": "x"}},
		"let-in-refused":  {"/grants", map[string]string{"holder": "person", "holder_id": "nobody", "back": "/cases/" + about.file, "role": "prosecutor", "on": "case:", "which": "26-1184"}},
		"role-refused":    {"/roles/new", map[string]string{"name": ""}},
		"group-refused":   {"/groups", map[string]string{"name": "Night shift"}},
		"setting-refused": {"/settings", map[string]string{"name": "session.idle_minutes", "was": "x", "value": "9999999", "reason": ""}},
		"window-refused":  {"/uplinks/stations/north", map[string]string{"act": "add", "rate": "fast", "what": "limit", "from": "08:00", "until": "18:00"}},
		"sending-refused": {"/uplinks/sending", map[string]string{"category": "use of force", "weight": "999"}},
		"clip-refused":    {"/evidence/" + about.item + "/clip", map[string]string{"from": "0:03", "to": "0:01", "reason": "case 4711"}},
		"camera-refused":  {"/cameras/assign", map[string]string{"serial": "SD-04409", "officer": "Ann"}},
		"camera-done":     {"/cameras/hold", map[string]string{"serial": "SD-04412", "reason": "Case 26-1178"}},
		"password-bad":    {"/account/password", map[string]string{"old": "x", "password": "short", "again": "short"}},
	} {
		if strings.HasSuffix(form.action, "stations/north") {
			form.action += "/bandwidth"
		}
		l.submit(form.action, form.fields)
		l.at(name)
	}
}

// twoPeople are the pages of acts that take a second person, and of forms that wait.
func (l *look) twoPeople(s *site, about *shown) {
	l.t.Helper()
	l.submit("/evidence/"+about.item+"/package", map[string]string{})
	l.at("waits")
	l.open("/approvals", "approvals-mine")
	l.open("/evidence/"+about.item, "item-waiting")
	l.submit("/approvals/"+about.request+"/approve", map[string]string{"digest": "stale"})
	l.at("approval-stale")
	l.submit("/approvals/"+about.request+"/refuse", map[string]string{"reason": "ask the captain first"})
	l.at("approval-refused")
	l.submit("/approvals/rule", map[string]string{"was": "evidence.download", "act": "cameras.hold", "reason": ""})
	l.at("approvals-rule-refused")
	s.Clock.Advance(6 * time.Minute)
	l.submit("/people/j.reyes/disable", map[string]string{"sure": "yes"})
	l.browser.at("/confirm")
	l.at("confirm-form")
	s.confirmed(l.t)
	l.do(chromedp.Navigate(l.origin + ask[string](l.browser, `new URL(location).searchParams.get("next")`)))
	l.at("again")
}

// gates are the pages of nobody, and of who is half way in.
func (l *look) gates(s *site, invitation string) {
	l.t.Helper()
	s.Clock.Advance(6 * time.Minute)
	l.do(chromedp.Navigate(l.origin + "/account/password"))
	l.browser.at("/confirm")
	l.at("confirm")
	l.do(chromedp.Submit(chromedp.CSS(`form[action="/sign-out"] button`)))
	l.browser.at("/sign-in")
	l.at("signed-out")
	l.open("/sign-in?ended=1", "session-ended")
	l.submit("/sign-in", map[string]string{"login": "a.moreno", "password": "wrong"})
	l.at("sign-in-refused")
	l.submit("/sign-in", map[string]string{"login": "a.moreno", "password": readingtest.Password})
	l.at("factor")
	l.submit("/sign-in/factor", map[string]string{"code": "123456x"})
	l.at("factor-refused")
	l.open("/join?token="+invitation, "join")
	l.submit("/join", map[string]string{"token": invitation, "password": "short", "again": "short"})
	l.at("join-refused")
	l.submit("/join", map[string]string{"token": invitation, "password": readingtest.Password, "again": readingtest.Password})
	l.at("joined")
	l.open("/join?token="+invitation, "join-closed")
}
