package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
)

func TestRelatedRecordingsOverTheAPI(t *testing.T) {
	d := newDesk(t)
	at := d.Clock.Now().Add(-time.Hour)
	keep := func(name, camera string, from time.Time) string {
		return d.Keep(t, readingtest.Recording{Path: "DCIM/" + name + ".MP4", Camera: camera, Model: "Sim", Content: []byte(name), Began: from, Ended: from.Add(10 * time.Minute)}).ID.String()
	}
	here := keep("HERE", "SD-1", at)
	other := keep("OTHER", "SD-2", at.Add(5*time.Minute))
	keep("LATER", "SD-3", at.Add(20*time.Minute))
	v := d.get(t, "/api/v1/items/"+here+"/related")
	items, _ := v["items"].([]any)
	if len(items) != 1 || v["more"] != false {
		t.Fatalf("%v", v)
	}
	if near := items[0].(map[string]any); near["id"] != other || near["overlap_us"] != 3e8 || near["overlap_uncertainty_us"] != nil {
		t.Errorf("%v", near)
	}
	if code, _, _ := d.ask(t, "GET", "/api/v1/items/00000000000000000000000000000009/related", d.session); code != http.StatusNotFound {
		t.Errorf("of no recording: %d", code)
	}
}
