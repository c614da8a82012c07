package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// pageLength is how many items a page of a list has.
const pageLength = 50

type itemRow struct {
	catalog.Item
	Status    status
	ShortID   string
	Why, Todo string // in quarantine only
}

type option struct {
	Value, Word string
	Chosen      bool
}

type itemsView struct {
	base
	Filter        catalog.ItemFilter
	Narrowed      bool
	States, Kinds []option
	Wearers       []option
	Docks         []string
	Items         []itemRow
	First, Older  string // addresses
}

func (d *Dashboard) items(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	q := r.URL.Query()
	filter := filterOf(q)
	page, err := d.Reading.Items(r.Context(), actor, filter, q.Get("from"), pageLength)
	if err != nil && q.Get("from") != "" { // a cursor of another list: begin anew
		q.Del("from")
		http.Redirect(w, r, "/evidence?"+q.Encode(), http.StatusSeeOther)
		return
	} else if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v := itemsView{base: d.roomBase(r.Context(), actor, "Evidence", "evidence"), Filter: filter, Items: rows(page.Items)}
	v.Narrowed = filter != catalog.ItemFilter{}
	v.States = options(string(filter.State), "", "Any state", "stored", "Stored", "receiving", "Receiving", "quarantined", "Quarantine", "superseded", "Superseded", "destroyed", "Destroyed")
	v.Kinds = options(string(filter.Kind), "", "Any kind", "video", "Video", "metadata", "Sidecar", "derivative", "Clip", "other", "Other file")
	v.Wearers = options(q.Get("wearer"), "", "Any", nobodys, "Camera not assigned")
	docks, err := d.Reading.Docks(r.Context(), actor)
	if err != nil && !errors.Is(err, auth.ErrForbidden) {
		d.fail(w, r, actor, err)
		return
	}
	for _, dock := range docks {
		v.Docks = append(v.Docks, dock.Dock)
	}
	v.First, v.Older = pageLinks("/evidence", q, page.Next)
	d.show(w, r, http.StatusOK, "items", v)
}

// filterOf reads the search form. What cannot be meant is left out.
func filterOf(q url.Values) catalog.ItemFilter {
	f := catalog.ItemFilter{Text: searchText(q.Get("q"), 200), Camera: searchText(q.Get("camera"), 256), NoWearer: q.Get("wearer") == nobodys}
	if dock := strings.TrimSpace(q.Get("dock")); evidence.CheckName("dock", dock) == nil {
		f.Dock = evidence.DockID(dock)
	}
	switch state := catalog.ItemState(q.Get("state")); state {
	case catalog.StateReceiving, catalog.StateStored, catalog.StateQuarantined, catalog.StateSuperseded, catalog.StateDestroyed:
		f.State = state
	}
	switch kind := evidence.Kind(q.Get("kind")); kind {
	case evidence.KindVideo, evidence.KindMetadata, evidence.KindOther, evidence.KindDerivative:
		f.Kind = kind
	}
	return f
}

// searchText bounds what was typed to text that a database takes.
func searchText(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return strings.TrimSpace(s)
}

func options(chosen string, pairs ...string) []option {
	var all []option
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, option{pairs[i], pairs[i+1], pairs[i] == chosen})
	}
	return all
}

// pageLinks returns the addresses of the first page, where this is not it, and
// of the next one, where there is one.
func pageLinks(path string, q url.Values, next string) (first, older string) {
	rest := url.Values{}
	for name, values := range q {
		if name != "from" && len(values) > 0 && values[0] != "" {
			rest.Set(name, values[0])
		}
	}
	if q.Get("from") != "" {
		first = strings.TrimSuffix(path+"?"+rest.Encode(), "?")
	}
	if next != "" {
		rest.Set("from", next)
		older = path + "?" + rest.Encode()
	}
	return first, older
}

func rows(items []catalog.Item) []itemRow {
	all := make([]itemRow, len(items))
	for i, item := range items {
		all[i] = itemRow{Item: item, Status: itemStatus(item.State), ShortID: shortID(item.ID)}
		if item.State == catalog.StateQuarantined {
			all[i].Why, all[i].Todo = quarantineText(item.Reason)
		}
	}
	return all
}

func (d *Dashboard) quarantine(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	q := url.Values{"from": {r.URL.Query().Get("from")}}
	page, err := d.Reading.Items(r.Context(), actor, catalog.ItemFilter{State: catalog.StateQuarantined}, q.Get("from"), pageLength)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v := itemsView{base: d.roomBase(r.Context(), actor, "Quarantine", "quarantine"), Items: rows(page.Items)}
	_, v.Older = pageLinks("/quarantine", q, page.Next)
	d.show(w, r, http.StatusOK, "quarantine", v)
}

// quarantineText says in plain words why an item is held back and what to do.
// The recorded reason stands beside it.
func quarantineText(reason string) (why, todo string) {
	has := func(words ...string) bool {
		for _, word := range words {
			if strings.Contains(strings.ToLower(reason), word) {
				return true
			}
		}
		return false
	}
	switch {
	case has("no valid signature"):
		return "The dock’s statement about this recording carries no valid signature of that dock, so nobody can say that the dock made it.",
			"Check that the dock is the one that was enrolled, and enrol it anew if its keys were replaced. Then dock the camera again: the recording is still on it."
	case has("names dock"):
		return "The statement about this recording names another dock than the one that sent it.",
			"Find out how one dock came to hold the other’s recordings, for example by a copied disk. Then dock the camera again: the recording is still on it."
	case has("manifest says"):
		return "The bytes that the store’s disk gave back do not have the hash that the dock signed before it sent them.",
			"Dock the camera again so that the recording is read anew; it is still on it. If this happens a second time, have the dock’s memory and the server’s storage checked."
	case has("damage", "does not open", "read", "part", "segment", "leaf", "bytes"):
		return "The bytes that the store’s disk gave back are not the ones that were written.",
			"Have the server’s storage checked before more is stored on it. Then dock the camera again: the recording is still on it."
	}
	return "The recording could not be proven equal to what its camera held.",
		"Dock the camera again; it keeps the recording until a receipt is signed. If this happens again, keep the camera aside and show this page to the server’s operator."
}

// stampOf is a time with its zone, for values that stand in running text.
func (d *Dashboard) stampOf(t time.Time) string {
	return t.In(d.Zone).Format("2 Jan 2006 15:04:05 MST")
}
