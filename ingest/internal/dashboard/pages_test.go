package dashboard_test

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// hostile are texts that would run, break out or confuse if they were not
// shown as text.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'><svg onload=alert(1)>`, `</textarea><script>alert(1)</script>`,
	`javascript:alert(1)`, `{{.Agency}}`, `<a href="javascript:alert(1)">x</a>`, `<style>*{display:none}</style>`, `--><script>alert(1)</script>`,
	`<iframe srcdoc="<script>alert(1)</script>">`, `" autofocus onfocus=alert(1) x="`, `<math><mi xlink:href="data:x,<script>alert(1)</script>">`,
	`&lt;script&gt;alert(1)&lt;/script&gt;`, `<title></title><script>alert(1)</script>`, `]]><script>alert(1)</script>`, `%3Cscript%3Ealert(1)%3C/script%3E`,
	"\u202Eevil", `<body onload=alert(1)>`, `<base href="https://evil.example/">`, `<form action="https://evil.example/"><input name=q>`,
}

func TestNamesFromOutsideAreText(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	client := s.signedIn(t)
	var docks []reading.LiveDock
	var transfers []reading.Transfer
	pages := []string{"/", "/evidence", "/quarantine"}
	for i, text := range hostile {
		name := strings.ReplaceAll(text, "/", "\u2215") // a slash would end the shown name
		item := s.Keep(t, readingtest.Recording{
			Path: fmt.Sprintf("DCIM/%d%s.MP4", i, name), Officer: text, Camera: text, Model: text, Content: []byte(text),
			Marks: []evidence.Mark{{AtSeconds: 1, Label: text}},
		})
		held := s.Hold(t, readingtest.Recording{Path: fmt.Sprintf("DCIM/held%d%s", i, name), Officer: text, Camera: text, Model: text, Content: []byte("held " + text)}, text)
		pages = append(pages, "/evidence/"+item.ID.String(), "/evidence/"+held.ID.String(), "/evidence/"+item.ID.String()+"/receipt",
			"/evidence?"+url.Values{"q": {text}, "camera": {text}, "dock": {text}, "state": {text}, "kind": {text}}.Encode(),
			"/sign-in?"+url.Values{"next": {text}}.Encode(), "/setup?"+url.Values{"token": {text}}.Encode())
		docks = append(docks, reading.LiveDock{Agency: string(readingtest.Agency), Station: text, Dock: text, Connected: true, AgentVersion: text,
			Bays: []reading.Bay{{Port: text, CameraSerial: text, CameraModel: text, State: text, Message: text, RecordingsTotal: 1}}})
		transfers = append(transfers, reading.Transfer{Agency: string(readingtest.Agency), Dock: text, Evidence: text, Camera: text, Path: name, Stage: text})
	}
	s.Live.Set(reading.Live{Docks: docks, Transfers: transfers})
	for _, page := range pages {
		a := s.get(t, client, page)
		if a.StatusCode >= 500 {
			t.Errorf("%s: %d", page, a.StatusCode)
		}
		for _, bad := range []string{"<script>", "<img", "<svg onload", "<iframe", "<style>", "<math", "<body onload", "<base", `href="javascript:`, "<form action=\"https", "onfocus=alert(1) x=\"\"", "<a href=\"javascript"} {
			if strings.Contains(a.body, bad) {
				t.Errorf("%s holds %s", page, bad)
			}
		}
		if strings.Count(a.body, "<body") != 1 || strings.Count(a.body, "<title>") != 1 {
			t.Errorf("%s was broken out of", page)
		}
	}
}

func TestADownloadIsAFileUnderAnyName(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	client := s.signedIn(t)
	for i, name := range append([]string{"A.MP4", "x.html", "x.svg", "x.pdf", "x.js", "..", ".", "CON", "a;b.mp4", `a"b.mp4`, `a\b.mp4`, "наряд 7.mp4", "a%2e.mp4", "-rf", "=cmd()"}, hostile...) {
		content := []byte(fmt.Sprintf("<html><script>alert(%d)</script>", i))
		item := s.Keep(t, readingtest.Recording{Path: fmt.Sprintf("DCIM%d/%s", i, name), Content: content})
		a := s.ask(t, client, "POST", "/evidence/"+item.ID.String()+"/original", url.Values{})
		if a.StatusCode != http.StatusOK || a.body != string(content) {
			t.Fatalf("%q: %d, %d bytes", name, a.StatusCode, len(a.body))
		}
		kind, params, err := mime.ParseMediaType(a.Header.Get("Content-Disposition"))
		if err != nil || kind != "attachment" || params["filename"] == "" {
			t.Errorf("%q: %q (%v)", name, a.Header.Get("Content-Disposition"), err)
		}
		if a.Header.Get("Content-Type") != "application/octet-stream" || !strings.Contains(a.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%q: %v", name, a.Header)
		}
		if n := s.Events(t, evidence.EventDownloaded, evidence.ItemObject(item.ID)); n != 1 {
			t.Errorf("%q: %d events", name, n)
		}
	}
}

