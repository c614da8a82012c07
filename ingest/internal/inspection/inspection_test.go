package inspection_test

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/inspection"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestTheLogIsSearchedByAllThatAnEventSays(t *testing.T) {
	bothEngines(t, func(t *testing.T, d *desk) {
		begun := d.clock.Now()
		d.day()
		for _, c := range []struct {
			name string
			q    inspection.Query
			want int
		}{
			{"everything", inspection.Query{}, 9 + 0},
			{"by name", inspection.Query{Person: "jonah reyes"}, 4},
			{"by sign-in name", inspection.Query{Person: "J.Reyes"}, 4},
			{"by id", inspection.Query{Person: jonah}, 4},
			{"a dock's acts", inspection.Query{Machine: "front-desk"}, 1},
			{"the server's acts", inspection.Query{Machine: "server"}, 1},
			{"about an item", inspection.Query{About: "item", Object: evidence.EvidenceID{0xab, 0xcd}.String()}, 4},
			{"about a camera", inspection.Query{About: "camera", Object: "SD-04409"}, 1},
			{"about a person", inspection.Query{About: "person", Object: "Jonah Reyes"}, 1},
			{"one act", inspection.Query{Act: string(evidence.EventDownloaded)}, 1},
			{"administrators' acts", inspection.Query{Act: "group:administration"}, 2},
			{"refused", inspection.Query{Outcome: "refused"}, 1},
			{"refused or failed", inspection.Query{Outcome: "not-done"}, 2},
			{"an address", inspection.Query{Address: "203.0.113.66"}, 1},
			{"a time span", inspection.Query{From: begun.Add(2 * time.Second), To: begun.Add(4 * time.Second)}, 2},
			{"several", inspection.Query{Person: jonah, Act: "group:viewing", Outcome: "done"}, 3},
		} {
			p := d.search(c.q)
			found := 0
			for _, e := range p.Entries {
				if e.Event.Type != evidence.EventAuditRead {
					found++
				}
			}
			if found != c.want {
				t.Errorf("%s: %d events, want %d", c.name, found, c.want)
			}
			if p.Found != int64(len(p.Entries)) {
				t.Errorf("%s: %d counted, %d listed", c.name, p.Found, len(p.Entries))
			}
			for i := 1; i < len(p.Entries); i++ {
				if p.Entries[i].Row.At.After(p.Entries[i-1].Row.At) {
					t.Errorf("%s: not newest first", c.name)
				}
			}
		}
	})
}

func TestASearchIsOneEventAndStandsStillWhileItIsPaged(t *testing.T) {
	d := newDesk(t)
	d.day()
	before := d.searches()
	seen := map[int64]bool{}
	cursor, pages := "", 0
	for {
		p, err := d.Search(t.Context(), auditor(), inspection.Query{}, cursor, 2)
		d.must(err)
		for _, e := range p.Entries {
			if seen[e.Row.ID] {
				t.Errorf("event %d on two pages", e.Row.ID)
			}
			seen[e.Row.ID] = true
		}
		d.add(evidence.Event{Type: evidence.EventEvidenceViewed, Actor: user(jonah, "Jonah Reyes")}) // comes in meanwhile
		again, err := d.Search(t.Context(), auditor(), inspection.Query{}, p.This, 2)
		d.must(err)
		if len(again.Entries) != len(p.Entries) || again.Entries[0].Row.ID != p.Entries[0].Row.ID {
			t.Error("the same page again is another one")
		}
		if pages++; p.Next == "" {
			break
		}
		cursor = p.Next
	}
	if len(seen) != 9 || pages != 5 {
		t.Errorf("%d events on %d pages", len(seen), pages)
	}
	if n := d.searches() - before; n != 1 {
		t.Errorf("one search is %d events", n)
	}
}

