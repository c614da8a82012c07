package inspection

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sealdock/sealdock/ingest/internal/pdf"
	"github.com/sealdock/sealdock/proto/evidence"
)

// MaxPaper is how many events a PDF holds: some hundreds of pages, made in memory.
const MaxPaper = 5000

// maxDetails bounds the details of one event on paper, in bytes.
const maxDetails = 1500

// onPaper is one event of the document.
type onPaper struct {
	number, at, what string
	more             []string
}

// paper writes the export as a document for a court's file.
type paper struct {
	*Export
	out io.Writer
	all []onPaper
}

const paperTime = "2006-01-02 15:04:05.000000"

func (p *paper) entry(_ context.Context, e *Entry) error {
	o := onPaper{number: "–", at: e.Row.At.UTC().Format(paperTime), what: e.Sentence()}
	if e.Row.LogIndex != nil {
		o.number = strconv.FormatInt(*e.Row.LogIndex, 10)
	}
	if e.Readable {
		o.more = about(&e.Event)
	}
	p.all = append(p.all, o)
	return nil
}

// about is what an event says besides its sentence.
func about(e *evidence.Event) []string {
	who := e.Actor.Kind
	if e.Actor.ID != "" {
		who += " " + e.Actor.ID
	}
	if e.Source != "" {
		who += ", from " + e.Source
	}
	if e.Actor.Client != "" {
		who += ", with " + e.Actor.Client
	}
	more := []string{"Outcome: " + string(e.Outcome) + ". Act: " + string(e.Type) + ". By: " + who}
	if e.Object != "" {
		more = append(more, "About: "+e.Object)
	}
	if e.Reason != "" {
		more = append(more, "Reason: "+e.Reason)
	}
	if len(e.Details) > 0 {
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(e.Details)) {
			fmt.Fprintf(&b, "; %s: %s", name, e.Details[name])
		}
		more = append(more, "Details: "+clip(strings.TrimPrefix(b.String(), "; ")))
	}
	return more
}

// clip cuts details that are longer than paper takes, and says so.
func clip(s string) string {
	if len(s) <= maxDetails {
		return s
	}
	n := maxDetails
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + " … (the rest is in the export as JSON)"
}

func (p *paper) flush() error {
	b, err := pdf.Write("Extract of the custody log", "Extract of the custody log, agency "+string(p.s.Agency)+", made "+p.at.Format(paperTime)+" UTC", p.at, p.write)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(b, 64<<10) { // a slow reader has time for each
		if _, err := p.out.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func (p *paper) write(d *pdf.Page) {
	d.Heading("Extract of the custody log", 20)
	d.Row("Agency", string(p.s.Agency))
	d.Row("Made", p.at.Format(paperTime)+" UTC")
	d.Row("By", p.actor.Name+" ("+p.actor.Login+"), from "+p.actor.Origin.Address)
	for _, asked := range p.query.asked() {
		d.Row(asked[0], asked[1])
	}
	d.Row("Events found", strconv.FormatInt(p.Events, 10))
	d.Row("Order", "newest first, by the server's clock, in UTC")
	d.Exact("Custody log", p.s.Origin)
	d.Gap()
	d.Words("This is all that the search found in the log at that moment. Each event has its time, who did what to what, how it ended and why, and the number of its entry in the custody log. That this extract was made is an event of the log itself.")
	d.Subheading(fmt.Sprintf("Events (%d)", len(p.all)))
	for i := range p.all {
		o := &p.all[i]
		d.Entry(o.number, o.at, o.what, o.more...)
	}
	if len(p.all) == 0 {
		d.Words("The search found no event.")
	}
	d.Heading("The signed checkpoint", 13)
	if len(p.prover.text) == 0 {
		d.Words("The log had no checkpoint yet when this was made: nothing here can be checked against it. Make the extract again in a second.")
	} else {
		d.Words(fmt.Sprintf("It stands for the first %d entries of the log as they were at that moment; the numbers of entries begin at 0, and – stands for an event that was entering the log. Lines that are too long for the paper go on in the next one.", p.prover.head.Size))
		d.Lines(strings.Split(strings.TrimRight(string(p.prover.text), "\n"), "\n")...)
	}
	d.Exact("Key of the log", "Ed25519, "+base64.StdEncoding.EncodeToString(p.s.LogKey))
	d.Heading("How to verify", 13)
	d.Words("Paper proves nothing by itself: it says in words what the signed log holds. To check it, take the same search as “JSON with proofs” from the audit desk. That file holds, for each event, the very text that was hashed, its salt and the path of hashes (RFC 6962, section 2.1.1) from its entry to a signed checkpoint; the key above, had from elsewhere, checks them all without the server.")
	d.Words("That the log was not cut or set back since is seen by holding the checkpoint above beside a later one of the log (the consistency proof of RFC 6962, section 2.1.2), or beside those of the agency's outside witnesses. Custody packages of recordings are checked with the program sealdock-verify or the page verify.html within them.")
}

// asked is the query in words, for people.
func (q *Query) asked() [][2]string {
	var all [][2]string
	for _, part := range [][2]string{
		{"Acts by", q.Person}, {"Acts by the machine", q.Machine}, {"About", strings.TrimSpace(q.About + " " + q.Object)}, {"Acts", actWords(q.Act)}, {"Outcome", q.Outcome},
		{"From the address", q.Address},
	} {
		if part[1] != "" {
			all = append(all, part)
		}
	}
	if !q.From.IsZero() {
		all = append(all, [2]string{"At or after", q.From.UTC().Format(paperTime) + " UTC"})
	}
	if !q.To.IsZero() {
		all = append(all, [2]string{"Before", q.To.UTC().Format(paperTime) + " UTC"})
	}
	if len(all) == 0 {
		return [][2]string{{"Searched for", "everything"}}
	}
	all[0][0] = "Searched for: " + strings.ToLower(all[0][0][:1]) + all[0][0][1:]
	return all
}

// actWords is an act or a group of them in words.
func actWords(act string) string {
	if act == "" {
		return ""
	}
	for _, a := range Acts() {
		if string(a.Type) == act {
			return a.Words + " (" + act + ")"
		}
	}
	return strings.Replace(act, "group:", "all of the group ", 1)
}
