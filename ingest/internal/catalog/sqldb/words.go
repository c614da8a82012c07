package sqldb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// Bounds of the words of an item and of a search; what is beyond is not looked at.
const (
	maxWords     = 8   // of a search
	maxWord      = 128 // bytes
	maxItemWords = 96
)

// wordsOf cuts text into its words, each once: letters and digits in lower case, what
// stands between them separates.
func wordsOf(most int, texts ...string) []string {
	var all []string
	for _, text := range texts {
		for _, word := range strings.FieldsFunc(strings.ToLower(clean(text)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) }) {
			if len(word) > maxWord {
				word = strings.ToValidUTF8(word[:maxWord], "")
			}
			if len(all) < most && !slices.Contains(all, word) {
				all = append(all, word)
			}
		}
	}
	return all
}

// itemWords are what a search by text looks at.
func itemWords(i *catalog.Item) []string {
	a := &i.Annotation
	return wordsOf(maxItemWords, i.ID.String(), i.SHA256.String(), i.Camera, i.Officer, i.OfficerID, i.Category, string(i.Dock), string(i.Station), i.CameraModel, i.Path,
		i.ClaimedCategory(), a.Title, a.Incident, strings.Join(a.Tags, " "), a.Place, a.Note)
}

// wearerWords are what a search by text looks at besides: they change when an
// assignment becomes known later.
func wearerWords(officer, id string) []string { return wordsOf(maxItemWords, officer, id) }

// wordText holds words as LIKE finds them: each after a space.
func wordText(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return " " + strings.Join(words, " ")
}

// recordedAt is when an item was recorded, as far as that is known.
func recordedAt(i *catalog.Item) time.Time { return firstTime(i.CorrectedAt, i.StartedAt, i.OfferedAt) }

// addWords gives items of older servers their words.
func (db *DB) addWords(ctx context.Context) error {
	const step = 500
	for {
		items, err := list(ctx, &db.Reader, "items without words", scanItem, fmt.Sprintf("SELECT %s FROM items WHERE worded = 0 LIMIT %d", itemColumns, step))
		if err != nil || len(items) == 0 {
			return err
		}
		if err := db.Update(ctx, func(tx *Tx) error {
			for n := range items {
				i := &items[n]
				if _, err := tx.change(ctx, "giving item "+i.ID.String()+" its words", "UPDATE items SET worded = 1, search = $3, wearer_search = $4 WHERE agency = $1 AND id = $2",
					i.Agency, i.ID.String(), wordText(itemWords(i)), wordText(wearerWords(i.Wearer, i.WearerID))); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
}