func TestAPlayerIsGivenVideosOnly(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	client := s.signedIn(t)
	page := s.Keep(t, readingtest.Recording{Path: "DCIM/x.html", Kind: evidence.KindOther, Content: []byte("<script>alert(1)</script>")})
	if a := s.get(t, client, "/evidence/"+page.ID.String()+"/play"); a.StatusCode != http.StatusUnsupportedMediaType || strings.Contains(a.body, "alert(1)") {
		t.Errorf("a page was played: %d", a.StatusCode)
	}
	clip := s.Keep(t, readingtest.Recording{Path: "DCIM/x.mp4", Content: []byte("<script>alert(1)</script>")})
	if a := s.get(t, client, "/evidence/"+clip.ID.String()+"/play", "Sec-Fetch-Dest", "document"); a.StatusCode != http.StatusForbidden {
		t.Errorf("a video as a document: %d", a.StatusCode)
	}
	a := s.get(t, client, "/evidence/"+clip.ID.String()+"/play", "Sec-Fetch-Dest", "video")
	if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != "video/mp4" || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("a video: %d, %v", a.StatusCode, a.Header)
	}
}

func TestAnItemAlwaysSaysWhereItStands(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	client := s.signedIn(t)
	receiving := s.Offer(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: []byte("one")})
	held := s.Hold(t, readingtest.Recording{Path: "DCIM/2.MP4", Content: []byte("two")}, "its manifest carries no valid signature of dock front-desk")
	lost := s.Keep(t, readingtest.Recording{Path: "DCIM/3.MP4", Content: []byte("three")})
	s.Blobs.Lose(readingtest.Key(lost))
	empty := s.Keep(t, readingtest.Recording{Path: "DCIM/4.MP4"})
	destroyed := s.Keep(t, readingtest.Recording{Path: "DCIM/5.MP4", Content: []byte("five")})
	if err := s.DB.Update(t.Context(), func(tx *sqldb.Tx) error {
		return tx.DestroyKeys(t.Context(), readingtest.Agency, destroyed.ID, s.Clock.Now())
	}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id     evidence.EvidenceID
		code   int
		phrase string
	}{
		{receiving.ID, 200, "On its way"}, {held.ID, 200, "In quarantine"}, {held.ID, 200, "no valid signature"}, {lost.ID, 200, "The stored bytes are missing"},
		{destroyed.ID, 200, "Nobody can open this recording any more"},
		{empty.ID, 200, "An empty recording"}, {evidence.EvidenceID{7}, 404, "no evidence item with this id"},
	} {
		a := s.get(t, client, "/evidence/"+c.id.String())
		if a.StatusCode != c.code || !strings.Contains(strings.ToLower(a.body), strings.ToLower(c.phrase)) {
			t.Errorf("item %s: %d, and the page does not say %q", c.id, a.StatusCode, c.phrase)
		}
		if strings.Contains(a.body, "<video") || strings.Contains(a.body, "Download original") != (c.id == empty.ID) {
			t.Errorf("item %s offers what cannot be had", c.id)
		}
	}
	for _, id := range []evidence.EvidenceID{receiving.ID, held.ID} {
		if a := s.get(t, client, "/evidence/"+id.String()+"/play"); a.StatusCode != http.StatusConflict {
			t.Errorf("playing what is not stored: %d", a.StatusCode)
		}
	}
	if a := s.get(t, client, "/evidence/"+lost.ID.String()+"/play"); a.StatusCode != http.StatusInternalServerError || !strings.Contains(a.body, "missing") {
		t.Errorf("playing what is lost: %d", a.StatusCode)
	}
}

