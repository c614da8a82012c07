package dashboard_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestEvidenceIsSearchedAndTheSearchKeptByKeyboard(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	b := newBrowser(t, s.server.URL)
	b.setUp(s)
	b.do(chromedp.Navigate(b.origin+"/evidence"), chromedp.Focus(chromedp.ID("q")), chromedp.SendKeys(chromedp.ID("q"), "oka clip"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(`#q[value="oka clip"]`)))
	b.until(`document.querySelector(".found-head h2").textContent === "2 items" && document.querySelectorAll("table.items tbody tr").length === 2`)
	b.tabTo(`document.activeElement.matches(".found-head summary")`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.tabTo(`document.activeElement.id === "as"`)
	b.do(chromedp.KeyEvent("Okafor’s clips"))
	b.pictures("search-keep")
	b.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(`.tabs [aria-current][href*="oka"]`)))
	b.until(`document.querySelector(".tabs [aria-current]")?.textContent === "Okafor’s clips"`)
	b.do(chromedp.Navigate(b.origin + "/evidence?order=-officer&kind=video"))
	b.until(`document.querySelector("table.items tbody tr").textContent.includes("Tomasz Brandt")`)
	b.pictures("search")
	b.do(chromedp.Navigate(b.origin + "/evidence"))
	b.until(`location.search.includes("order=-officer") && document.querySelector("#order").value === "-officer"`)
	b.do(chromedp.Navigate(b.origin + "/evidence?q=nowhere"))
	b.until(`document.querySelector(".teach h2").textContent.includes("Nothing fits")`)
	b.pictures("search-nothing")
	b.guarded()
}

func TestKeptSearchesAreRenamedAndDeleted(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	client := s.signedIn(t)
	other := s.operator(t)
	post := func(client *http.Client, fields ...string) int {
		form := url.Values{"q": {"clip"}, "order": {"length"}}
		for i := 0; i < len(fields); i += 2 {
			form.Set(fields[i], fields[i+1])
		}
		return s.ask(t, client, "POST", "/evidence/searches", form).StatusCode
	}
	tabs := func(client *http.Client) string {
		_, rest, _ := strings.Cut(s.get(t, client, "/evidence?order=").body, `aria-label="Your searches"`)
		rest, _, _ = strings.Cut(rest, "</nav>")
		return rest
	}
	for _, c := range []struct {
		fields []string
		want   int
	}{
		{[]string{"do", "keep", "as", "Clips"}, http.StatusSeeOther},
		{[]string{"do", "keep", "as", "Clips"}, http.StatusUnprocessableEntity},
		{[]string{"do", "keep", "as", " "}, http.StatusUnprocessableEntity},
		{[]string{"do", "keep", "as", strings.Repeat("x", 61)}, http.StatusUnprocessableEntity},
		{[]string{"do", "keep", "as", "Others"}, http.StatusSeeOther},
		{[]string{"do", "rename", "name", "Others", "as", "Clips"}, http.StatusUnprocessableEntity},
		{[]string{"do", "rename", "name", "Others", "as", "Shortest <first>"}, http.StatusSeeOther},
	} {
		if code := post(client, c.fields...); code != c.want {
			t.Errorf("%v: %d, want %d", c.fields, code, c.want)
		}
	}
	if got := tabs(client); !strings.Contains(got, "Shortest &lt;first&gt;</a>") || !strings.Contains(got, ">Clips</a>") || strings.Contains(got, "Others") {
		t.Errorf("tabs: %s", got)
	}
	if got := tabs(other); strings.Contains(got, "Clips") {
		t.Errorf("another person sees them: %s", got)
	}
	if code := post(other, "do", "delete", "name", "Clips"); code != http.StatusSeeOther || !strings.Contains(tabs(client), ">Clips</a>") {
		t.Error("another person deletes them")
	}
	post(client, "do", "delete", "name", "Clips")
	if got := tabs(client); strings.Contains(got, ">Clips</a>") {
		t.Errorf("it is not deleted: %s", got)
	}
	if body := s.get(t, client, "/evidence?q=clip&order=length&deleted=Clips").body; !strings.Contains(body, "Undo: keep “Clips” again") {
		t.Error("no way to undo")
	}
}

func TestASearchOfEvidenceGoesByEveryField(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	client := s.signedIn(t)
	for query, want := range map[string]string{
		"q=": "6 items", "officer=Ines+Okafor": "2 items", "officer=Ines": "0 items", "camera=SD-04401": "2 items", "station=harbour": "2 items", "dock=garage": "2 items",
		"state=stored": "6 items", "state=quarantined": "0 items", "kind=metadata": "1 item", "q=SANTOS": "1 item", "q=ink": "0 items", "q=%25": "0 items",
		"recorded=2026-11-22T04:00&recorded-to=2026-11-22T04:10": "1 item", "arrived=2026-11-22T09:05": "3 items", "category=none": "0 items",
		"wearer=nobody": "",
	} {
		page := s.get(t, client, "/evidence?order=length&"+query)
		if want != "" && !strings.Contains(page.body, ">"+want+"</h2>") {
			_, found, _ := strings.Cut(page.body, `found-head"><h2>`)
			found, _, _ = strings.Cut(found, "<")
			t.Errorf("%s: %d, %q, want %q", query, page.StatusCode, found, want)
		}
	}
	if page := s.get(t, client, "/evidence?recorded=yesterday"); page.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page.body, "cannot be read") {
		t.Errorf("a time that is none: %d", page.StatusCode)
	}
	for query, want := range map[string]int{"sort=-length&officer=Ines+Okafor": 200, "recorded_from=2026-11-22T00:00:00Z": 200, "sort=colour": 400, "arrived_to=yesterday": 400} {
		if got := s.get(t, client, "/api/v1/items?"+query); got.StatusCode != want {
			t.Errorf("the API, %s: %d %s", query, got.StatusCode, got.body)
		}
	}
}
