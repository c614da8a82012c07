package dashboard_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

func TestALivePageEndsWithinASecondOfBeingDisabled(t *testing.T) {
	s := newSite(t)
	boss := s.Actor(t, s.SetUp(t))
	id, theirs := s.member(t, boss, "o.ops", auth.Operator, "")
	r, err := theirs.Get(s.server.URL + "/live")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, 1<<20)
	var disabled time.Time
	for lines.Scan() {
		switch {
		case disabled.IsZero() && strings.HasPrefix(lines.Text(), "event: wall"):
			if err := s.Auth.Desk(boss).Disable(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			disabled = time.Now()
		case strings.HasPrefix(lines.Text(), "event: end"):
			t.Logf("it ended after %v", time.Since(disabled))
			if time.Since(disabled) > 2*time.Second { // a second, and what a busy machine adds
				t.Error("it took too long")
			}
			return
		}
	}
	t.Errorf("the page never ended: %v", lines.Err())
}

// The download of a large recording stops when its grant is taken back.
func TestADownloadEndsWhenItsGrantDoes(t *testing.T) {
	s := newSite(t)
	boss := s.Actor(t, s.SetUp(t))
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/LONG.MP4", Content: []byte(strings.Repeat("footage ", 16<<20))})
	_, theirs := s.member(t, boss, "i.nvest", auth.Investigator, "")
	grant, err := s.Auth.Desk(boss).Grant(t.Context(), catalog.Grant{Holder: catalog.ToPerson, HolderID: "i.nvest", Role: string(auth.Investigator), Scope: catalog.OnItem, Value: item.ID.String()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := theirs.Post(s.server.URL+"/evidence/"+item.ID.String()+"/original", "application/x-www-form-urlencoded", http.NoBody)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", r, err)
	}
	defer r.Body.Close()
	buffer := make([]byte, 1<<20)
	read, ended := 0, time.Time{}
	for {
		n, err := r.Body.Read(buffer)
		read += n
		if err != nil {
			t.Logf("%d of %d bytes came, the last %v after the grant was taken back (%v)", read, item.Length, time.Since(ended), err)
			if read >= int(item.Length) {
				t.Error("all of it came")
			}
			return
		}
		if ended.IsZero() {
			if err := s.Auth.Desk(boss).EndGrant(t.Context(), grant); err != nil {
				t.Fatal(err)
			}
			ended = time.Now()
		}
		for range 20 { // a reader that does something with what it gets
			if _, err := s.Auth.Desk(boss).Person(t.Context(), "i.nvest"); err != nil {
				t.Fatal(err)
			}
		}
	}
}
