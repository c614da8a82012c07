package fsck_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/fsck"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestAGoodStoreHasNoProblem(t *testing.T) {
	w := newWorld(t)
	summary, found := w.run()
	for _, f := range found {
		if f.Severity == fsck.Problem {
			t.Errorf("%s", f)
		}
	}
	want := fsck.Summary{Items: 6, Stored: 4, Bytes: 5<<19 + 77 + 1<<20 + 1000, Receiving: 1, Quarantined: 1, Blobs: 6, Events: 4, Receipts: 4, Notes: 4}
	if summary != want {
		t.Errorf("got  %+v\nwant %+v", summary, want)
	}
	for _, words := range []string{"in progress: at least", "in quarantine: leaf 1 differs", "in progress, ", "in quarantine, "} {
		if !strings.Contains(fmt.Sprint(found), words) {
			t.Errorf("no note says %q: %v", words, found)
		}
	}
}

// One flipped bit anywhere in a blob is found, and named.
func TestAFlippedBitInABlobIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		item, offset int
		words        string
	}{
		"header":           {0, 20, "header"},
		"first segment":    {0, 500, "segment 0 of 3"},
		"second segment":   {0, 1<<20 + 500, "segment 1 of 3"},
		"last byte":        {0, -1, "segment 2 of 3"},
		"segment's marker": {1, 75, "segment 0 of 1"},
		"empty recording":  {2, -1, "segment 0 of 1"},
		"small recording":  {3, -500, "segment 0 of 1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.flip(w.blobPath(c.item), c.offset)
			_, found := w.run()
			w.only(found, evidence.ItemObject(w.items[c.item].ID), c.words)
		})
	}
}

func TestMissingAndMisplacedBlobsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		words  []string
	}{
		"removed":   {func(w *world) { w.must(os.Remove(w.blobPath(1))) }, []string{"missing from the store"}},
		"truncated": {func(w *world) { w.must(os.Truncate(w.blobPath(0), 1<<20)) }, []string{"bytes, want"}},
		"extended":  {func(w *world) { w.must(os.Truncate(w.blobPath(0), 4<<20)) }, []string{"bytes, want"}},
		"swapped": {func(w *world) {
			w.must(os.Rename(w.blobPath(0), w.blobPath(0)+".x"))
			w.must(os.Rename(w.blobPath(1), w.blobPath(0)))
			w.must(os.Rename(w.blobPath(0)+".x", w.blobPath(1)))
		}, []string{"bytes, want"}},
		"row deleted": {func(w *world) {
			w.sql("DELETE FROM items WHERE id = '" + w.items[1].ID.String() + "'")
		}, []string{"a blob that no row knows", "the catalog has no such item"}},
		"offer deleted": {func(w *world) {
			w.sql("DELETE FROM offers WHERE id = '" + w.items[1].ID.String() + "'")
		}, []string{"missing from the catalog"}},
		"a file of nobody": {func(w *world) {
			w.must(os.Rename(w.blobPath(1), w.blobPath(1)+"~"))
		}, []string{"missing from the store"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.change(w)
			_, found := w.run()
			w.only(found, "", c.words...)
		})
	}
}

// Swapping two blobs of one length is found by their headers, and with the
// headers by their bytes.
func TestSwappedBytesOfOneLengthAreFound(t *testing.T) {
	w := newWorld(t)
	w.store(6, 1000)
	a, err := os.ReadFile(w.blobPath(3))
	w.must(err)
	b, err := os.ReadFile(w.blobPath(6))
	w.must(err)
	const header = 74
	w.must(os.WriteFile(w.blobPath(3), append(a[:header:header], b[header:]...), 0o600))
	w.must(os.WriteFile(w.blobPath(6), append(b[:header:header], a[header:]...), 0o600))
	_, found := w.run()
	w.only(found, "", "segment 0 of 1")
	if len(found) < 2 {
		t.Errorf("found %v", found)
	}
}

