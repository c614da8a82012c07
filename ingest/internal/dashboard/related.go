package dashboard

import (
	"net/http"
	"net/url"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// relatedView is what other cameras recorded at the same time at the same station.
type relatedView struct {
	Rows []nearRow
	More bool
	Link string // of a search for them
}

type nearRow struct {
	itemRow
	Began          time.Time
	Overlap, About string
}

func (d *Dashboard) relatedOf(r *http.Request, actor *auth.Actor, item *catalog.Item) (*relatedView, error) {
	around, err := d.Reading.Related(r.Context(), actor, item)
	if err != nil || around == nil {
		return nil, err
	}
	local := func(t time.Time) string { return t.In(d.Zone).Format("2006-01-02T15:04:05") }
	v := &relatedView{More: around.More, Link: "/evidence?" + url.Values{"station": {string(item.Station)}, "kind": {"video"}, "recorded": {local(around.From)}, "recorded-to": {local(around.To)}, "order": {"-started"}}.Encode()}
	for _, near := range around.Items {
		row := nearRow{itemRow: rows([]catalog.Item{near.Item})[0], Began: near.Began, Overlap: lengthText(near.Overlap)}
		if near.Uncertainty > 0 {
			row.About = aboutText(near.Uncertainty)
		}
		v.Rows = append(v.Rows, row)
	}
	return v, nil
}

// lengthText is how long something lasts, for people.
func lengthText(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Second:
		return "by less than a second"
	case d < 2*time.Minute:
		return plural(uint64(d/time.Second), "second")
	}
	return plural(uint64(d/time.Minute), "minute")
}
