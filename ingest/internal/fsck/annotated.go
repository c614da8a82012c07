package fsck

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const doAnnotation = "Find out who changed the database: what people say of a recording is changed with an event, which stands in the log; put back what the log says"

// checkAnnotation compares what the row says that people said of the item with the events
// of it: the category among it decides who may see the recording.
func (s *subject) checkAnnotation(ctx context.Context) error {
	a := &s.row.Annotation
	have := map[string]string{"title": a.Title, "category": a.Category, "tags": strings.Join(a.Tags, ", "), "incident": a.Incident, "place": a.Place, "note": a.Note}
	said := map[string]string{}
	version := "0"
	const page = 50
	for after := (catalog.EventPlace{}); ; {
		rows, err := s.Catalog.SearchEvents(ctx, catalog.EventSearch{Agency: s.row.Agency, Object: evidence.ItemObject(s.row.ID), Types: []evidence.EventType{evidence.EventAnnotated}, Outcome: evidence.OutcomeDone}, after, page)
		if err != nil {
			return err
		}
		for _, row := range rows {
			var e evidence.Event
			if err := json.Unmarshal(row.JSON, &e); err != nil {
				return fmt.Errorf("reading event %d: %w", row.ID, err)
			}
			if version == "0" {
				version = e.Details["version"]
			}
			for name := range have {
				value, changed := e.Details[name+"_after"]
				if _, newer := said[name]; changed && !newer {
					said[name] = value
				}
			}
			after = catalog.EventPlace{At: row.At, ID: row.ID}
		}
		if len(rows) < page || len(said) == len(have) {
			break
		}
	}
	if is := strconv.FormatInt(s.row.Annotated, 10); is != version {
		s.problem(doAnnotation, "the row says that what is said of it was changed %s times, its events say %s", is, version)
	}
	for name, is := range have {
		if is != said[name] {
			s.problem(doAnnotation, "the row says %s %q, which people are on record to have given as %q", name, is, said[name])
		}
	}
	return nil
}
