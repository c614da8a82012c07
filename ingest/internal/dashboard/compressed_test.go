package dashboard_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/sealdock/sealdock/ingest/internal/api/reading/readingtest"
	"github.com/sealdock/sealdock/proto/evidence"
)

// What came compressed says so, and is the original for whoever downloads it.
func TestACompressedItemSaysSoAndGivesTheOriginal(t *testing.T) {
	s := newSite(t)
	s.Enrol(t, "north", "front-desk")
	client := s.signedIn(t)
	content := bytes.Repeat([]byte(`{"at_seconds":17.5,"latitude":48.137154}`), 1<<10)
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	encoded := encoder.EncodeAll(content, nil)
	item := s.Keep(t, readingtest.Recording{Path: "DCIM/1.JSON", Kind: evidence.KindMetadata, Content: content, Encoded: encoded})
	page := s.get(t, client, "/evidence/"+item.ID.String())
	for _, words := range []string{fmt.Sprintf("stored compressed (zstd), %d of 40\u202f960 bytes", len(encoded)), "Merkle root, compressed", "It came compressed"} {
		if !strings.Contains(page.body, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	got := s.ask(t, client, "POST", "/evidence/"+item.ID.String()+"/original", url.Values{})
	if got.StatusCode != http.StatusOK || got.body != string(content) || got.Header.Get("X-Content-SHA256") != evidence.SHA256(content).String() {
		t.Errorf("the download is %d with %d bytes", got.StatusCode, len(got.body))
	}
}
