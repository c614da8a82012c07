package catalogtest

import (
	"context"
	"fmt"
	"slices"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
)

// arrived adds n items that are stored.
func (s suite) arrived(n int) []*catalog.Item {
	s.Helper()
	all := make([]*catalog.Item, n)
	for i := range all {
		all[i] = NewItem(i+1, s.clock.Now())
	}
	s.insert(all...)
	for _, i := range all {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.StoreItem(ctx, Agency, i.ID, 1, 1, s.clock.Now())
		})
	}
	return all
}

func (s suite) annotate(item *catalog.Item, a catalog.Annotation) func(context.Context, *sqldb.Tx) error {
	return func(ctx context.Context, tx *sqldb.Tx) error { return tx.Annotate(ctx, item, &a) }
}

func (s suite) row(i *catalog.Item) *catalog.Item {
	s.Helper()
	row, err := s.db.ItemRow(s.Context(), Agency, i.ID)
	s.must(err)
	return row
}

func annotations(s suite) {
	items := s.arrived(3)
	s.refused(catalog.ErrConflict, s.annotate(s.insert(NewItem(9, s.clock.Now())), catalog.Annotation{Title: "not here yet"}))
	before := s.row(items[0])
	said := catalog.Annotation{Title: "Foot pursuit at the pier", Note: "See the report", Category: "pursuit", Tags: []string{"50%_off", "k9", "k9"}, Incident: "26-1184", Place: "Pier 4"}
	s.update(s.annotate(before, said))
	s.refused(catalog.ErrConflict, s.annotate(before, catalog.Annotation{Title: "of somebody who had not seen it"}))

	got := s.row(items[0])
	said.Tags = []string{"50%_off", "k9"}
	is(s, "annotation", fmt.Sprintf("%+v", got.Annotation), fmt.Sprintf("%+v", said))
	is(s, "version", got.Annotated, 1)
	is(s, "category that counts", got.Category, "pursuit")
	is(s, "category that the camera claims", got.ClaimedCategory(), "traffic")
	find := func(f catalog.ItemFilter) int {
		s.Helper()
		f.Agency = Agency
		page, err := s.db.Items(s.Context(), f, catalog.NewestArrival, "", 10)
		s.must(err)
		return len(page.Items)
	}
	found := func(when string) {
		s.Helper()
		for _, look := range []struct {
			name string
			f    catalog.ItemFilter
			want int
		}{
			{"a word of the title", catalog.ItemFilter{Text: "pursuit pie"}, 1}, {"a word of the note", catalog.ItemFilter{Text: "report"}, 1}, {"the camera's claim", catalog.ItemFilter{Text: "traffic"}, 4},
			{"tag", catalog.ItemFilter{Tag: "k9"}, 1}, {"tag in capitals", catalog.ItemFilter{Tag: "K9"}, 1}, {"tag with signs of LIKE", catalog.ItemFilter{Tag: "50%_off"}, 1}, {"what only looks like a tag", catalog.ItemFilter{Tag: "50%"}, 0}, {"sign of LIKE", catalog.ItemFilter{Tag: "_9"}, 0},
			{"incident", catalog.ItemFilter{Incident: "26-1184"}, 1}, {"another incident", catalog.ItemFilter{Incident: "26-118"}, 0},
			{"corrected category", catalog.ItemFilter{Category: "pursuit"}, 1}, {"claimed category", catalog.ItemFilter{Category: "traffic"}, 3},
			{"reach by the corrected category", catalog.ItemFilter{Within: &catalog.Reach{Categories: []string{"pursuit"}}}, 1},
			{"reach by the claimed category", catalog.ItemFilter{Within: &catalog.Reach{Categories: []string{"traffic"}}}, 3},
		} {
			is(s, look.name+" "+when, find(look.f), look.want)
		}
	}
	found("without slots")

	// Taken back, the camera's claim counts again, and nothing is found by what was said.
	s.update(s.annotate(got, catalog.Annotation{}))
	bare := s.row(items[0])
	is(s, "category", bare.Category, "traffic")
	is(s, "claim", bare.ClaimedCategory(), "traffic")
	is(s, "version", bare.Annotated, 2)
	is(s, "tags", len(bare.Annotation.Tags), 0)
	is(s, "found by a former tag", find(catalog.ItemFilter{Tag: "k9"}), 0)
	is(s, "found by a former title", find(catalog.ItemFilter{Text: "pursuit"}), 0)
	for _, same := range []bool{bare.SHA256 == before.SHA256, bare.ManifestDigest == before.ManifestDigest, bare.Path == before.Path, bare.Officer == before.Officer, bare.StartedAt.Equal(before.StartedAt), slices.Equal(bare.Marks, before.Marks)} {
		is(s, "what was recorded stays", same, true)
	}
}

func annotatedAnew(s suite) {
	item := s.arrived(1)[0]
	s.update(s.annotate(s.row(item), catalog.Annotation{Title: "Foot pursuit", Category: "pursuit", Tags: []string{"k9"}}))
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.QuarantineItem(ctx, Agency, item.ID, 1, "damaged")
	})
	again := NewItem(1, s.clock.Now())
	again.Attempt, again.Category = 2, "arrest"
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.NewAttempt(ctx, again) })
	got := s.row(item)
	is(s, "title", got.Annotation.Title, "Foot pursuit")
	is(s, "category that counts", got.Category, "pursuit")
	is(s, "category that the camera claims", got.ClaimedCategory(), "arrest")
	is(s, "version", got.Annotated, 1)
	page, err := s.db.Items(s.Context(), catalog.ItemFilter{Agency: Agency, Text: "pursuit arrest", Tag: "k9"}, catalog.NewestArrival, "", 10)
	s.must(err)
	is(s, "found", len(page.Items), 1)
}