// Nobody looks without an event of it by making a cursor up, or taking another's.
func TestACursorIsOfOnesOwnSearch(t *testing.T) {
	d := newDesk(t)
	d.day()
	p := d.search(inspection.Query{Outcome: "refused"})
	other := auditor()
	other.User = jonah
	viewed := d.add(evidence.Event{Type: evidence.EventEvidenceViewed, Actor: user(alba, "Alba Moreno")})
	for name, try := range map[string]func() error{
		"another search": func() error {
			_, err := d.Search(t.Context(), auditor(), inspection.Query{}, p.This, 50)
			return err
		},
		"another person": func() error {
			_, err := d.Search(t.Context(), other, inspection.Query{Outcome: "refused"}, p.This, 50)
			return err
		},
		"no search": func() error {
			_, err := d.Search(t.Context(), auditor(), inspection.Query{}, "1", 50)
			return err
		},
		"an event that is none": func() error {
			_, err := d.Search(t.Context(), auditor(), inspection.Query{}, "999999999", 50)
			return err
		},
		"not a number": func() error {
			_, err := d.Search(t.Context(), auditor(), inspection.Query{}, "1.x.2", 50)
			return err
		},
	} {
		if err := try(); !errors.Is(err, catalog.ErrCursor) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_ = viewed
}

func TestOnlyWhoMayReadsTheLogAndARefusalIsAnEvent(t *testing.T) {
	d := newDesk(t)
	operator := auditor()
	operator.Role, operator.Powers = auth.Operator, auth.ShippedPowers(auth.Operator)
	if _, err := d.Search(t.Context(), operator, inspection.Query{}, "", 50); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("search: %v", err)
	}
	if _, err := d.Export(t.Context(), operator, inspection.Query{}, inspection.CSV); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("export: %v", err)
	}
	if _, err := d.EventProof(t.Context(), operator, 1); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("proof: %v", err)
	}
	stranger := auditor()
	stranger.Agency = "elsewhere-pd"
	if _, err := d.Search(t.Context(), stranger, inspection.Query{}, "", 50); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("another agency's administrator: %v", err)
	}
	if p := d.search(inspection.Query{Outcome: "refused"}); len(p.Entries) != 4 {
		t.Errorf("%d refusals, want 4", len(p.Entries))
	}
}

func TestWhatCannotBeMeantIsSaid(t *testing.T) {
	d := newDesk(t)
	for field, q := range map[string]inspection.Query{
		"person":  {Person: "nobody"},
		"machine": {Person: jonah, Machine: "front-desk"},
		"about":   {About: "weather", Object: "rain"},
		"object":  {About: "item", Object: "zzz"},
		"act":     {Act: "group:nothing"},
		"outcome": {Outcome: "perhaps"},
		"to":      {From: time.Unix(2, 0), To: time.Unix(1, 0)},
		"address": {Address: strings.Repeat("1", 300)},
	} {
		_, err := d.Search(t.Context(), auditor(), q, "", 50)
		var wrong *inspection.QueryError
		if !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if n := d.searches(); n != 0 {
		t.Errorf("%d searches were recorded that were none", n)
	}
}

func TestEventsAreToldInSentences(t *testing.T) {
	d := newDesk(t)
	d.day()
	for kind, details := range map[evidence.EventType]map[string]string{evidence.EventGroupChanged: {"name": "Night shift"}, evidence.EventGrantMade: {"holder": "person:" + jonah}, evidence.EventGrantEnded: {"holder": "group:0123456789abcdef"}} {
		d.add(evidence.Event{Type: kind, Actor: user(alba, "Alba Moreno"), Details: details, Source: "192.0.2.7"})
	}
	d.add(evidence.Event{Type: evidence.EventRoleChanged, Actor: user(alba, "Alba Moreno"), Outcome: evidence.OutcomeRefused, Source: "192.0.2.7"})
	var all []string
	for _, e := range d.search(inspection.Query{}).Entries {
		all = append(all, e.Sentence())
	}
	want := []string{
		"Somebody failed to sign in", "The server started", "Alba Moreno approved the key of camera SD-04409", "Alba Moreno made the account of Jonah Reyes",
		"Dock front-desk connected",
		"Jonah Reyes tried to download the original of a recording that was never taken in (abcd0000) and was refused",
		"Jonah Reyes looked at a recording that was never taken in (abcd0000)",
	}
	for i, sentence := range want {
		if got := all[len(all)-9:]; got[i] != sentence {
			t.Errorf("%q, want %q", got[i], sentence)
		}
	}
	for _, sentence := range []string{
		"Alba Moreno changed the group “Night shift”", "Alba Moreno made a grant for Jonah Reyes", "Alba Moreno ended a grant of a group",
		"Alba Moreno tried to change the role that is not named and was refused",
	} {
		if !slices.Contains(all, sentence) {
			t.Errorf("%q is not among %q", sentence, all)
		}
	}
}

// A new event without words would be told by its code.
func TestEveryEventHasWords(t *testing.T) {
	source, err := os.ReadFile("../../../proto/evidence/event.go")
	if err != nil {
		t.Fatal(err)
	}
	known := map[evidence.EventType]bool{}
	for _, act := range inspection.Acts() {
		if known[act.Type] {
			t.Errorf("%s stands twice", act.Type)
		}
		known[act.Type] = true
	}
	types := regexp.MustCompile(`EventType = "([a-z_.]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(types) < 50 {
		t.Fatalf("%d types of events were found", len(types))
	}
	for _, match := range types {
		if !known[evidence.EventType(match[1])] {
			t.Errorf("%s has no words: add it to acts.go", match[1])
		}
	}
}
