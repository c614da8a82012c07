package api

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// noItem is said of every id that the person may not see, and of those that are not there.
const noItem = "No evidence item with this id is held here."

// notThere is how a route says that there is no such thing.
var notThere = catalog.ErrNotFound

type docksAnswer struct {
	Docks []dockShape `json:"docks"`
	Next  string      `json:"next" jsonschema:"cursor of the next page; empty on the last one"`
}

type itemsAnswer struct {
	Items []itemShape `json:"items"`
	Next  string      `json:"next" jsonschema:"cursor of the next page; empty on the last one"`
	Found int64       `json:"found" jsonschema:"how many there are on all pages, as far as they were counted"`
	More  bool        `json:"more" jsonschema:"there are more than found says"`
}

type eventsAnswer struct {
	Events []eventShape `json:"events"`
	Next   string       `json:"next" jsonschema:"cursor of the next page; empty on the last one"`
}

// readingRoutes are what is shown of recordings, docks and the store.
func (a *api) readingRoutes() []Route {
	const tag = "Evidence"
	item := Description{Tag: tag, Asks: []auth.Action{auth.ViewItem}, Missing: noItem, Codes: []int{http.StatusServiceUnavailable}}
	of := func(d Description, summary string, about ...string) Description {
		d.Summary = summary
		if len(about) > 0 {
			d.About = about[0]
		}
		return d
	}
	return []Route{
		Answer("GET /api/v1/overview", Description{Tag: tag, Summary: "The state of store, docks and transfers at one moment", Asks: []auth.Action{auth.SeeOverview}}, a.overview),
		Answer("GET /api/v1/docks", Description{Tag: "Docks and uplinks", Summary: "Docks with their bays", Asks: []auth.Action{auth.ListDocks}, Paged: true}, a.docks),
		Answer("GET /api/v1/items", Description{Tag: tag, Summary: "Find recordings", Asks: []auth.Action{auth.ListItems}, Query: itemQuery(), Paged: true,
			About: "All conditions must hold. Only what is within the person's grants is found."}, a.items),
		Answer("GET /api/v1/items/{id}", of(item, "One recording with its checks", "That it was viewed is on record."), a.item),
		Answer("GET /api/v1/items/{id}/events", func() Description {
			d := of(item, "A recording's custody events, newest first", "That they were viewed is on record.")
			d.Paged = true
			return d
		}(), a.events),
		Stream("GET /api/v1/items/{id}/receipt", Description{Tag: tag, Summary: "A recording's receipt, byte for byte as it was signed", Asks: []auth.Action{auth.OpenReceipt}, Missing: "No evidence item with this id is held here, or it has no receipt yet.",
			About: "A DSSE envelope. That it was opened is on record.", Codes: []int{http.StatusServiceUnavailable}}, []string{"application/json"}, a.receipt),
		Stream("POST /api/v1/packages", Description{Tag: tag, Summary: "Take recordings away as a custody package", Asks: []auth.Action{auth.DownloadItem}, Missing: noItem,
			About: "A ZIP file; docs/custody-package.md says what is in it. A session must have shown a factor within the last 5 minutes, unless the setting export.fresh_factor is off. Asked again, it is made again, and each time is on record.", Codes: []int{http.StatusConflict, http.StatusServiceUnavailable}}, []string{"application/zip"}, a.packageOf),
		Answer("POST /api/v1/items/{id}/clips", Description{Tag: tag, Summary: "Make a clip, a recording of its own", Asks: []auth.Action{auth.DownloadItem}, Missing: noItem,
			About: "It answers when the clip is made; Location is its address. A session must have shown a factor within the last 5 minutes, unless the setting export.fresh_factor is off.", Codes: []int{http.StatusConflict, http.StatusServiceUnavailable}}, a.clipOf),
	}
}