// Each field of a stored row is compared with what was signed.
func TestAnEditedRowIsFound(t *testing.T) {
	for column, c := range map[string]struct{ value, words string }{
		"dock":            {"'garage'", "dock"},
		"station":         {"'north'", "station"},
		"bay":             {"'9-9'", "bay"},
		"docking":         {"'ff000000000000000000000000000000'", "docking"},
		"camera":          {"'CAM-2'", "camera"},
		"camera_model":    {"'X'", "camera model"},
		"path":            {"'DCIM/100/OTHER.MP4'", "path"},
		"kind":            {"'other'", "kind"},
		"length":          {"12", "length"},
		"sha256":          {"'" + strings.Repeat("ab", 32) + "'", "SHA-256"},
		"merkle_root":     {"'" + strings.Repeat("ab", 32) + "'", "Merkle root"},
		"officer":         {"'Somebody Else'", "officer"},
		"officer_id":      {"'B2'", "officer id"},
		"category":        {"'other'", "category"},
		"title":           {"'Nothing to see'", "title"},
		"tags":            {"'x'", "tags"},
		"annotated":       {"2", "changed 2 times"},
		"given_category":  {"'other'", "category"},
		"started_at":      {"started_at + 1", "start"},
		"ended_at":        {"7", "end"},
		"stored_at":       {"stored_at - 1", "stored at"},
		"erased_at":       {"erased_at + 1", "erased"},
		"event_id":        {"event_id + 1", "event"},
		"event_index":     {"event_index + 1", "log index"},
		"manifest_digest": {"'" + strings.Repeat("ab", 32) + "'", "digest of the manifest"},
		"state":           {"'receiving'", "its row says receiving"},
	} {
		t.Run(column, func(t *testing.T) {
			w := newWorld(t)
			w.sql(fmt.Sprintf("UPDATE items SET %s = %s WHERE id = '%s'", column, c.value, w.items[0].ID))
			_, found := w.run()
			all := fmt.Sprint(found)
			if !strings.Contains(all, "problem: item:"+w.items[0].ID.String()) || !strings.Contains(all, c.words) {
				t.Errorf("found %v", found)
			}
		})
	}
}

func TestAnEditedStatementIsFound(t *testing.T) {
	id := func(w *world) string { return w.items[0].ID.String() }
	other := func(w *world) string { return w.items[1].ID.String() }
	for name, c := range map[string]struct {
		sql   func(w *world) string
		words []string
	}{
		"manifest of another item": {func(w *world) string {
			return "UPDATE offers SET manifest = (SELECT manifest FROM offers WHERE id = '" + other(w) + "') WHERE id = '" + id(w) + "'"
		}, []string{"the signed manifest says", "leaf list", "receipt does not hold", "a release of another", "bytes, want"}},
		"manifest destroyed":  {func(w *world) string { return "UPDATE offers SET manifest = x'00' WHERE id = '" + id(w) + "'" }, []string{"manifest cannot be read"}},
		"leaves shortened":    {func(w *world) string { return "UPDATE offers SET leaves = x'' WHERE id = '" + id(w) + "'" }, []string{"leaf list"}},
		"header changed":      {func(w *world) string { return "UPDATE offers SET header = x'00' WHERE id = '" + id(w) + "'" }, []string{"header"}},
		"wrapped key changed": {func(w *world) string { return "UPDATE offers SET wrapped_key = x'00' WHERE id = '" + id(w) + "'" }, []string{"key cannot be opened"}},
		"receipt deleted":     {func(w *world) string { return "DELETE FROM receipts WHERE id = '" + id(w) + "'" }, []string{"receipt is missing"}},
		"receipt of another": {func(w *world) string {
			return "UPDATE receipts SET receipt = (SELECT receipt FROM receipts WHERE id = '" + other(w) + "') WHERE id = '" + id(w) + "'"
		}, []string{"receipt does not hold"}},
		"dock's key replaced":    {func(w *world) string { return "UPDATE dock_keys SET public_key = zeroblob(32)" }, []string{"signature"}},
		"release deleted":        {func(w *world) string { return "DELETE FROM releases" }, []string{"no signed release"}},
		"release says otherwise": {func(w *world) string { return "UPDATE releases SET result = 'failed'" }, []string{"release"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.sql(c.sql(w))
			_, found := w.run()
			w.only(found, "", append(c.words, "no signed release")...)
		})
	}
}

func TestAnEditedLogIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		words  []string
	}{
		"event deleted":      {func(w *world) { w.sql("DELETE FROM events WHERE log_index = 1") }, []string{"log index 1 is missing", "its storing"}},
		"last event deleted": {func(w *world) { w.sql("DELETE FROM events WHERE log_index = 3") }, []string{"log index 3 is missing", "its storing"}},
		"event's bytes": {func(w *world) {
			w.sql("UPDATE events SET event = CAST(replace(CAST(event AS TEXT), 'ingest', 'nobody') AS BLOB) WHERE log_index = 1")
		}, []string{"event was changed", "do not give the root", "its storing", "another history", "columns beside"}},
		"event's salt":   {func(w *world) { w.sql("UPDATE events SET salt = zeroblob(32) WHERE log_index = 1") }, []string{"event was changed", "do not give the root", "its storing", "another history"}},
		"event's column": {func(w *world) { w.sql("UPDATE events SET actor_id = 'x' WHERE log_index = 1") }, []string{"columns beside"}},
		"events swapped": {func(w *world) {
			w.sql("UPDATE events SET log_index = 99 WHERE log_index = 1", "UPDATE events SET log_index = 1 WHERE log_index = 2", "UPDATE events SET log_index = 2 WHERE log_index = 99")
		}, []string{"event was changed", "do not give the root", "its storing", "another history"}},
		"a bit in a tile":      {func(w *world) { w.flip(filepath.Join(w.logDir(), "tile/0/000.p/4"), 40) }, []string{"tile/0/000.p/4"}},
		"a bit in a bundle":    {func(w *world) { w.flip(filepath.Join(w.logDir(), "tile/entries/000.p/4"), 40) }, []string{"tile", "event was changed"}},
		"tile missing":         {func(w *world) { w.must(os.Remove(filepath.Join(w.logDir(), "tile/0/000.p/4"))) }, []string{"tile/0/000.p/4"}},
		"bundle missing":       {func(w *world) { w.must(os.Remove(filepath.Join(w.logDir(), "tile/entries/000.p/4"))) }, []string{"tile/entries"}},
		"published checkpoint": {func(w *world) { w.flip(filepath.Join(w.logDir(), "checkpoint"), -5) }, []string{"published checkpoint does not hold"}},
		"log set back":         {func(w *world) { w.sql("UPDATE log_state SET size = 2") }, []string{"signed checkpoint says", "set back", "another history", "do not give the root"}},
		"checkpoint removed":   {func(w *world) { w.sql("UPDATE log_state SET checkpoint = NULL") }, []string{"has no checkpoint"}},
		"an item and its events": {func(w *world) {
			id := w.items[2].ID.String()
			w.sql("DELETE FROM items WHERE id = '"+id+"'", "DELETE FROM offers WHERE id = '"+id+"'", "DELETE FROM receipts WHERE id = '"+id+"'", "DELETE FROM events WHERE object = 'item:"+id+"'")
			w.must(os.Remove(w.blobPath(2)))
		}, []string{"log index 2 is missing"}},
		"an item, but not its events": {func(w *world) {
			id := w.items[2].ID.String()
			w.sql("DELETE FROM items WHERE id = '"+id+"'", "DELETE FROM offers WHERE id = '"+id+"'", "DELETE FROM receipts WHERE id = '"+id+"'")
			w.must(os.Remove(w.blobPath(2)))
		}, []string{"the catalog has no such item"}},
		"an item made unstored": {func(w *world) {
			w.sql("UPDATE items SET state = 'receiving', event_id = 0 WHERE id = '" + w.items[2].ID.String() + "'")
		}, []string{"the catalog has no such item"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.change(w)
			_, found := w.run()
			w.only(found, "", c.words...)
		})
	}
}
