package sqldb

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// asked is one search.
type asked struct {
	catalog.ItemFilter
	order  catalog.Order
	cursor string
}

// kindOfSearch is one that people make, with values of its own each time.
type kindOfSearch struct {
	name string
	ask  func(r *rand.Rand, n int) asked
}

const day = 24 * time.Hour

// kinds is the mix: each condition of the evidence page alone, several together, common
// and rare values, words, orders, later pages, and what somebody may see.
func kinds() (all []kindOfSearch) {
	type filter = catalog.ItemFilter
	add := func(name string, order catalog.Order, ask func(*rand.Rand, *catalog.Item, *filter)) {
		all = append(all, kindOfSearch{name, func(r *rand.Rand, n int) asked {
			a := asked{order: order}
			ask(r, seedItem(r.IntN(n)), &a.ItemFilter)
			a.Agency = seedAgency
			return a
		}})
	}
	later := func(name string, order catalog.Order, ask func(*rand.Rand, *catalog.Item, *filter)) {
		add(name+", a later page", order, ask)
		first := all[len(all)-1].ask
		all[len(all)-1].ask = func(r *rand.Rand, n int) asked {
			a := first(r, n)
			by, err := sorting(order)
			if err != nil {
				panic(err)
			}
			k := by.key(seedItem(r.IntN(n)))
			a.cursor = by.cursor(&k)
			return a
		}
	}
	everything := func(*rand.Rand, *catalog.Item, *filter) {}
	for _, order := range []catalog.Order{catalog.NewestArrival, catalog.OldestRecording, catalog.Longest, catalog.OfficerUp} {
		add("everything"+byOrder(order), order, everything)
		later("everything"+byOrder(order), order, everything)
	}

	officer := func(_ *rand.Rand, i *catalog.Item, f *filter) { f.Officer = i.Officer }
	camera := func(_ *rand.Rand, i *catalog.Item, f *filter) { f.Camera = i.Camera }
	station := func(_ *rand.Rand, i *catalog.Item, f *filter) { f.Station = i.Station }
	category := func(_ *rand.Rand, i *catalog.Item, f *filter) { f.Category = i.Category }
	for _, order := range []catalog.Order{catalog.NewestArrival, catalog.OldestArrival, catalog.NewestRecording, catalog.Shortest, catalog.OfficerDown} {
		add("station"+byOrder(order), order, station)
	}
	add("officer", catalog.NewestArrival, officer)
	add("officer, by length", catalog.Longest, officer)
	add("officer id", catalog.NewestRecording, func(_ *rand.Rand, i *catalog.Item, f *filter) { f.Officer = i.OfficerID })
	add("an officer of few", catalog.NewestRecording, func(r *rand.Rand, _ *catalog.Item, f *filter) { f.Officer = officerName(officers - 1 - r.IntN(50)) })
	add("camera", catalog.NewestRecording, camera)
	add("dock", catalog.NewestArrival, func(_ *rand.Rand, i *catalog.Item, f *filter) { f.Dock = i.Dock })
	add("category", catalog.NewestArrival, category)
	add("category, by officer", catalog.OfficerUp, category)
	later("category", catalog.NewestRecording, category)
	add("a category given up years ago", catalog.NewestRecording, func(_ *rand.Rand, _ *catalog.Item, f *filter) { f.Category = categories[7] })
	add("a category that came late, oldest first", catalog.OldestRecording, func(_ *rand.Rand, _ *catalog.Item, f *filter) { f.Category = categories[10] })
	add("a rare category", catalog.OfficerUp, func(_ *rand.Rand, _ *catalog.Item, f *filter) { f.Category = categories[11] })
	add("a station of few", catalog.Longest, func(_ *rand.Rand, _ *catalog.Item, f *filter) { f.Station = "lake-post" })
	for _, kind := range []evidence.Kind{evidence.KindVideo, evidence.KindMetadata, evidence.KindDerivative} {
		for _, order := range []catalog.Order{catalog.NewestArrival, catalog.Longest} {
			add(fmt.Sprintf("kind %s%s", kind, byOrder(order)), order, func(_ *rand.Rand, _ *catalog.Item, f *filter) { f.Kind = kind })
		}
	}
	for _, state := range []catalog.ItemState{catalog.StateStored, catalog.StateReceiving, catalog.StateQuarantined, catalog.StateSuperseded, catalog.StateDestroyed} {
		add("state "+string(state), catalog.NewestRecording, func(_ *rand.Rand, _ *catalog.Item, f *filter) { f.State = state })
	}
	add("what was recorded around it at its station", catalog.OldestRecording, func(_ *rand.Rand, i *catalog.Item, f *filter) {
		f.Station, f.State, f.Kind, f.From, f.To = i.Station, catalog.StateStored, evidence.KindVideo, i.StartedAt.Add(-2*time.Hour), i.StartedAt.Add(time.Hour)
	})
	add("tag", catalog.NewestRecording, func(_ *rand.Rand, _ *catalog.Item, f *filter) { f.Tag = "k9" })
	add("incident", catalog.NewestRecording, func(_ *rand.Rand, _ *catalog.Item, f *filter) { f.Incident = "26-1184" })
	add("camera not assigned", catalog.OldestArrival, func(_ *rand.Rand, _ *catalog.Item, f *filter) { f.NoWearer = true })
	for name, length := range map[string]time.Duration{"a day": day, "a month": 30 * day, "a year": 365 * day} {
		for _, order := range []catalog.Order{catalog.NewestArrival, catalog.NewestRecording, catalog.Longest, catalog.OfficerUp} {
			add("recorded within "+name+byOrder(order), order, func(_ *rand.Rand, i *catalog.Item, f *filter) { f.From, f.To = i.StartedAt, i.StartedAt.Add(length) })
		}
		add("arrived within "+name, catalog.OldestArrival, func(_ *rand.Rand, i *catalog.Item, f *filter) {
			f.ArrivedFrom, f.ArrivedTo = i.OfferedAt, i.OfferedAt.Add(length)
		})
	}
	add("recorded before, arrived after", catalog.NewestArrival, func(_ *rand.Rand, i *catalog.Item, f *filter) { f.To, f.ArrivedFrom = i.OfferedAt, i.OfferedAt })

	both := func(one, other func(*rand.Rand, *catalog.Item, *filter)) func(*rand.Rand, *catalog.Item, *filter) {
		return func(r *rand.Rand, i *catalog.Item, f *filter) { one(r, i, f); other(r, i, f) }
	}
	month := func(_ *rand.Rand, i *catalog.Item, f *filter) {
		f.From, f.To = i.StartedAt.Add(-15*day), i.StartedAt.Add(15*day)
	}
	for _, order := range []catalog.Order{catalog.NewestArrival, catalog.Longest, catalog.OfficerUp} {
		add("station and category"+byOrder(order), order, both(station, category))
	}
	add("officer and another station", catalog.NewestArrival, func(r *rand.Rand, i *catalog.Item, f *filter) {
		f.Officer, f.Station = i.Officer, evidence.StationID(fmt.Sprintf("station-%02d", r.IntN(stations)))
	})
	add("officer, category, month", catalog.NewestRecording, both(officer, both(category, month)))
	add("station, category, month", catalog.NewestRecording, both(station, both(category, month)))
	add("station and quarantine", catalog.NewestArrival, func(_ *rand.Rand, i *catalog.Item, f *filter) {
		f.Station, f.State = i.Station, catalog.StateQuarantined
	})
	add("station, a category given up, by length", catalog.Longest, func(_ *rand.Rand, i *catalog.Item, f *filter) { f.Station, f.Category = i.Station, categories[7] })
	add("two that exclude each other", catalog.NewestArrival, func(_ *rand.Rand, i *catalog.Item, f *filter) {
		f.Kind, f.State, f.Station = evidence.KindDerivative, catalog.StateReceiving, i.Station
	})
	add("camera and another officer", catalog.NewestArrival, func(r *rand.Rand, i *catalog.Item, f *filter) {
		f.Camera, f.Officer = i.Camera, officerName(r.IntN(officers))
	})
	later("station and category", catalog.NewestArrival, both(station, category))
	add("all fields", catalog.OfficerUp, func(r *rand.Rand, i *catalog.Item, f *filter) {
		f.Officer, f.Camera, f.Station, f.Dock, f.Category, f.Kind, f.State, f.Text = i.Officer, i.Camera, i.Station, i.Dock, i.Category, i.Kind, shownState(i), "clip"
		month(r, i, f)
	})

	text := func(name string, order catalog.Order, words func(*rand.Rand, *catalog.Item) string) {
		add("text: "+name, order, func(r *rand.Rand, i *catalog.Item, f *filter) { f.Text = words(r, i) })
	}
	last := func(i *catalog.Item) string { return strings.Fields(i.Officer)[1] }
	clip := func(i *catalog.Item) string { return strings.ToLower(i.Path[len(i.Path)-16 : len(i.Path)-4]) }
	text("a last name", catalog.NewestArrival, func(_ *rand.Rand, i *catalog.Item) string { return last(i) })
	for letters := 1; letters <= 3; letters++ {
		text(fmt.Sprintf("%d letters of a name", letters), catalog.NewestRecording, func(_ *rand.Rand, i *catalog.Item) string { return cut(i.Officer, letters) })
	}
	text("first and last name", catalog.Longest, func(_ *rand.Rand, i *catalog.Item) string { return i.Officer })
	text("two names that never meet", catalog.NewestArrival, func(r *rand.Rand, i *catalog.Item) string {
		return last(i) + " " + strings.Fields(officerName(r.IntN(officers)))[1]
	})
	text("a file", catalog.NewestArrival, func(_ *rand.Rand, i *catalog.Item) string { return clip(i) })
	text("all but two digits of a file", catalog.NewestArrival, func(_ *rand.Rand, i *catalog.Item) string { return clip(i)[:10] })
	text("five digits of a file", catalog.OldestArrival, func(_ *rand.Rand, i *catalog.Item) string { return clip(i)[:9] })
	text("three digits of a file", catalog.NewestArrival, func(_ *rand.Rand, i *catalog.Item) string { return clip(i)[:7] })
	text("what all have", catalog.NewestArrival, func(*rand.Rand, *catalog.Item) string { return "clip mp4" })
	text("nothing", catalog.NewestArrival, func(*rand.Rand, *catalog.Item) string { return "nowhere mp4" })
	for _, digits := range []int{1, 2, 3, 4, 8, 32} {
		text(fmt.Sprintf("%d digits of an id", digits), catalog.NewestArrival, func(_ *rand.Rand, i *catalog.Item) string { return i.ID.String()[:digits] })
	}
	text("10 digits of a SHA-256", catalog.NewestArrival, func(_ *rand.Rand, i *catalog.Item) string { return i.SHA256.String()[:10] })
	text("a SHA-256", catalog.NewestArrival, func(_ *rand.Rand, i *catalog.Item) string { return i.SHA256.String() })
	text("name and category", catalog.NewestArrival, func(_ *rand.Rand, i *catalog.Item) string { return strings.Fields(i.Officer)[0] + " " + i.Category })
	text("name, station, category, by length", catalog.Longest, func(_ *rand.Rand, i *catalog.Item) string {
		return strings.Fields(i.Officer)[0] + " " + string(i.Station) + " " + i.Category
	})
	add("text and station and month", catalog.NewestRecording, func(r *rand.Rand, i *catalog.Item, f *filter) {
		f.Text = i.Officer[:1]
		station(r, i, f)
		month(r, i, f)
	})
	add("text and quarantine", catalog.NewestRecording, func(_ *rand.Rand, i *catalog.Item, f *filter) {
		f.Text, f.State = strings.Fields(i.Officer)[0], catalog.StateQuarantined
	})

	within := func(name string, order catalog.Order, reach func(*rand.Rand, *catalog.Item) *catalog.Reach, ask func(*rand.Rand, *catalog.Item, *filter)) {
		add(name+byOrder(order), order, func(r *rand.Rand, i *catalog.Item, f *filter) { ask(r, i, f); f.Within = reach(r, i) })
	}
	own := func(_ *rand.Rand, i *catalog.Item) *catalog.Reach {
		return &catalog.Reach{Officers: []string{i.OfficerID}}
	}
	ofStation := func(_ *rand.Rand, i *catalog.Item) *catalog.Reach {
		return &catalog.Reach{Stations: []evidence.StationID{i.Station}}
	}
	for _, order := range []catalog.Order{catalog.NewestArrival, catalog.OldestRecording, catalog.Longest} {
		within("of one's own: everything", order, own, everything)
	}
	within("of one's own: category", catalog.NewestArrival, own, category)
	within("of one's own: text", catalog.NewestArrival, own, func(_ *rand.Rand, i *catalog.Item, f *filter) { f.Text = cut(i.Category, 3) })
	within("of one's own: another station", catalog.NewestArrival, own, func(r *rand.Rand, _ *catalog.Item, f *filter) { f.Station = "station-23" })
	within("of nobody: everything", catalog.NewestArrival, func(*rand.Rand, *catalog.Item) *catalog.Reach { return &catalog.Reach{Officers: []string{"X"}} }, everything)
	for _, order := range []catalog.Order{catalog.NewestArrival, catalog.Longest, catalog.OfficerUp} {
		within("of a station: everything", order, ofStation, everything)
	}
	within("of a station: officer", catalog.NewestRecording, ofStation, officer)
	within("of a station: text", catalog.NewestArrival, ofStation, func(_ *rand.Rand, i *catalog.Item, f *filter) { f.Text = last(i) })
	within("of a station: a month", catalog.NewestRecording, ofStation, month)
	within("of two stations, a category and a few items: text", catalog.NewestArrival, func(r *rand.Rand, i *catalog.Item) *catalog.Reach {
		return &catalog.Reach{Stations: []evidence.StationID{i.Station, "lake-post"}, Categories: []string{categories[2]}, Items: []evidence.EvidenceID{seedItem(7).ID, seedItem(8).ID}}
	}, func(_ *rand.Rand, i *catalog.Item, f *filter) { f.Text = last(i) })
	group := func(r *rand.Rand, _ *catalog.Item) *catalog.Reach {
		reach := &catalog.Reach{}
		for range 40 {
			reach.Officers = append(reach.Officers, fmt.Sprintf("B%04d", r.IntN(officers)))
		}
		return reach
	}
	within("of a group of 40: everything", catalog.NewestArrival, group, everything)
	within("of a group of 40: station and category", catalog.NewestArrival, group, both(station, category))
	within("of three items: everything", catalog.NewestArrival, func(_ *rand.Rand, i *catalog.Item) *catalog.Reach {
		return &catalog.Reach{Items: []evidence.EvidenceID{i.ID, seedItem(11).ID, seedItem(12).ID}}
	}, everything)
	ofCase := func(*rand.Rand, *catalog.Item) *catalog.Reach { return &catalog.Reach{Cases: []string{"k1", "k2"}} }
	for _, order := range []catalog.Order{catalog.NewestArrival, catalog.Longest} {
		within("of two cases: everything", order, ofCase, everything)
	}
	within("of two cases: text", catalog.NewestArrival, ofCase, func(_ *rand.Rand, i *catalog.Item, f *filter) { f.Text = last(i) })
	add("a case", catalog.NewestArrival, func(_ *rand.Rand, _ *catalog.Item, f *filter) { f.Case = "k1" })
	return all
}

func byOrder(o catalog.Order) string {
	return map[catalog.Order]string{
		catalog.NewestArrival: "", catalog.OldestArrival: ", oldest arrival first", catalog.NewestRecording: ", by recording", catalog.OldestRecording: ", oldest recording first",
		catalog.Longest: ", largest first", catalog.Shortest: ", smallest first", catalog.OfficerUp: ", by officer", catalog.OfficerDown: ", by officer, Z to A",
	}[o]
}
