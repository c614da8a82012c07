package export

import (
	"cmp"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// texts are the files of a package beside its recordings, by name.
type texts map[string][]byte

func (t texts) file(name string) (pack.File, evidence.Digest) {
	return pack.Bytes(name, t[name]), evidence.SHA256(t[name])
}

// texts writes every file but the recordings, SHA256SUMS and the proofs.
func (m *making) texts() (texts, error) {
	t := texts{pack.IndexFile: pack.JSON(&m.index), pack.LogKeyFile: pack.PEM(m.LogKey), pack.ReceiptKeyFile: pack.PEM(m.ReceiptKey), pack.DocksFile: lines(m.enrols)}
	if m.Page != nil {
		t[pack.PageFile] = m.Page
	}
	note, err := tlog.VerifierKey(m.LogOrigin, m.LogKey)
	if err != nil {
		return nil, err
	}
	t[pack.LogNoteFile] = []byte(note + "\n")
	if m.derived {
		t[pack.DerivativesFile] = pack.PEM(m.DerivativeKey)
	}
	for n := range m.docks {
		t[pack.DockKeyFile(n)] = pack.PEM(m.docks[n].Key)
	}
	for n, s := range m.stamps {
		checkpoint, token, roots := pack.StampFiles(n)
		t[checkpoint], t[token], t[roots] = s.Checkpoint, s.Token, s.Roots
	}
	if m.seen.text != nil {
		t[pack.WitnessedFile] = m.seen.text
	}
	for _, s := range m.items {
		put := func(name string, b []byte) { t[s.listed.File(name)] = b }
		put("manifest.json", s.row.Manifest)
		put("manifest.signed", s.envelope.Signed())
		put("manifest.sig", s.envelope.Signatures[0].Sig)
		put("receipt.json", s.row.Receipt)
		for n, b := range s.inventories {
			put(fmt.Sprintf("inventory-%d.json", n+1), b)
		}
		for n := range s.releases {
			put(fmt.Sprintf("release-%d.json", n+1), s.releases[n].Envelope)
		}
		for n, b := range s.derivatives {
			put(fmt.Sprintf("derivative-%d.json", n+1), b)
		}
		put("events.jsonl", lines(s.events))
		put("clock.json", pack.ClockOf(&s.manifest))
		put("leaves.bin", evidence.EncodeLeaves(s.sums.leaves))
		if s.listed.Part != nil {
			put("part.bin", evidence.EncodeLeaves(s.proof))
		}
		put("original/ascmhl/"+s.listName, s.list)
		put("original/ascmhl/ascmhl_chain.xml", s.chain)
	}
	facts := m.facts(note)
	for name, text := range map[string]*template.Template{pack.ReadmeFile: readme, pack.CertificateFile: certificate} {
		var b strings.Builder
		if err := text.Execute(&b, facts); err != nil {
			return nil, fmt.Errorf("writing %s: %w", name, err)
		}
		t[name] = []byte(strings.ReplaceAll(b.String(), "\n", "\r\n")) // whatever opens it
	}
	t[pack.ReportFile], err = m.report(facts)
	return t, err
}

func lines(events []pack.Event) []byte {
	var b []byte
	for i := range events {
		b = append(b, pack.JSON(&events[i])...)
	}
	return b
}

// facts are what the texts say.
type facts struct {
	Agency, Origin, LogKey, Program string
	Made, By                        string
	Page                            bool
	Items                           []itemFacts
	Docks                           []dockFacts
	Stamps                          []stampFacts
}

// stampFacts are a time stamp and its files.
type stampFacts struct{ Checkpoint, Token, Roots, Authority, At string }

type dockFacts struct{ File, Dock, Key, Since string }

type itemFacts struct {
	ID, Dir, File, Path, Camera, Dock, Station, Bay string
	Length                                          uint64
	SHA256, MerkleRoot, C4                          string
	Read, Stored, Confirmed                         string
	Part                                            string // which bytes are in the package; "": all
	Times                                           []timeFacts
	Erased                                          string
	DockKey                                         string // file, of who signed the manifest
	Derived                                         string // of what, and how; "": it is no derivative
	Derivatives                                     int    // that were made of it
	StoredIndex                                     int64
	Stamped                                         string      // "": not by an outside authority
	Said                                            []saidFacts // by people of the agency
	Events                                          []eventFacts
}

// saidFacts are one value that the agency says of a recording.
type saidFacts struct{ What, Value string }

// timeFacts are a reading of the camera's clock and what follows from it.
type timeFacts struct{ What, Raw, Corrected, About, Basis string }

type eventFacts struct {
	Index                       int64
	At, What, Who, How, Details string
}

const stampForm = "2006-01-02 15:04:05 UTC"

func stamp(t time.Time) string { return t.UTC().Format(stampForm) }

func (m *making) facts(logKey string) *facts {
	f := &facts{
		Agency: string(m.Agency), Origin: m.LogOrigin, LogKey: logKey, Program: m.Program, Made: stamp(m.index.MadeAt), By: whoText(m.by.Actor), Page: m.Page != nil,
	}
	for n, d := range m.docks {
		f.Docks = append(f.Docks, dockFacts{pack.DockKeyFile(n), string(d.Dock), fmt.Sprintf("%x", d.Key), stamp(d.Since)})
	}
	for n, s := range m.stamps {
		checkpoint, token, roots := pack.StampFiles(n)
		f.Stamps = append(f.Stamps, stampFacts{checkpoint, token, roots, printable(s.Authority), stamp(s.At)})
	}
	for _, s := range m.items {
		f.Items = append(f.Items, m.itemFacts(s))
	}
	return f
}

func (m *making) itemFacts(s *subject) itemFacts {
	mf := &s.manifest
	is := itemFacts{
		ID: s.row.ID.String(), Dir: "items/" + s.row.ID.String(), File: s.listed.OriginalFile(), Path: printable(mf.Recording.Path), Camera: printable(strings.TrimSpace(mf.Camera.Serial + " " + mf.Camera.Model)),
		Dock: string(mf.Dock), Station: string(mf.Station), Bay: printable(mf.Bay), Length: mf.Length, SHA256: mf.SHA256.String(), MerkleRoot: mf.MerkleRoot.String(),
		Read:   stamp(mf.Clocks.DockStart) + " to " + stamp(mf.Clocks.DockEnd) + " by the dock's clock",
		Stored: stamp(s.receipt.StoredAt), StoredIndex: s.receipt.Proof.Index,
		Confirmed: "by a second, independent reading of the camera",
	}
	is.Derivatives = len(s.derivatives)
	a := &s.row.Annotation
	for _, said := range []saidFacts{{"Title", a.Title}, {"Category", a.Category}, {"Tags", strings.Join(a.Tags, ", ")}, {"Incident", a.Incident}, {"Place", a.Place}, {"Note", strings.ReplaceAll(a.Note, "\n", " / ")}} {
		if said.Value != "" {
			is.Said = append(is.Said, saidFacts{said.What, printable(said.Value)})
		}
	}
	if claimed := mf.Claims.Category; a.Category != "" {
		is.Said = append(is.Said, saidFacts{"Camera's category", printable(cmp.Or(claimed, "none"))})
	}
	if d := mf.Derivation; d != nil {
		is.DockKey, is.Derived = pack.DerivativesFile, derivedText(d)
		is.Confirmed = "not by a camera: it was made at the server"
	}
	if mf.Confirmed == evidence.ConfirmedByCamera {
		is.Confirmed = "by the hash that the camera had signed"
	}
	if p := s.listed.Part; p != nil {
		is.Part = fmt.Sprintf("byte %d to %d of %d", p.From, p.To-1, mf.Length)
		if p.Span != nil {
			is.Part += ", which hold " + p.Span.String()
		}
	}
	if s.stamp != nil {
		is.Stamped = stamp(s.stamp.At) + ", signed by " + printable(s.stamp.Authority)
	}
	for n, d := range m.docks {
		if _, err := s.envelope.Verify(evidence.TypeManifest, d.Key); err == nil && d.Dock == mf.Dock {
			is.DockKey = pack.DockKeyFile(n)
		}
	}
	for _, r := range s.releases {
		if r.Result == evidence.ReleaseErased {
			is.Erased = stamp(r.At) + " by the dock's clock"
		}
	}
	for what, raw := range map[string]time.Time{"Began": mf.Claims.StartedAt, "Ended": mf.Claims.EndedAt} {
		if raw.IsZero() {
			continue
		}
		t := timeFacts{What: what, Raw: stamp(raw)}
		if at, ok := mf.Clocks.Correct(raw); ok {
			t.Corrected, t.About, t.Basis = stamp(at.At), at.Uncertainty.Round(time.Millisecond).String(), at.Basis
		}
		if what == "Began" {
			is.Times = append([]timeFacts{t}, is.Times...)
		} else {
			is.Times = append(is.Times, t)
		}
	}
	for i := range s.events {
		is.Events = append(is.Events, eventFactsOf(&s.events[i]))
	}
	return is
}

// derivedText says for people what a derivative was made of, and how.
func derivedText(d *evidence.Derivation) string {
	at := func(us int64) string { return (time.Duration(us) * time.Microsecond).String() }
	return fmt.Sprintf("of recording %s (SHA-256 %s), %s to %s from its beginning, with %s, by %s on %s: %s",
		d.Original, d.SHA256, at(d.From), at(d.To), printable(d.ToolVersion), whoText(d.MadeBy), stamp(d.MadeAt), printable(d.Reason))
}

func eventFactsOf(line *pack.Event) eventFacts {
	var e evidence.Event
	if err := evidence.Decode([]byte(line.Event), &e); err != nil {
		return eventFacts{Index: line.Index, What: "cannot be read"}
	}
	f := eventFacts{Index: line.Index, At: stamp(e.At), What: string(e.Type), Who: whoText(e.Actor), Details: printable(e.Reason)}
	if e.Outcome != evidence.OutcomeDone {
		f.What += " (" + string(e.Outcome) + ")"
	}
	if e.Source != "" && e.Source != "local" {
		f.Who += " from " + printable(e.Source)
	}
	return f
}

func whoText(a evidence.Actor) string {
	if a.Name != "" {
		return printable(a.Kind + " " + a.Name)
	}
	return printable(a.Kind + " " + a.ID)
}

// printable keeps hostile text on its line and from turning others around.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, s)
}
