package inspection_test

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/inspection"
	"github.com/sealdock/sealdock/proto/evidence"
)

// pagesOf reads the text of each page of a PDF that this server made.
func pagesOf(t testing.TB, file []byte) []string {
	t.Helper()
	var pages []string
	for _, part := range bytes.Split(file, []byte(">>\nstream\n"))[1:] {
		in, err := zlib.NewReader(bytes.NewReader(part))
		if err != nil {
			continue
		}
		content, _ := io.ReadAll(in) // behind it the file goes on
		if len(content) == 0 || !bytes.Contains(content, []byte(")Tj")) {
			continue
		}
		var b strings.Builder
		for _, found := range regexp.MustCompile(`(?s)\(((?:[^\\()]|\\.)*)\) ?Tj`).FindAllSubmatch(content, -1) {
			raw := regexp.MustCompile(`(?s)\\(.)`).ReplaceAllFunc(found[1], func(m []byte) []byte {
				if m[1] == 'r' {
					return []byte{'\r'}
				}
				return m[1:]
			})
			letters := make([]uint16, len(raw)/2)
			for i := range letters {
				letters[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
			}
			b.WriteString(string(utf16.Decode(letters)) + "\n")
		}
		pages = append(pages, b.String())
	}
	return pages
}

// unbroken is text without the line breaks that the paper's width makes.
func unbroken(text string) string { return strings.Join(strings.Fields(text), "") }

func TestAnExportOnPaperTellsWhatWasFound(t *testing.T) {
	d := newDesk(t)
	d.day()
	q := inspection.Query{Person: "Jonah Reyes", From: d.clock.Now().Add(-time.Hour)}
	e, err := d.Export(t.Context(), auditor(), q, inspection.PDF)
	d.must(err)
	var first, second bytes.Buffer
	d.must(e.Write(t.Context(), &first))
	d.add(evidence.Event{Type: evidence.EventEvidenceViewed, Actor: user(jonah, "Jonah Reyes")}) // later than the search
	d.must(e.Write(t.Context(), &second))
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same search of the same moment gives other bytes")
	}
	if dir := os.Getenv("SEALDOCK_SCREENSHOTS"); dir != "" {
		d.must(os.WriteFile(dir+"/audit.pdf", first.Bytes(), 0o600))
	}
	pages := pagesOf(t, first.Bytes())
	if len(pages) == 0 {
		t.Fatal("there is no page")
	}
	text := unbroken(strings.Join(pages, ""))
	for _, want := range []string{
		"Extract of the custody log", "Agency metro-pd", "By Alba Moreno", "Searched for: acts by Jonah Reyes", "At or after", "Events found 4",
		"Jonah Reyes tried to", "Reason: the role does not allow it", "Outcome: refused", "from 192.0.2.9", origin, "How to verify", "page 1 of " + string(rune('0'+len(pages))),
		"— " + origin + " ", // the checkpoint's signature
	} {
		if !strings.Contains(text, unbroken(want)) {
			t.Errorf("%q is not on paper:\n%s", want, strings.Join(pages, "\f"))
		}
	}
	if n := strings.Count(text, unbroken("Act: evidence.viewed")); n != 3 {
		t.Errorf("%d views are on paper, want 3", n)
	}
	if strings.Contains(text, "Albatriedto") || strings.Contains(text, "front-desk") {
		t.Error("acts of others are on paper")
	}
	exported := d.search(inspection.Query{Act: string(evidence.EventAuditExported)}).Entries
	if len(exported) != 1 || exported[0].Event.Details["format"] != "pdf" || exported[0].Event.Details["events"] != "4" {
		t.Errorf("the record of the export: %+v", exported)
	}
	nobody := auditor()
	nobody.Powers = auth.ShippedPowers(auth.Officer)
	if _, err := d.Export(t.Context(), nobody, q, inspection.PDF); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("an officer takes the log away: %v", err)
	}
}

func TestHostileTextsAreOnlyTextOnPaper(t *testing.T) {
	d := newDesk(t)
	hostile := []string{
		"line\nbreak", "carriage\rreturn", "警察", "\u202eevil", "a) Tj ET /JS (app.alert(1))", "endstream endobj", "{pages}{nb}", "\ue0f1\ue0f1\ue0f1", "ààààà", strings.Repeat("x", 3000),
		strings.Repeat("word ", 400), "\x00\x1b[31m", "<script>", "\\\\)(",
	}
	for _, text := range hostile {
		d.add(evidence.Event{Type: evidence.EventCameraHeld, Actor: evidence.Actor{Kind: "user", ID: jonah, Name: text, Client: text}, Object: "camera:X", Source: text, Reason: text, Details: map[string]string{"of": text}})
	}
	d.sequence()
	file := d.export(inspection.Query{Act: string(evidence.EventCameraHeld)}, inspection.PDF)
	for _, never := range []string{"/JS", "/JavaScript", "/OpenAction", "/URI"} {
		if bytes.Contains(file, []byte(never)) {
			t.Errorf("the file holds %s", never)
		}
	}
	text := unbroken(strings.Join(pagesOf(t, file), ""))
	for _, want := range []string{"line[U+000A]break", "carriage[U+000D]return", "[U+8B66][U+5BDF]", "[U+202E]evil", "a) Tj ET /JS (app.alert(1))", "endstream endobj", "{pages}{nb}", "[U+E0F1][U+E0F1][U+E0F1]", "ààààà", "[U+001B][31m", "<script>", "the rest is in the export as JSON"} {
		if !strings.Contains(text, unbroken(want)) {
			t.Errorf("%q is not on paper", want)
		}
	}
}

func TestPaperHasAnEnd(t *testing.T) {
	d := newDesk(t)
	const many = inspection.MaxPaper
	for range many {
		d.add(evidence.Event{Type: evidence.EventEvidenceViewed, Actor: user(jonah, "Jonah Reyes"), Object: evidence.ItemObject(evidence.EvidenceID{7}), Source: "192.0.2.9"})
	}
	d.sequence()
	began := time.Now()
	file := d.export(inspection.Query{Person: jonah}, inspection.PDF)
	pages := pagesOf(t, file)
	t.Logf("%d events on %d pages, %d kB, in %v", many, len(pages), len(file)>>10, time.Since(began).Round(time.Millisecond))
	if n := strings.Count(strings.Join(pages, ""), "evidence.viewed"); n != many {
		t.Errorf("%d events are on paper, want %d", n, many)
	}
	d.add(evidence.Event{Type: evidence.EventEvidenceViewed, Actor: user(jonah, "Jonah Reyes")})
	_, err := d.Export(t.Context(), auditor(), inspection.Query{Person: jonah}, inspection.PDF)
	var wrong *inspection.QueryError
	if !errors.As(err, &wrong) || !strings.Contains(wrong.Why, "5001") || !strings.Contains(wrong.Why, "JSON") {
		t.Errorf("one more than paper takes: %v", err)
	}
}
