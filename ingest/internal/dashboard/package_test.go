package dashboard_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The receipts of this store prove nothing, so the button leads to a refusal in
// words; what a package is, export tests.
func TestAPackageThatWouldNotProveItselfIsRefusedInWords(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	client := s.signedIn(t)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/A.MP4", Content: []byte("moving pictures")})
	if a := s.ask(t, client, "GET", "/evidence/"+item.ID.String(), nil); !strings.Contains(a.body, "Custody package") {
		t.Error("the page of a stored item offers no package")
	}
	a := s.ask(t, client, "POST", "/evidence/"+item.ID.String()+"/package", url.Values{})
	if a.StatusCode != http.StatusInternalServerError || !strings.Contains(a.body, "does not prove itself") {
		t.Errorf("%d: %s", a.StatusCode, a.body)
	}
	if n := s.Events(t, evidence.EventPackaged, evidence.ItemObject(item.ID)); n != 1 {
		t.Errorf("%d events", n)
	}
	coming := s.Offer(t, readingtest.Recording{Path: "DCIM/B.MP4", Content: []byte("on its way")})
	if a := s.ask(t, client, "GET", "/evidence/"+coming.ID.String(), nil); strings.Contains(a.body, "Custody package") {
		t.Error("a package is offered of what is not stored yet")
	}
	if a := s.ask(t, client, "POST", "/evidence/"+coming.ID.String()+"/package", url.Values{}); a.StatusCode != http.StatusConflict {
		t.Errorf("of what is not stored yet: %d", a.StatusCode)
	}
}
