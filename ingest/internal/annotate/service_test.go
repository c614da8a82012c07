package annotate_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/annotate"
	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// member is somebody with a role, an officer id and a grant.
func member(t *testing.T, s *readingtest.Store, boss *auth.Actor, login string, role auth.Role, officer string, grants ...catalog.Grant) *auth.Actor {
	t.Helper()
	id, token, err := s.Auth.Desk(boss).Invite(t.Context(), auth.NewPerson{Login: login, Name: "Person " + login, Role: role, OfficerID: officer})
	for _, g := range grants {
		if err == nil {
			g.Holder, g.HolderID, g.Role = catalog.ToPerson, id, string(role)
			_, err = s.Auth.Desk(boss).Grant(t.Context(), g)
		}
	}
	if err == nil {
		err = s.Auth.Join(t.Context(), token, readingtest.Password, auth.Origin{Address: "192.0.2.8"})
	}
	var session string
	if err == nil {
		s.Clock.Advance(3e9)
		session, err = s.Auth.SignIn(t.Context(), login, readingtest.Password, "", auth.Origin{Address: "192.0.2.8"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s.Actor(t, session)
}

func TestWhatIsSaidChangesWithItsVersionAndNothingElse(t *testing.T) {
	s := readingtest.New(t)
	boss := s.Actor(t, s.SetUp(t))
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/CLIP1.MP4", Category: "traffic", Content: []byte("one")})
	object := evidence.ItemObject(item.ID)
	before := s.Item(t, item.ID)
	tags := []string{" K9 ", "k9", "", "use  of force"}
	got, err := s.Annotate.Apply(t.Context(), boss, item.ID, annotate.Change{Version: new(int64(0)), Title: new("  Foot pursuit "), Category: new("pursuit"), Tags: &tags, Note: new("one\r\ntwo"), Reason: "By the report"})
	if err != nil {
		t.Fatal(err)
	}
	want := catalog.Annotation{Title: "Foot pursuit", Category: "pursuit", Tags: []string{"k9", "use of force"}, Note: "one\ntwo"}
	if !reflect.DeepEqual(got.Annotation, want) || got.Annotated != 1 || got.Category != "pursuit" || got.ClaimedCategory() != "traffic" {
		t.Errorf("%+v at version %d, category %q, claimed %q", got.Annotation, got.Annotated, got.Category, got.ClaimedCategory())
	}
	after := s.Item(t, item.ID)
	if string(after.Manifest) != string(before.Manifest) || string(after.Receipt) != string(before.Receipt) || after.SHA256 != before.SHA256 || after.Path != before.Path {
		t.Error("what was recorded or signed has changed")
	}

	// Who has not seen it changes nothing, and is told what stands.
	var changed *annotate.ChangedError
	if _, err := s.Annotate.Apply(t.Context(), boss, item.ID, annotate.Change{Version: new(int64(0)), Title: new("Another")}); !errors.As(err, &changed) || changed.Item.Annotation.Title != "Foot pursuit" || changed.Item.Annotated != 1 {
		t.Errorf("of the former version: %v", err)
	}
	if _, err := s.Annotate.Apply(t.Context(), boss, item.ID, annotate.Change{Title: new("Another")}); !errors.As(err, &changed) {
		t.Errorf("of no version: %v", err)
	}
	// What stands already is no change.
	if got, err := s.Annotate.Apply(t.Context(), boss, item.ID, annotate.Change{Version: new(int64(1)), Title: new("Foot pursuit"), Category: new("pursuit")}); err != nil || got.Annotated != 1 {
		t.Errorf("the same again: %+v, %v", got, err)
	}
	// The former value put back, the camera's category with it.
	if _, err := s.Annotate.Apply(t.Context(), boss, item.ID, annotate.Change{Version: new(int64(1)), Title: new(""), Category: new("")}); err != nil {
		t.Fatal(err)
	}
	if row := s.Item(t, item.ID); row.Category != "traffic" || row.Annotation.Title != "" || len(row.Annotation.Tags) != 2 || row.Annotated != 2 {
		t.Errorf("put back: %+v, %q", row.Annotation, row.Category)
	}
	// Without a correction, the category of the form is the camera's and none of people.
	if got, err := s.Annotate.Apply(t.Context(), boss, item.ID, annotate.Change{Version: new(int64(2)), Category: new("traffic"), Place: new("Pier 4")}); err != nil || got.Annotation.Category != "" {
		t.Errorf("the camera's own category: %+v, %v", got, err)
	}

	past, err := s.Annotate.History(t.Context(), boss, item.ID)
	if err != nil || len(past) != 3 {
		t.Fatalf("%d changes, %v", len(past), err)
	}
	first := past[2]
	if want := []annotate.Was{{"title", "", "Foot pursuit"}, {"category", "", "pursuit"}, {"tags", "", "k9, use of force"}, {"note", "", "one\ntwo"}}; !reflect.DeepEqual(first.Fields, want) || first.Reason != "By the report" || first.Actor.Name != "Alba Moreno" {
		t.Errorf("the first change is %+v", first)
	}
	if want := []annotate.Was{{"title", "Foot pursuit", ""}, {"category", "pursuit", ""}}; !reflect.DeepEqual(past[1].Fields, want) {
		t.Errorf("the second change is %+v", past[1].Fields)
	}
	if n := s.Events(t, evidence.EventAnnotated, object); n != 5 { // three done, two refused
		t.Errorf("%d events", n)
	}
}

func TestWhoMaySaySomethingOfARecording(t *testing.T) {
	s := readingtest.New(t)
	boss := s.Actor(t, s.SetUp(t))
	mine := s.Keep(t, readingtest.Recording{Path: "DCIM/MINE.MP4", Badge: "B-17", Category: "traffic", Content: []byte("mine")})
	other := s.Keep(t, readingtest.Recording{Path: "DCIM/OTHER.MP4", Badge: "B-18", Category: "traffic", Content: []byte("another's")})
	coming := s.Offer(t, readingtest.Recording{Path: "DCIM/COMING.MP4", Badge: "B-17", Content: []byte("on its way")})
	officer := member(t, s, boss, "j.reyes", auth.Officer, "B-17")
	auditor := member(t, s, boss, "a.udit", auth.Auditor, "")
	investigator := member(t, s, boss, "i.nspect", auth.Investigator, "", catalog.Grant{Scope: catalog.OnCategory, Value: "traffic"})
	viewer := member(t, s, boss, "v.iew", auth.Investigator, "", catalog.Grant{Scope: catalog.OnCategory, Value: "traffic", ViewOnly: true})
	say := func(who *auth.Actor, id evidence.EvidenceID, c annotate.Change) error {
		version := s.Item(t, id).Annotated
		c.Version = &version
		_, err := s.Annotate.Apply(t.Context(), who, id, c)
		return err
	}
	titled := annotate.Change{Title: new("A title")}
	for name, try := range map[string]struct {
		who  *auth.Actor
		item *catalog.Item
		want error
	}{
		"an officer, of their own": {officer, mine, nil}, "an officer, of another's": {officer, other, catalog.ErrNotFound}, "an officer, of what is on its way": {officer, coming, annotate.ErrNotArrived},
		"an auditor": {auditor, mine, auth.ErrForbidden}, "an investigator": {investigator, other, nil}, "somebody who may only look": {viewer, other, auth.ErrForbidden},
	} {
		before := s.Events(t, evidence.EventAnnotated, evidence.ItemObject(try.item.ID))
		if err := say(try.who, try.item.ID, titled); !errors.Is(err, try.want) {
			t.Errorf("%s: %v, want %v", name, err, try.want)
		}
		if n := s.Events(t, evidence.EventAnnotated, evidence.ItemObject(try.item.ID)); n != before+1 && (try.want != nil || s.Item(t, try.item.ID).Annotation.Title == "") {
			t.Errorf("%s: %d events tell of it", name, n-before)
		}
	}
	if _, err := s.Annotate.History(t.Context(), officer, other.ID); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("the history of another's recording: %v", err)
	}

	// The corrected category is the one that grants go by: it gives and takes.
	if err := say(boss, other.ID, annotate.Change{Category: new("homicide")}); err != nil {
		t.Fatal(err)
	}
	if err := say(investigator, other.ID, titled); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("who had it by the camera's category: %v", err)
	}
	page, err := s.Reading.Items(t.Context(), investigator, catalog.ItemFilter{}, "", 10)
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != mine.ID {
		t.Errorf("their list has %d, %v", len(page.Items), err)
	}
}

func TestWhatCannotBeKeptIsRefused(t *testing.T) {
	s := readingtest.New(t)
	boss := s.Actor(t, s.SetUp(t))
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/CLIP1.MP4", Content: []byte("one")})
	many := strings.Split(strings.Repeat("x,", 19)+"y", ",")
	for i := range many {
		many[i] += strings.Repeat("z", i)
	}
	for name, c := range map[string]annotate.Change{
		"a long title": {Title: new(strings.Repeat("x", annotate.MaxTitle+1))}, "a long note": {Note: new(strings.Repeat("x", annotate.MaxNote+1))}, "a long tag": {Tags: &[]string{strings.Repeat("x", annotate.MaxTag+1)}},
		"a comma in a tag": {Tags: &[]string{"a,b"}}, "too many tags": {Tags: new(append(many, "one more"))}, "lines in a title": {Title: new("a\nb")}, "a bell": {Note: new("a\x07")}, "broken text": {Place: new("a\xff")}, "a long reason": {Reason: strings.Repeat("x", 500)},
	} {
		c.Version = new(int64(0))
		if _, err := s.Annotate.Apply(t.Context(), boss, item.ID, c); !errors.Is(err, annotate.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := s.Annotate.Apply(t.Context(), boss, item.ID, annotate.Change{Version: new(int64(0)), Tags: &many, Note: new(strings.Repeat("x", annotate.MaxNote))}); err != nil || len(got.Annotation.Tags) != annotate.MaxTags {
		t.Errorf("as much as is taken: %v", err)
	}
}
