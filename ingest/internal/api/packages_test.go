package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
)

func TestPackagesAreAskedForInOneWay(t *testing.T) {
	d := newDesk(t)
	item := d.Keep(t, readingtest.Recording{Path: "DCIM/A.MP4", Content: []byte("moving pictures")}).ID.String()
	other := strings.Repeat("ab", 16)
	for body, want := range map[string]int{
		`{"items":["` + item + `"]}`:                        http.StatusInternalServerError, // the receipts of this store prove nothing
		`{"items":["` + item + `"],"from":5,"to":5}`:        http.StatusBadRequest,
		`{"items":["` + other + `"]}`:                       http.StatusNotFound,
		`{"items":["` + item + `","` + other + `"],"to":1}`: http.StatusBadRequest,
		`{"items":[]}`:                          http.StatusBadRequest,
		`{"items":["no id"]}`:                   http.StatusBadRequest,
		`{"items":["` + item + `"],"recipe":1}`: http.StatusBadRequest,
		`{"items":[` + strings.Repeat(`"`+item+`",`, 1001) + `"` + item + `"]}`: http.StatusBadRequest,
		"": http.StatusBadRequest,
	} {
		if code := d.post(t, "/api/v1/packages", d.session, body); code != want {
			t.Errorf("%.80s: %d, want %d", body, code, want)
		}
	}
	if code := d.post(t, "/api/v1/packages", "", `{"items":["`+item+`"]}`); code != http.StatusUnauthorized {
		t.Errorf("without a session: %d", code)
	}
}
