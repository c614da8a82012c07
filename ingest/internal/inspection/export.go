package inspection

import (
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Format is how an export is written.
type Format string

// The formats.
const (
	CSV       Format = "csv"   // RFC 4180, UTF-8, for spreadsheets: no cell is a formula
	JSONLines Format = "jsonl" // with salts, places and proofs: whoever has the log's public key can check it
	PDF       Format = "pdf"   // to be printed and filed: in words, with the signed checkpoint; at most MaxPaper events
)

// MediaType is what a browser is told of a file.
func (f Format) MediaType() string {
	switch f {
	case CSV:
		return "text/csv; charset=utf-8; header=present"
	case PDF:
		return "application/pdf"
	}
	return "application/jsonl; charset=utf-8"
}

// LinesFormat is the first line's "format" of an export as JSONLines.
const LinesFormat = "sealdock-events/1"

// Export is what a search found, ready to be written. Make it with Service.Export.
type Export struct {
	Format Format
	Events int64 // how many there are

	s      *Service
	actor  *auth.Actor
	query  Query
	search catalog.EventSearch
	people *people
	prover *prover
	at     time.Time
}

// Export counts what q finds and enters into the custody record that it is handed out.
// Nothing was written yet: do so with Write.
func (s *Service) Export(ctx context.Context, actor *auth.Actor, q Query, format Format) (*Export, error) {
	if err := s.allow(ctx, actor, auth.ExportAudit, evidence.EventAuditExported, q); err != nil {
		return nil, err
	}
	if format != CSV && format != JSONLines && format != PDF {
		return nil, &QueryError{"format", "csv, jsonl or pdf"}
	}
	e := &Export{Format: format, s: s, actor: actor, query: q, at: s.Now().UTC().Truncate(time.Microsecond)}
	var err error
	if e.people, err = s.people(ctx); err != nil {
		return nil, err
	}
	if e.search, err = s.resolve(ctx, q, e.people); err != nil {
		return nil, err
	}
	if e.prover, err = s.prover(ctx); err != nil {
		return nil, err
	}
	newest, err := s.Catalog.NewestEvent(ctx)
	if err != nil {
		return nil, err
	}
	e.search.Until = newest + 1
	if e.Events, err = s.Catalog.CountFound(ctx, e.search, tlog.MaxSize); err != nil {
		return nil, err
	}
	if format == PDF && e.Events > MaxPaper {
		return nil, &QueryError{"format", fmt.Sprintf("a PDF holds at most %d events, and this search finds %d; narrow it, or take JSON with proofs", MaxPaper, e.Events)}
	}
	_, err = s.record(ctx, actor, evidence.EventAuditExported, evidence.OutcomeDone, "",
		map[string]string{"search": q.Text(), "format": string(format), "events": strconv.FormatInt(e.Events, 10)})
	return e, err
}

// exportStep is how many events are held in memory at once.
const exportStep = 250

// Write writes the export, newest first, a page of events at a time. When it ends
// with an error what was written is no export.
func (e *Export) Write(ctx context.Context, w io.Writer) error {
	if e.Format == PDF { // made in memory: one at a time
		select {
		case e.s.papers <- struct{}{}:
			defer func() { <-e.s.papers }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	out, err := e.begin(w)
	if err != nil {
		return err
	}
	var after catalog.EventPlace
	for {
		rows, err := e.s.Catalog.SearchEvents(ctx, e.search, after, exportStep)
		if err != nil {
			return err
		}
		entries, err := e.s.entries(ctx, rows, e.people)
		if err != nil {
			return err
		}
		for i := range entries {
			if err := out.entry(ctx, &entries[i]); err != nil {
				return err
			}
		}
		if len(rows) < exportStep {
			return out.flush()
		}
		after = catalog.EventPlace{At: rows[len(rows)-1].At, ID: rows[len(rows)-1].ID}
	}
}

// writer writes one format.
type writer interface {
	entry(context.Context, *Entry) error
	flush() error
}

func (e *Export) begin(w io.Writer) (writer, error) {
	switch e.Format {
	case PDF:
		return &paper{Export: e, out: w}, nil
	case CSV:
		t := &table{csv.NewWriter(w)}
		t.UseCRLF = true
		return t, t.Write([]string{"time_utc", "event", "who", "kind_of_actor", "actor_id", "act", "object", "address", "client", "outcome", "reason", "details", "log_entry"})
	}
	l := &lines{json.NewEncoder(w), e.prover}
	l.SetEscapeHTML(false)
	return l, l.Encode(map[string]any{
		"format": LinesFormat, "agency": e.s.Agency, "search": e.query.Text(), "events": e.Events, "exported_at": e.at, "exported_by": e.actor.Name,
		"log_origin": e.s.Origin, "log_public_key": base64.StdEncoding.EncodeToString(e.s.LogKey), "checkpoint": string(e.prover.text),
	})
}

type table struct{ *csv.Writer }

func (t *table) entry(_ context.Context, e *Entry) error {
	index := ""
	if e.Row.LogIndex != nil {
		index = strconv.FormatInt(*e.Row.LogIndex, 10)
	}
	details, err := json.Marshal(e.Event.Details)
	if err != nil {
		return err
	}
	if len(e.Event.Details) == 0 {
		details = nil
	}
	cells := []string{
		e.Row.At.UTC().Format("2006-01-02T15:04:05.000000Z"), e.Sentence(), e.Who, e.Event.Actor.Kind, e.Event.Actor.ID, string(e.Event.Type), e.Event.Object,
		e.Event.Source, e.Event.Actor.Client, string(e.Event.Outcome), e.Event.Reason, string(details), index,
	}
	for i := range cells {
		cells[i] = cell(cells[i])
	}
	return t.Write(cells)
}

func (t *table) flush() error {
	t.Flush()
	return t.Error()
}

// cell makes text of what a spreadsheet would run as a formula: an apostrophe before it
// (OWASP, CSV Injection). Line breaks and what cannot be seen become spaces, so that
// no cell begins anew within it.
func cell(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
	// Full-width forms are read as the plain ones by spreadsheets of East Asia.
	if bare := strings.TrimLeft(text, " \u00a0\ufeff"); bare != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(bare)[0]) {
		return "'" + text
	}
	return text
}

type lines struct {
	*json.Encoder
	prover *prover
}

// entry writes an event with all that its leaf of the log is made of. The event stands
// as text, since its very bytes were hashed.
func (l *lines) entry(ctx context.Context, e *Entry) error {
	path, err := l.prover.proof(ctx, &e.Row)
	if err != nil {
		return err
	}
	return l.Encode(Line{Index: e.Row.LogIndex, Salt: e.Row.Salt, Event: string(e.Row.JSON), Proof: hashes(path)})
}

func hashes(path []tlog.Hash) [][]byte {
	all := make([][]byte, len(path))
	for i := range path {
		all[i] = path[i][:]
	}
	return all
}

func (l *lines) flush() error { return nil }

// Line is one event of an export as JSONLines.
type Line struct {
	Index *int64   `json:"log_index"` // null: not in the log yet when it was exported
	Salt  []byte   `json:"salt"`
	Event string   `json:"event"`
	Proof [][]byte `json:"proof"` // RFC 6962 section 2.1.1, under the checkpoint of the first line
}
