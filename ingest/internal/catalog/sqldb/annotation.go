package sqldb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// joinTags keeps tags as one text, in lower case, in which each stands between line ends.
func joinTags(tags []string) string {
	if len(tags) == 0 {
		return ""
	}
	kept := make([]string, len(tags))
	for i, tag := range tags {
		kept[i] = strings.ToLower(strings.ReplaceAll(clean(tag), "\n", " "))
	}
	slices.Sort(kept)
	return "\n" + strings.Join(slices.Compact(kept), "\n") + "\n"
}

func splitTags(text string) []string {
	if text == "" {
		return nil
	}
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}

// likely is a text as LIKE takes it for itself.
func likely(text string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(text)
}

// Annotate replaces what the agency says of an item that has arrived. item is as
// ItemRow returned it; catalog.ErrConflict when it was annotated since, or is in another
// state.
func (tx *Tx) Annotate(ctx context.Context, item *catalog.Item, a *catalog.Annotation) error {
	if !item.Arrived() {
		return fmt.Errorf("annotating item %s, which has not arrived: it %w", item.ID, catalog.ErrConflict)
	}
	return tx.setAnnotation(ctx, item, a, item.Annotated+1)
}

// setAnnotation keeps a at an item that stands at version item.Annotated.
func (tx *Tx) setAnnotation(ctx context.Context, item *catalog.Item, a *catalog.Annotation, version int64) error {
	claimed := item.ClaimedCategory()
	after := *item
	after.Annotation = *a
	after.SetClaimedCategory(claimed)
	after.Category, claimed = claimed, ""
	if a.Category != "" {
		after.Category, claimed = a.Category, after.ClaimedCategory()
	}
	return tx.exec(ctx, fmt.Sprintf("annotating item %s", item.ID), catalog.ErrConflict,
		`UPDATE items SET annotated = $4, title = $5, note = $6, incident = $7, place = $8, tags = $9, given_category = $10, claimed_category = $11, category = $12, search = $13, worded = 1
		WHERE agency = $1 AND id = $2 AND annotated = $3`,
		item.Agency, item.ID.String(), item.Annotated, version, clean(a.Title), clean(a.Note), clean(a.Incident), clean(a.Place), joinTags(a.Tags),
		clean(a.Category), clean(claimed), clean(after.Category), wordText(itemWords(&after)))
}
