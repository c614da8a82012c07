package sqldb

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

func TestTextIsCutIntoWords(t *testing.T) {
	for text, want := range map[string][]string{
		"DCIM/100SEALD/Clip-0001.MP4": {"dcim", "100seald", "clip", "0001", "mp4"},
		"Ömer  ÖZTÜRK, Ömer":          {"ömer", "öztürk"},
		`%_\'"--`:                     nil,
		"\xff\x00":                    nil,
		strings.Repeat("x", 500):      {strings.Repeat("x", maxWord)},
	} {
		if got := wordsOf(100, text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := wordsOf(2, "a b c"); len(got) != 2 {
		t.Errorf("more words than asked for: %q", got)
	}
}

// Items of older servers have no words. They get them when the catalog is opened.
func TestItemsOfOlderServersAreFoundByTheirWords(t *testing.T) {
	url := sqliteURL(t)
	db := openTest(t, url)
	fill(t, db, 700)
	if _, err := db.writes.ExecContext(t.Context(), "UPDATE items SET worded = 0, search = 'as it was'"); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), url, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for text, want := range map[string]int{"clip000007": 1, "central": 500} {
		page, err := again.Items(t.Context(), catalog.ItemFilter{Agency: "metro-pd", Text: text}, catalog.NewestArrival, "", 0)
		if err != nil || len(page.Items) != want {
			t.Errorf("%s: %d items, want %d: %v", text, len(page.Items), want, err)
		}
	}
}