func TestTheListIsSearchedFilteredAndPaged(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	s.Enrol(t, "north", "garage")
	client := s.signedIn(t)
	if a := s.get(t, client, "/evidence"); !strings.Contains(a.body, "No evidence yet") {
		t.Error("an empty store teaches nothing")
	}
	for i := range 120 {
		r := readingtest.Recording{Path: fmt.Sprintf("DCIM/CLIP%04d.MP4", i), Content: []byte(fmt.Sprint(i)), Dock: "front-desk", Station: "north"}
		if i%3 == 0 {
			r.Officer, r.Dock, r.Camera = "Mirela Santos", "garage", "SD-7"
		}
		s.Offer(t, r)
		s.Clock.Advance(1e9)
	}
	seen, path := map[string]bool{}, "/evidence"
	for pages := 0; path != "" && pages < 10; pages++ {
		a := s.get(t, client, path)
		for i := range 120 {
			if name := fmt.Sprintf("CLIP%04d.MP4", i); strings.Contains(a.body, name) {
				if seen[name] {
					t.Errorf("%s is on two pages", name)
				}
				seen[name] = true
			}
		}
		_, rest, more := strings.Cut(a.body, `rel="next" href="`)
		path = ""
		if more {
			path, _, _ = strings.Cut(rest, `"`)
			path = strings.ReplaceAll(path, "&amp;", "&")
		}
	}
	if len(seen) != 120 {
		t.Errorf("paging shows %d of 120", len(seen))
	}
	for query, want := range map[string]int{"q=clip0042": 1, "q=mirela": 40, "camera=SD-7": 40, "dock=garage": 40, "state=stored": 0, "state=receiving&q=clip011": 10, "kind=metadata": 0, "q=%00%ff%27": 0} {
		a := s.get(t, client, "/evidence?"+query)
		if got := strings.Count(a.body, `<th scope="row">`); got != min(want, 50) {
			t.Errorf("%s finds %d, want %d", query, got, want)
		}
		if want == 0 && query != "q=%00%ff%27" && !strings.Contains(a.body, "Nothing fits this search") {
			t.Errorf("%s: an empty page", query)
		}
	}
	if a := s.get(t, client, "/evidence?from=nonsense&q=a"); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/evidence?q=a" {
		t.Errorf("a broken cursor: %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
}

func TestTheReceiptIsShownAndHandedOutAsItWasSigned(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	client := s.signedIn(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: []byte("one")})
	path := "/evidence/" + item.ID.String() + "/receipt"
	if a := s.get(t, client, path); !strings.Contains(a.body, "Signature holds") || !strings.Contains(a.body, item.SHA256.String()) {
		t.Errorf("the receipt's page: %d", a.StatusCode)
	}
	if a := s.ask(t, client, "POST", path, url.Values{}); a.body != string(item.Receipt) {
		t.Error("the file is not the envelope that was signed")
	}
	if n := s.Events(t, evidence.EventReceiptOpened, evidence.ItemObject(item.ID)); n != 2 {
		t.Errorf("opened twice, %d events", n)
	}
}

func TestAnItemShowsWhatItsCamerasClockSaidAndWhatFollows(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	client := s.signedIn(t)
	raw := s.Clock.Now().Add(-3 * time.Hour).Add(readingtest.Ahead)
	signed := s.Keep(t, readingtest.Recording{Path: "DCIM/1.MP4", Content: []byte("one"), Began: raw, Ended: raw.Add(time.Minute), Adjust: readingtest.WrongClock})
	page := s.get(t, client, "/evidence/"+signed.ID.String()).body
	for _, want := range []string{
		"When it was recorded", "Began, by the camera’s clock", "as it was; never changed", "Began, corrected", "Ended, corrected", "give or take", "camera clock and its drift measured at this docking",
		"1 h 17 min ahead of the dock’s", "from 8 readings", "830 ms behind this server’s", "Camera’s clock loses", "signed by the camera", "All four equal",
		"1\u202f284", "counted and signed by the camera", "Hashes that came with the footage", "XXH64", "0ea03b369a463d9d", "the dock computed it too: equal", "taken over, not computed",
		raw.UTC().Format("2006-01-02T15:04:05"),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	set := s.Keep(t, readingtest.Recording{Path: "DCIM/3.MP4", Content: []byte("three"), Began: s.Clock.Now().Add(-time.Hour), Adjust: readingtest.SetClock})
	page = s.get(t, client, "/evidence/"+set.ID.String()).body
	for _, want := range []string{"measured at this docking and when it was last set", "1.4 s ahead of the dock’s", "Camera’s clock last set", "afterwards 3 ms ahead of the dock’s, give or take 35 ms, from 6 readings"} {
		if !strings.Contains(page, want) {
			t.Errorf("of a clock that was set the page does not say %q", want)
		}
	}
	bare := s.Keep(t, readingtest.Recording{Path: "DCIM/2.MP4", Content: []byte("two"), Began: raw})
	page = s.get(t, client, "/evidence/"+bare.ID.String()).body
	for _, want := range []string{"cannot be told", "not compared with the dock’s", "not compared with this server’s", "by a second read", "(camera clock)"} {
		if !strings.Contains(page, want) {
			t.Errorf("without measurements the page does not say %q", want)
		}
	}
	for _, not := range []string{"Began, corrected", "Hashes that came"} {
		if strings.Contains(page, not) {
			t.Errorf("without measurements the page says %q", not)
		}
	}
}
