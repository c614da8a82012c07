package dashboard_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

var rowHead = regexp.MustCompile(`(?s)<th scope="row">.*?<a href="([^"]+)"`)

// Tables are ordered by the heads of their columns, both ways; the browser remembers it,
// for each table alone; and the head says so.
func TestTablesAreOrderedByTheirHeads(t *testing.T) {
	s := newSite(t)
	s.fill(t)
	s.garage(t)
	client := s.signedIn(t)
	boss := s.Actor(t, s.again(t))
	s.member(t, boss, "z.ebra", auth.Auditor, "")
	s.member(t, boss, "b.ear", auth.Officer, "B-17")
	order := func(path string) []string {
		t.Helper()
		var all []string
		for _, m := range rowHead.FindAllStringSubmatch(s.get(t, client, path).body, -1) {
			all = append(all, m[1])
		}
		return all
	}
	for path, asked := range map[string]string{"/cameras": "serial", "/people": "name", "/docks": "station"} {
		up, down := order(path+"?sort="+asked), order(path+"?sort=-"+asked)
		if len(up) < 3 || up[0] == down[0] || up[0] != down[len(down)-1] && asked != "station" {
			t.Errorf("%s by %s: %v, and the other way round %v", path, asked, up, down)
		}
		again := s.get(t, client, path)
		if remembered := order(path); strings.Join(remembered, " ") != strings.Join(down, " ") || strings.Count(again.body, "aria-sort=") != 1 || !strings.Contains(again.body, `aria-sort="descending"`) {
			t.Errorf("%s came back as %v, want %v", path, remembered, down)
		}
	}
	for _, nonsense := range []string{"/cameras?sort=zebra", "/cameras?sort=%3Cscript%3E", "/docks?sort=-"} {
		a := s.get(t, client, nonsense)
		if a.StatusCode != 200 || strings.Contains(a.body, "aria-sort=") || a.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d with %q", nonsense, a.StatusCode, a.Header.Get("Set-Cookie"))
		}
	}
	// Evidence keeps its order with its search.
	if a := s.get(t, client, "/evidence?order=length&camera=SD-04401"); !strings.Contains(a.body, `aria-sort="ascending"><a class="sort-key" href="/evidence?camera=SD-04401&amp;order=-length">Size`) {
		t.Error("the head of Size does not turn the order round, within the search")
	}
	if up, down := order("/evidence?order=length"), order("/evidence?order=-length"); len(up) < 3 || up[0] != down[len(down)-1] {
		t.Errorf("by size: %v, and %v", up, down)
	}
}