func itemQuery() []Parameter {
	return []Parameter{
		{Name: "q", Kind: Text, About: "Words, or their beginnings, of path, camera, officer, wearer, dock, station or id."},
		{Name: "state", Kind: Text, About: "receiving, stored or quarantined, among others."},
		{Name: "kind", Kind: Text, About: "What it is: a video, or a clip, among others."},
		{Name: "camera", Kind: Text, About: "Serial number of the camera."},
		{Name: "dock", Kind: Text, About: "Name of the dock."},
		{Name: "station", Kind: Text, About: "Name of the station."},
		{Name: "officer", Kind: Text, About: "Officer id, of wearer or as the camera claims."},
		{Name: "category", Kind: Text, About: "Category that counts."},
		{Name: "case", Kind: Text, About: "Number or id of a case: what was put into it, and what was made of that."},
		{Name: "tag", Kind: Text, About: "Tag, whole."},
		{Name: "incident", Kind: Text, About: "Number of the incident, whole."},
		{Name: "recorded_from", Kind: Time, About: "Recorded then or later."},
		{Name: "recorded_to", Kind: Time, About: "Recorded before then."},
		{Name: "arrived_from", Kind: Time, About: "Arrived then or later."},
		{Name: "arrived_to", Kind: Time, About: "Arrived before then."},
		{Name: "unassigned", Kind: True, About: "Of cameras that were assigned to nobody."},
		{Name: "sort", Kind: Text, About: "Order; with - the other way round.", Enum: []string{"-arrived", "arrived", "-recorded", "recorded", "-length", "length", "-officer", "officer"}},
	}
}

// orders are what sort may be.
var orders = map[string]catalog.Order{
	"arrived": catalog.OldestArrival, "-arrived": catalog.NewestArrival, "recorded": catalog.OldestRecording, "-recorded": catalog.NewestRecording,
	"length": catalog.Shortest, "-length": catalog.Longest, "officer": catalog.OfficerUp, "-officer": catalog.OfficerDown,
}

func (a *api) overview(r *Request, _ *Nothing) (overviewShape, error) {
	o, err := a.Reading.Overview(r.Context(), r.Actor)
	if err != nil {
		return overviewShape{}, err
	}
	return overviewOf(o), nil
}

func (a *api) docks(r *Request, _ *Nothing) (docksAnswer, error) {
	docks, err := a.Reading.Docks(r.Context(), r.Actor)
	if err != nil {
		return docksAnswer{}, err
	}
	page, next, err := cut(r, docksOf(docks), func(d *dockShape) string { return d.Dock })
	return docksAnswer{page, next}, err
}

func (a *api) items(r *Request, _ *Nothing) (itemsAnswer, error) {
	f := catalog.ItemFilter{
		Text: r.Text("q"), State: catalog.ItemState(r.Text("state")), Kind: evidence.Kind(r.Text("kind")), Camera: r.Text("camera"),
		Dock: evidence.DockID(r.Text("dock")), Station: evidence.StationID(r.Text("station")), NoWearer: r.Text("unassigned") != "",
		Officer: r.Text("officer"), Category: r.Text("category"), Tag: r.Text("tag"), Incident: r.Text("incident"),
		From: r.Time("recorded_from"), To: r.Time("recorded_to"), ArrivedFrom: r.Time("arrived_from"), ArrivedTo: r.Time("arrived_to"),
	}
	if name := r.Text("case"); name != "" {
		c, err := a.Cases.For(r.Actor).Find(r.Context(), name)
		if errors.Is(err, catalog.ErrNotFound) || errors.Is(err, auth.ErrForbidden) { // none that the person may know of
			return itemsAnswer{Items: []itemShape{}}, nil
		} else if err != nil {
			return itemsAnswer{}, err
		}
		f.Case = c.ID
	}
	page, found, err := a.Reading.Search(r.Context(), r.Actor, f, orders[r.Text("sort")], r.Text("cursor"), r.Number("limit", defaultLimit))
	return itemsAnswer{itemList(page.Items), page.Next, found.Items, found.More}, err
}

func (a *api) item(r *Request, _ *Nothing) (detailShape, error) {
	id, err := r.item()
	if err != nil {
		return detailShape{}, err
	}
	v, err := a.Reading.View(r.Context(), r.Actor, id)
	if err != nil {
		return detailShape{}, err
	}
	return itemDetailOf(v), nil
}

func (a *api) events(r *Request, _ *Nothing) (eventsAnswer, error) {
	id, err := r.item()
	if err != nil {
		return eventsAnswer{}, err
	}
	rows, err := a.Reading.Events(r.Context(), r.Actor, id)
	if err != nil {
		return eventsAnswer{}, err
	}
	page, next, err := cut(r, eventsOf(rows), func(e *eventShape) string { return newestFirst(e.ID) })
	return eventsAnswer{page, next}, err
}

// receipt answers the signed envelope byte for byte.
func (a *api) receipt(w http.ResponseWriter, r *Request, _ *Nothing) error {
	id, err := r.item()
	if err != nil {
		return err
	}
	v, err := a.Reading.Receipt(r.Context(), r.Actor, id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(v.Item.Receipt)))
	_, err = w.Write(v.Item.Receipt)
	return err
}
