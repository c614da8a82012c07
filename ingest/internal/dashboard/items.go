package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
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
	Filter          catalog.ItemFilter
	Q               map[string]string // what was typed, by field
	Narrowed        bool
	Whole           bool   // nothing that the agency holds is hidden from the person
	Deleted         string // the kept search that was deleted just now
	States, Kinds   []option
	Wearers, Orders []option
	Docks, Stations []string
	Zone            string
	Problem         string
	Items           []itemRow
	Columns         []column
	Found           string
	One             bool
	First, Older    string // addresses
	Tabs            []searchTab
	Hidden          []hiddenField
	CanPut          bool       // what is ticked into a case
	Address         string     // of this page
	Here            *searchTab // the kept search that is shown
	CanKeep         bool
}

// searchTab is a search that somebody keeps.
type searchTab struct {
	Name, Link string
	Here       bool
}

// searchFields are the fields of the search form.
var searchFields = [...]string{"q", "state", "kind", "wearer", "camera", "dock", "station", "officer", "category", "case", "tag", "incident", "recorded", "recorded-to", "arrived", "arrived-to", "order"}

func (d *Dashboard) items(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	q := r.URL.Query()
	if len(q) == 0 { // as it was left
		if _, last, err := d.Reading.Searches(r.Context(), actor); err == nil && last != "" {
			http.Redirect(w, r, "/evidence?"+last, http.StatusSeeOther)
			return
		}
	}
	d.itemsPage(w, r, actor, q, http.StatusOK, "")
}

// asked is a search as it stands in an address: each field once, and none that is empty.
func asked(q url.Values) url.Values {
	rest := url.Values{}
	for _, name := range searchFields {
		if value := q.Get(name); value != "" {
			rest.Set(name, value)
		}
	}
	return rest
}

func (d *Dashboard) itemsPage(w http.ResponseWriter, r *http.Request, actor *auth.Actor, q url.Values, code int, problem string) {
	filter, order, err := d.filterOf(q)
	if err != nil {
		problem, code = sentence(err), http.StatusUnprocessableEntity
	}
	if err := d.caseOf(r, actor, q, &filter); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	page, found, err := d.Reading.Search(r.Context(), actor, filter, order, q.Get("from"), pageLength)
	if errors.Is(err, catalog.ErrCursor) { // a cursor of another list: begin anew
		q.Del("from")
		http.Redirect(w, r, "/evidence?"+q.Encode(), http.StatusSeeOther)
		return
	} else if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	search := asked(q)
	v := itemsView{base: d.roomBase(r.Context(), actor, "Evidence", "evidence"), Filter: filter, Items: rows(page.Items), Problem: problem, Zone: d.Now().In(d.Zone).Format("MST"), Q: map[string]string{}}
	for name := range search {
		v.Q[strings.ReplaceAll(name, "-", "")] = search.Get(name)
		v.Hidden = append(v.Hidden, hiddenField{name, search.Get(name)})
	}
	v.Narrowed, v.Whole = filter != catalog.ItemFilter{}, auth.May(actor, auth.ListItems, auth.Object{Agency: d.Auth.Agency()})
	v.CanPut, v.Address = auth.MaySome(actor, auth.ManageCases, d.Auth.Agency()), "/evidence?"+search.Encode()
	v.Deleted = searchText(r.URL.Query().Get("deleted"), 240)
	v.Found, v.One = countText(found.Items), found.Items == 1 && !found.More
	if found.More {
		v.Found = "more than " + v.Found
	}
	v.States = options(string(filter.State), "", "Any state", "stored", "Stored", "receiving", "Receiving", "quarantined", "Quarantine", "superseded", "Superseded", "destroyed", "Destroyed")
	v.Kinds = options(string(filter.Kind), "", "Any kind", "video", "Video", "metadata", "Sidecar", "derivative", "Clip", "other", "Other file")
	v.Wearers = options(q.Get("wearer"), "", "Any", nobodys, "Camera not assigned")
	v.Orders = options(string(order), "", "Arrived, newest first", "arrival", "Arrived, oldest first", "-started", "Recorded, newest first", "started", "Recorded, oldest first",
		"-length", "Largest first", "length", "Smallest first", "officer", "Officer, A to Z", "-officer", "Officer, Z to A")
	v.Columns = itemColumns(search, order)
	docks, err := d.Reading.Docks(r.Context(), actor)
	if err != nil && !errors.Is(err, auth.ErrForbidden) {
		d.fail(w, r, actor, err)
		return
	}
	for _, dock := range docks {
		v.Docks = append(v.Docks, dock.Dock)
		if !slices.Contains(v.Stations, dock.Station) {
			v.Stations = append(v.Stations, dock.Station)
		}
	}
	if err := d.searchTabs(r, actor, &v, search); err != nil {
		d.fail(w, r, actor, err)
		return
	}
	v.First, v.Older = pageLinks("/evidence", q, page.Next)
	d.show(w, r, code, "items", v)
}

