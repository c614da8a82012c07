package export

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// What people say of a recording stands in the report apart from what was recorded, the
// camera's category beside theirs.
func TestTheReportTellsWhatPeopleSayApart(t *testing.T) {
	m := &making{}
	s := &subject{row: &catalog.Item{Annotation: catalog.Annotation{Title: "Foot pursuit", Category: "pursuit", Tags: []string{"juvenile", "k9"}, Note: "one\ntwo"}}, receipt: &evidence.Receipt{}}
	s.manifest.Claims.Category = "traffic stop"
	is := m.itemFacts(s)
	if want := []saidFacts{{"Title", "Foot pursuit"}, {"Category", "pursuit"}, {"Tags", "juvenile, k9"}, {"Note", "one / two"}, {"Camera's category", "traffic stop"}}; !reflect.DeepEqual(is.Said, want) {
		t.Errorf("%q", is.Said)
	}
	bare := m.itemFacts(&subject{row: &catalog.Item{Category: "traffic stop"}, receipt: &evidence.Receipt{}})
	if len(bare.Said) != 0 {
		t.Errorf("of what nobody said anything about: %q", bare.Said)
	}
	with, err := m.report(&facts{Items: []itemFacts{is}})
	if err != nil {
		t.Fatal(err)
	}
	without, err := m.report(&facts{Items: []itemFacts{bare}})
	if err != nil || bytes.Equal(with, without) || len(with) <= len(without) {
		t.Errorf("the report does not tell it: %d and %d bytes, %v", len(with), len(without), err)
	}
}
