package sqldb

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// Whatever a browser sends as text, cursor or order: the list answers or
// refuses, and never shows another agency's items.
func FuzzItems(f *testing.F) {
	db, err := Open(f.Context(), "sqlite:"+filepath.Join(f.TempDir(), "catalog.db"), time.Now)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	fill(f, db, 20)
	f.Add("clip", "", "", "CAM-0001")
	f.Add(`%_\'";--`, "1767225600000000.00000000000000000000000000000000", "-started", "\x00\xff")
	f.Add("", "1.2", "started", "x' OR 1=1 --")
	f.Fuzz(func(t *testing.T, text, cursor, order, officer string) {
		filter := catalog.ItemFilter{Agency: "county", Text: text, Officer: officer, Camera: officer}
		p, err := db.Items(t.Context(), filter, catalog.Order(order), cursor, 10)
		if len(p.Items) > 0 {
			t.Errorf("items of another agency: %v", err)
		}
		if _, err := db.CountItems(t.Context(), filter); err != nil {
			t.Errorf("counting: %v", err)
		}
	})
}
