package dashboard_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sealdock/sealdock/ingest/internal/annotate"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/proto/evidence"
)

// An administrator says what a recording is; somebody else is faster at the next change,
// and the page shows both; what stood before is put back; and the recording is found by
// its tag.
func TestWhatIsSaidOfARecordingIsChangedAndPutBackOnItsPage(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/100SEALD/CLIP0051.MP4", Officer: "Jonah Reyes", Category: "traffic stop", Content: video(t)})
	b := newBrowser(t, s.server.URL)
	b.setUp(s)
	boss := s.Actor(t, s.again(t))
	page := "/evidence/" + item.ID.String()
	b.do(chromedp.Navigate(b.origin+page), chromedp.WaitVisible(chromedp.ID("said")))
	open := func() {
		ask[bool](b, `(document.getElementById("said-title").closest("details").open = true)`)
	}
	fill := func(fields map[string]string) {
		t.Helper()
		for id, text := range fields {
			ask[string](b, `document.getElementById("said-`+id+`").value = ""`)
			b.do(chromedp.SendKeys(chromedp.ID("said-"+id), text))
		}
	}
	if claim := ask[string](b, `document.getElementById("said-category").value`); claim != "traffic stop" {
		t.Errorf("the form begins with category %q", claim)
	}
	open()
	fill(map[string]string{"title": "Foot pursuit at the pier", "category": "pursuit", "tags": "K9, juvenile", "incident": "26-1184", "why": "By the report"})
	b.do(chromedp.Submit(chromedp.ID("said-title")))
	b.arrive(`document.querySelector("h1").innerText === "Foot pursuit at the pier"`)
	b.pictures("item-said")
	said := ask[string](b, `document.querySelector("#said dl").innerText`)
	for _, want := range []string{"pursuit", "the camera claims “traffic stop”", "juvenile", "k9", "26-1184"} {
		if !strings.Contains(said, want) {
			t.Errorf("the page does not say %q: %q", want, said)
		}
	}

	// Somebody else is faster.
	if _, err := s.Annotate.Apply(t.Context(), boss, item.ID, annotate.Change{Version: new(int64(1)), Title: new("Vehicle stop"), Place: new("Pier 4")}); err != nil {
		t.Fatal(err)
	}
	open()
	fill(map[string]string{"title": "Pursuit, pier 4"})
	b.do(chromedp.Submit(chromedp.ID("said-title")))
	b.arrive(`document.getElementById("said-problem") !== null`)
	b.pictures("item-said-changed")
	both := ask[string](b, `document.getElementById("said-problem").innerText`)
	if !strings.Contains(both, "Vehicle stop") || !strings.Contains(both, "Pier 4") || ask[string](b, `document.getElementById("said-title").value`) != "Pursuit, pier 4" {
		t.Errorf("not both are shown: %q", both)
	}
	if row := s.Item(t, item.ID); row.Annotation.Title != "Vehicle stop" || row.Annotated != 2 {
		t.Errorf("it was changed all the same: %+v", row.Annotation)
	}
	b.do(chromedp.Submit(chromedp.ID("said-title"))) // having seen it, keep what was typed
	b.arrive(`document.querySelector("h1").innerText === "Pursuit, pier 4"`)

	// What stood before is put back.
	ask[bool](b, `(document.querySelector(".past").closest("details").open = true)`)
	b.pictures("item-history")
	if n := ask[int](b, `document.querySelectorAll(".past > li").length`); n != 3 {
		t.Errorf("the history has %d changes", n)
	}
	b.do(chromedp.Click(chromedp.CSS(".past > li:first-child button")))
	b.arrive(`document.querySelector("h1").innerText === "Vehicle stop"`)
	if row := s.Item(t, item.ID); row.Annotation.Place != "Pier 4" || row.Annotated != 4 {
		t.Errorf("put back: %+v at %d", row.Annotation, row.Annotated)
	}

	b.do(chromedp.Click(chromedp.CSS(`#said a[href="/evidence?tag=k9"]`)))
	b.arrive(`location.pathname === "/evidence" && document.querySelectorAll("tbody tr").length === 1 && document.querySelector("tbody th").innerText.includes("Vehicle stop")`)
	b.pictures("evidence-by-tag")
	if n := s.Events(t, evidence.EventAnnotated, evidence.ItemObject(item.ID)); n != 5 { // four done, one refused
		t.Errorf("%d events", n)
	}
}

// The API says and asks the same.
func TestWhatIsSaidOfARecordingOverTheAPI(t *testing.T) {
	s := newSite(t)
	client := s.signedIn(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/CLIP1.MP4", Category: "traffic stop", Content: []byte("one")})
	path := "/api/v1/items/" + item.ID.String() + "/annotation"
	do := func(method, body string, want int) string {
		t.Helper()
		a := s.send(t, client, method, path, body)
		if a.StatusCode != want {
			t.Errorf("%s %s: %d %s", method, body, a.StatusCode, a.body)
		}
		return a.body
	}
	if text := do("PATCH", `{"version":0,"title":"Foot pursuit","category":"pursuit","tags":["K9"]}`, http.StatusOK); !strings.Contains(text, `"claimed_category":"traffic stop"`) || !strings.Contains(text, `"version":1`) {
		t.Error(text)
	}
	if text := do("PATCH", `{"version":0,"title":"Another"}`, http.StatusConflict); !strings.Contains(text, "Foot pursuit") {
		t.Errorf("who was too late is not told what stands: %s", text)
	}
	do("PATCH", `{"title":"Another"}`, http.StatusBadRequest)
	do("PATCH", `{"version":1,"tags":["a,b"]}`, http.StatusUnprocessableEntity)
	if text := do("GET", "", http.StatusOK); !strings.Contains(text, `{"name":"category","before":"","after":"pursuit"}`) || strings.Count(text, `"fields"`) != 1 {
		t.Error(text)
	}
	for query, want := range map[string]string{"tag=k9": `"found":1`, "incident=26": `"found":0`, "category=pursuit": `"found":1`, "q=foot": `"found":1`} {
		if a := s.get(t, client, "/api/v1/items?"+query); !strings.Contains(a.body, want) {
			t.Errorf("%s: %s", query, a.body)
		}
	}
}
