package dashboard_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cases"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// shared is what one person was let see, and what lies beside it.
type shared struct {
	*site
	boss                    *auth.Actor
	given, beside           string // items of the same camera
	file, otherFile         string // cases
	grant                   string
	theirs, program, admins *http.Client
}

// share lets a prosecutor look at one recording for 20 minutes, by a grant on it or on its case.
func share(t *testing.T, scope catalog.Scope) *shared {
	t.Helper()
	s := &shared{site: newSite(t)}
	s.fill(t)
	s.boss = s.Actor(t, s.SetUp(t))
	s.admins = s.client(t)
	s.give(t, s.admins, s.again(t))
	keep := func(name string) string {
		return s.Keep(t, readingtest.Recording{Path: "DCIM/" + name + ".MP4", Camera: "SD-04412", Content: []byte(strings.Repeat(name, 5000))}).ID.String()
	}
	s.given, s.beside = keep("GIVEN"), keep("BESIDE")
	var err error
	open := func(number, item string) string {
		id, failed := s.Cases.For(s.boss).Open(t.Context(), cases.Draft{Number: number, Title: "Case " + number})
		if failed == nil {
			parsed, _ := evidence.ParseEvidenceID(item)
			_, failed = s.Cases.For(s.boss).Put(t.Context(), id, []evidence.EvidenceID{parsed})
		}
		if failed != nil {
			t.Fatal(failed)
		}
		return id
	}
	s.file, s.otherFile = open("26-1", s.given), open("26-2", s.beside)
	_, s.theirs = s.member(t, s.boss, "p.rosecutor", auth.Prosecutor, "")
	value := map[catalog.Scope]string{catalog.OnItem: s.given, catalog.OnCase: "26-1"}[scope]
	s.grant, err = s.Auth.Desk(s.boss).Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "p.rosecutor", Role: string(auth.Prosecutor), Scope: scope, Value: value, ViewOnly: true, Until: s.Clock.Now().Add(20 * time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	s.program = s.site.program(t, s.theirs, auth.API)
	return s
}

// looks are all addresses that show something of an item.
var looks = []string{"/evidence/%s", "/evidence/%s/play", "/evidence/%s/receipt", "/api/v1/items/%s", "/api/v1/items/%s/events", "/api/v1/items/%s/receipt"}

// sees asks every address about an item, with a browser and with a token.
func (s *shared) sees(t *testing.T, what, item string, want bool) {
	t.Helper()
	for _, path := range looks {
		clients := []*http.Client{s.theirs}
		if strings.HasPrefix(path, "/api/") {
			clients = append(clients, s.program)
		}
		for _, client := range clients {
			a := s.get(t, client, fmt.Sprintf(path, item), "Range", "bytes=0-99")
			unknown := s.get(t, client, fmt.Sprintf(path, evidence.EvidenceID{9}.String()), "Range", "bytes=0-99")
			switch seen := a.StatusCode == 200 || a.StatusCode == 206; {
			case seen != want:
				t.Errorf("%s: "+path+" answers %d", what, item, a.StatusCode)
			case !want && (a.StatusCode != unknown.StatusCode || a.StatusCode != 404 && a.StatusCode != 403 || a.body != unknown.body):
				t.Errorf("%s: "+path+" answers %d, what is not there %d, the same text: %t", what, item, a.StatusCode, unknown.StatusCode, a.body == unknown.body)
			}
		}
	}
}

// Who was let see one recording, or one case, has that and nothing else: not by guessing,
// not by what lies beside it, not to take away, not to give further, and no longer than it
// was given.
func TestAttack54AccessToOneRecordingOrCaseGoesNoFurther(t *testing.T) {
	for _, scope := range []catalog.Scope{catalog.OnItem, catalog.OnCase} {
		t.Run(string(scope), func(t *testing.T) {
			s := share(t, scope)
			s.sees(t, "what was given", s.given, true)

			// Guessing: ids that differ in one digit, and any others.
			r := rand.New(rand.NewPCG(5, 4))
			for n := range 16 {
				guess := []byte(s.given)
				guess[r.IntN(32)] = "0123456789abcdef"[r.IntN(16)]
				if n%2 == 0 {
					guess = fmt.Appendf(nil, "%016x%016x", r.Uint64(), r.Uint64())
				}
				if string(guess) != s.given {
					if a := s.get(t, s.theirs, "/evidence/"+string(guess)); a.StatusCode != 404 {
						t.Errorf("a guess answers %d", a.StatusCode)
					}
				}
			}

			// What lies beside it: of the same camera, of another case.
			s.sees(t, "of the same camera", s.beside, false)
			for _, path := range []string{"/evidence", "/evidence?camera=SD-04412", "/evidence?q=mp4", "/evidence?case=26-2", "/quarantine", "/"} {
				if a := s.get(t, s.theirs, path); a.StatusCode != 200 || strings.Contains(a.body, "BESIDE") || strings.Contains(a.body, s.beside) || strings.Contains(a.body, "CLIP0038") {
					t.Errorf("%s: %d, or it shows what was not given", path, a.StatusCode)
				}
			}
			if a := s.get(t, s.program, "/api/v1/items?camera=SD-04412"); !strings.Contains(a.body, `"found":1,`) {
				t.Errorf("the camera's recordings: %s", a.body)
			}
			for _, path := range []string{"/cases/26-2", "/cases/" + s.otherFile, "/api/v1/cases/26-2", "/cameras/SD-04412", "/people", "/api/v1/items/" + s.given + "/seers", "/api/v1/cases/" + s.file + "/seers", "/audit"} {
				if a := s.get(t, s.theirs, path); a.StatusCode != 403 && a.StatusCode != 404 {
					t.Errorf("%s: %d", path, a.StatusCode)
				}
			}

			// Only to look: by no address does a byte go out as a file. There are no frames to
			// take, and no links to hand on.
			for _, item := range []string{s.given, s.beside} {
				for path, form := range map[string]url.Values{
					"/evidence/" + item + "/original": nil, "/evidence/" + item + "/package": nil,
					"/evidence/" + item + "/clip": {"from": {"0:00"}, "to": {"0:01"}, "reason": {"mine"}},
				} {
					if a := s.ask(t, s.theirs, "POST", path, form); a.StatusCode != 403 && a.StatusCode != 404 {
						t.Errorf("%s: %d", path, a.StatusCode)
					}
				}
				for path, body := range map[string]string{
					"/api/v1/packages": `{"items":["` + item + `"]}`, "/api/v1/items/" + item + "/clips": `{"from_us":0,"to_us":1000,"reason":"mine"}`,
				} {
					for _, client := range []*http.Client{s.theirs, s.program} {
						if a := s.send(t, client, "POST", path, body); a.StatusCode != 403 && a.StatusCode != 404 {
							t.Errorf("%s: %d", path, a.StatusCode)
						}
					}
				}
			}

			// Giving it further: to another person, by a case, by a wider grant.
			s.member(t, s.boss, "f.riend", auth.Prosecutor, "")
			for path, form := range map[string]url.Values{
				"/grants":                          {"holder": {"person"}, "holder_id": {"f.riend"}, "role": {"prosecutor"}, "on": {"item:"}, "which": {s.given}, "back": {"/evidence/" + s.given}},
				"/grants/" + s.grant + "/restore":  {},
				"/cases":                           {"number": {"mine"}, "title": {"Mine"}},
				"/cases/" + s.file + "/items":      {"item": {s.beside}},
				"/cases/" + s.otherFile + "/items": {"item": {s.given}},
				"/people":                          {"name": {"F"}, "login": {"f.oe"}, "role": {"prosecutor"}},
			} {
				if a := s.ask(t, s.theirs, "POST", path, form); a.StatusCode != 403 && a.StatusCode != 404 {
					t.Errorf("giving it further at %s: %d", path, a.StatusCode)
				}
			}
			for _, client := range []*http.Client{s.theirs, s.program} {
				if a := s.send(t, client, "POST", "/api/v1/grants", `{"holder":"person","holder_id":"f.riend","role":"prosecutor","scope":"case","value":"26-1"}`); a.StatusCode != 403 {
					t.Errorf("giving it further over the API: %d", a.StatusCode)
				}
				if a := s.send(t, client, "POST", "/api/v1/cases/26-1/items", `{"items":["`+s.beside+`"]}`); a.StatusCode != 403 {
					t.Errorf("widening the case over the API: %d", a.StatusCode)
				}
			}
			if n := s.Events(t, evidence.EventGrantMade, ""); n < 3 {
				t.Errorf("%d events of grants: the refused ones are not on record", n)
			}

			// Taken back: the next request is refused, also the next range of what plays.
			play := "/evidence/" + s.given + "/play"
			if a := s.get(t, s.theirs, play, "Range", "bytes=0-99"); a.StatusCode != 206 {
				t.Fatalf("it does not play: %d", a.StatusCode)
			}
			desk := s.Auth.Desk(s.boss)
			if err := desk.EndGrant(t.Context(), s.grant); err != nil {
				t.Fatal(err)
			}
			if a := s.get(t, s.theirs, play, "Range", "bytes=100-199"); a.StatusCode != 403 && a.StatusCode != 404 {
				t.Errorf("the next range after taking back: %d", a.StatusCode)
			}
			s.sees(t, "taken back", s.given, false)
			if err := desk.RestoreGrant(t.Context(), s.grant); err != nil {
				t.Fatal(err)
			}
			s.sees(t, "given again", s.given, true)

			// After its end: not a second more.
			s.Clock.Advance(20*time.Minute - time.Second)
			s.get(t, s.theirs, "/account") // the session is in use
			s.Clock.Advance(time.Second)
			s.sees(t, "after its end", s.given, false)
		})
	}
}

// A recording that is taken out of the case breaks off for who watched it by the case.
func TestAttack54WhatIsTakenOutOfACaseBreaksOff(t *testing.T) {
	s := share(t, catalog.OnCase)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/LONG.MP4", Content: []byte(strings.Repeat("footage ", 16<<20))})
	desk := s.Cases.For(s.boss)
	if _, err := desk.Put(t.Context(), s.file, []evidence.EvidenceID{item.ID}); err != nil {
		t.Fatal(err)
	}
	r, err := s.theirs.Get(s.server.URL + "/evidence/" + item.ID.String() + "/play")
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", r, err)
	}
	defer r.Body.Close()
	buffer := make([]byte, 1<<20)
	if _, err := io.ReadFull(r.Body, buffer); err != nil {
		t.Fatal(err)
	}
	if _, err := desk.Take(t.Context(), s.file, []evidence.EvidenceID{item.ID}); err != nil {
		t.Fatal(err)
	}
	var read int64
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for err == nil && read < int64(r.ContentLength) {
		<-tick.C // a reader that would take 13 seconds for the whole of it
		var n int
		n, err = io.ReadFull(r.Body, buffer)
		read += int64(n)
	}
	if err == nil || read > r.ContentLength/2 {
		t.Errorf("%d of %d bytes came after it was taken out: %v", read, r.ContentLength, err)
	}
	s.sees(t, "taken out", item.ID.String(), false)
	s.sees(t, "still in", s.given, true)
}