// itemColumns are the heads of the list; the catalog orders by some of them.
func itemColumns(search url.Values, now catalog.Order) []column {
	heads := []column{{Word: "Recording"}, {Word: "State"}, {Word: "Camera"}}
	for _, c := range []struct {
		word     string
		up, down catalog.Order
		downward bool // is asked for first
		number   bool
	}{
		{"Officer", catalog.OfficerUp, catalog.OfficerDown, false, false}, {"Recorded", catalog.OldestRecording, catalog.NewestRecording, true, false},
		{"Stored", catalog.OldestArrival, catalog.NewestArrival, true, false}, {"Size", catalog.Shortest, catalog.Longest, true, true},
	} {
		head, next := column{Word: c.word, Number: c.number}, c.up
		switch now {
		case c.up:
			head.Sort, next = "ascending", c.down
		case c.down:
			head.Sort = "descending"
		default:
			if c.downward {
				next = c.down
			}
		}
		q := url.Values{}
		for name, values := range search {
			q[name] = values
		}
		q.Set("order", string(next))
		head.Link = "/evidence?" + q.Encode()
		heads = append(heads, head)
	}
	return heads
}

// searchTabs adds the searches that somebody keeps, and notes this one as the last.
func (d *Dashboard) searchTabs(r *http.Request, actor *auth.Actor, v *itemsView, search url.Values) error {
	kept, _, err := d.Reading.Searches(r.Context(), actor)
	if err != nil {
		return err
	}
	here := search.Encode()
	for _, one := range kept {
		v.Tabs = append(v.Tabs, searchTab{one.Name, "/evidence?" + one.Query, one.Query == here})
		if one.Query == here {
			v.Here = &v.Tabs[len(v.Tabs)-1]
		}
	}
	v.CanKeep = v.Here == nil && len(search) > 0 && v.Problem == ""
	if v.Problem != "" {
		return nil
	}
	return d.Reading.KeepSearch(r.Context(), actor, "", here)
}

// keepSearch keeps, renames or deletes a search, and shows it.
func (d *Dashboard) keepSearch(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if !d.form(w, r) {
		return
	}
	search := asked(r.PostForm)
	name, other := searchText(r.PostForm.Get("name"), 240), searchText(r.PostForm.Get("as"), 240)
	var err error
	switch r.PostForm.Get("do") {
	case "keep":
		if err = reading.ErrName; other != "" {
			err = d.Reading.KeepSearch(r.Context(), actor, other, search.Encode())
		}
	case "rename":
		err = d.Reading.RenameSearch(r.Context(), actor, name, other)
	case "delete":
		err = d.Reading.DeleteSearch(r.Context(), actor, name)
	}
	if errors.Is(err, reading.ErrName) || errors.Is(err, reading.ErrManySearches) {
		d.itemsPage(w, r, actor, search, http.StatusUnprocessableEntity, sentence(err))
		return
	} else if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		d.fail(w, r, actor, err)
		return
	}
	if r.PostForm.Get("do") == "delete" && err == nil {
		search.Set("deleted", name)
	}
	http.Redirect(w, r, "/evidence?"+search.Encode(), http.StatusSeeOther)
}

// caseOf adds the case that a search names. One that the person may not know of holds nothing.
func (d *Dashboard) caseOf(r *http.Request, actor *auth.Actor, q url.Values, f *catalog.ItemFilter) error {
	name := searchText(q.Get("case"), 200)
	if name == "" {
		return nil
	}
	c, err := d.Cases.For(actor).Find(r.Context(), name)
	if errors.Is(err, catalog.ErrNotFound) || errors.Is(err, auth.ErrForbidden) {
		f.Case = "none"
		return nil
	} else if err != nil {
		return err
	}
	f.Case = c.ID
	return nil
}

// filterOf reads the search form. What cannot be meant is left out; a time that cannot be
// read is an error for people.
func (d *Dashboard) filterOf(q url.Values) (catalog.ItemFilter, catalog.Order, error) {
	f := catalog.ItemFilter{
		Text: searchText(q.Get("q"), 200), Camera: searchText(q.Get("camera"), 256), Officer: searchText(q.Get("officer"), 256), Category: searchText(q.Get("category"), 256),
		Tag: searchText(q.Get("tag"), 60), Incident: searchText(q.Get("incident"), 120),
		NoWearer: q.Get("wearer") == nobodys,
	}
	if dock := strings.TrimSpace(q.Get("dock")); evidence.CheckName("dock", dock) == nil {
		f.Dock = evidence.DockID(dock)
	}
	if station := strings.TrimSpace(q.Get("station")); evidence.CheckName("station", station) == nil {
		f.Station = evidence.StationID(station)
	}
	switch state := catalog.ItemState(q.Get("state")); state {
	case catalog.StateReceiving, catalog.StateStored, catalog.StateQuarantined, catalog.StateSuperseded, catalog.StateDestroyed:
		f.State = state
	}
	switch kind := evidence.Kind(q.Get("kind")); kind {
	case evidence.KindVideo, evidence.KindMetadata, evidence.KindOther, evidence.KindDerivative:
		f.Kind = kind
	}
	var bad error
	for name, at := range map[string]*time.Time{"recorded": &f.From, "recorded-to": &f.To, "arrived": &f.ArrivedFrom, "arrived-to": &f.ArrivedTo} {
		var err error
		if *at, err = d.localMoment(q.Get(name)); err != nil {
			bad = errors.New("one of the times cannot be read: choose it in the calendar, or write it as 2026-11-22T14:03")
		}
	}
	order := catalog.Order(q.Get("order"))
	switch order {
	case catalog.NewestArrival, catalog.OldestArrival, catalog.NewestRecording, catalog.OldestRecording, catalog.Longest, catalog.Shortest, catalog.OfficerUp, catalog.OfficerDown:
	default:
		order = catalog.NewestArrival
	}
	return f, order, bad
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
