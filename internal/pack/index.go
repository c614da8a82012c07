package pack

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/sealdock/sealdock/proto/evidence"
)

// The files of every package, beside those of its items.
const (
	ReadmeFile      = "README.txt"
	PageFile        = "verify.html" // left out where Index.Page is false
	IndexFile       = "package.json"
	ReportFile      = "report.pdf"
	CertificateFile = "certificate-902.txt"
	LogKeyFile      = "keys/log.pem"
	LogNoteFile     = "keys/log.txt" // the log's key as C2SP signed-note writes it
	ReceiptKeyFile  = "keys/receipt.pem"
	DerivativesFile = "keys/derivative.pem" // only where Index.DerivativeKey is there
	DocksFile       = "docks.jsonl"
	SumsFile        = "SHA256SUMS"
	ProofFile       = "proof.jsonl"
)

// Names of the details of an evidence.packaged event.
const (
	DetailContents = "contents_sha256" // SHA-256 of SHA256SUMS
	DetailItems    = "items"           // how many are in the package
	DetailSHA256   = "sha256"          // of the item's recording
)

// Bounds of what is read into memory.
const (
	MaxItems     = 1000
	MaxWitnesses = 16
	MaxEvents    = 100_000 // of all items
	MaxSmall     = 32 << 20
	MaxLine      = 4 * evidence.MaxEvent
)

// Index says what is in a package, and by whose keys it was signed. It is what the
// package says of itself: nothing in it counts that is not proven.
type Index struct {
	Version    int               `json:"version"` // 1
	Agency     evidence.AgencyID `json:"agency"`
	MadeAt     time.Time         `json:"made_at"` // UTC, the server's clock
	MadeBy     evidence.Actor    `json:"made_by"`
	Program    string            `json:"program"`
	Page       bool              `json:"page"` // PageFile is in it
	LogOrigin  string            `json:"log_origin"`
	LogKey     []byte            `json:"log_key"`     // Ed25519
	ReceiptKey []byte            `json:"receipt_key"` // Ed25519
	// DerivativeKey signed derivatives, where the package speaks of any; Ed25519.
	DerivativeKey []byte   `json:"derivative_key,omitempty"`
	Restored      []int64  `json:"restored,omitempty"` // how many entries the log was left with at each restore from a backup
	Docks         []Dock   `json:"docks"`
	Stamps        int      `json:"stamps,omitempty"`    // how many time stamps there are
	Witnesses     []string `json:"witnesses,omitempty"` // verifier keys that the server trusted; WitnessedFile is there
	Items         []Item   `json:"items"`
}

// Dock is a key with which a dock signed.
type Dock struct {
	Dock  evidence.DockID `json:"dock"`
	Key   []byte          `json:"key"` // Ed25519
	Since time.Time       `json:"since"`
}

// Item is one evidence item of a package.
type Item struct {
	ID          evidence.EvidenceID `json:"id"`
	Original    string              `json:"original"` // name of its recording in the package
	Length      uint64              `json:"length"`
	SHA256      evidence.Digest     `json:"sha256"`
	Inventories int                 `json:"inventories"`
	Releases    int                 `json:"releases"`
	Derivatives int                 `json:"derivatives,omitempty"` // recipes of what was made of it
	Events      int                 `json:"events"`
	List        string              `json:"list"` // name of its ASC MHL
	Part        *Part               `json:"part,omitempty"`
}

// Part is what of a recording is in a package, where it is not all: whole leaves of
// evidence.LeafSize. Length and SHA256 of the item are still those of the whole.
type Part struct {
	From uint64 `json:"from"` // first byte
	To   uint64 `json:"to"`   // byte behind the last
	Span *Span  `json:"span,omitempty"`
}

// Span is the time for which a part was asked, and what it covers: from the key
// frame before until the last picture ends, by the recording's own tables. Times are
// microseconds from the recording's beginning.
type Span struct {
	AskedFrom int64 `json:"asked_from_us"`
	AskedTo   int64 `json:"asked_to_us"`
	From      int64 `json:"from_us"`
	To        int64 `json:"to_us"`
}

func (s *Span) check() bool {
	return s == nil || s.AskedFrom >= 0 && s.AskedFrom < s.AskedTo && s.From >= 0 && s.From <= s.AskedFrom && s.From < s.To
}

// String says it for people.
func (s *Span) String() string {
	d := func(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
	return fmt.Sprintf("%v to %v from its beginning (asked for: %v to %v)", d(s.From), d(s.To), d(s.AskedFrom), d(s.AskedTo))
}

// Leaves are the first leaf of the part, and the one behind its last.
func (p *Part) Leaves() (from, to uint64) {
	return p.From / evidence.LeafSize, (p.To + evidence.LeafSize - 1) / evidence.LeafSize
}

// check: it begins and ends where leaves do.
func (p *Part) check(length uint64) bool {
	return p.From < p.To && p.To <= length && p.From%evidence.LeafSize == 0 && (p.To%evidence.LeafSize == 0 || p.To == length) && p.Span.check()
}

// Check implements evidence.Statement.
func (x *Index) Check() error {
	switch {
	case x.Version != 1:
		return fmt.Errorf("package version %d: this program reads version 1; get a newer verifier", x.Version)
	case len(x.Items) == 0 || len(x.Items) > MaxItems || len(x.Docks) > 2*MaxItems:
		return fmt.Errorf("package of %d items and %d docks: 1 to %d items are taken", len(x.Items), len(x.Docks), MaxItems)
	case len(x.LogKey) != ed25519.PublicKeySize || len(x.ReceiptKey) != ed25519.PublicKeySize || x.LogOrigin == "" || len(x.LogOrigin) > 255:
		return errors.New("package: a key of the server, or the log's name, is missing")
	case len(x.DerivativeKey) != 0 && len(x.DerivativeKey) != ed25519.PublicKeySize:
		return errors.New("package: the key of derivatives is no key")
	case x.DerivativeKey != nil && (bytes.Equal(x.DerivativeKey, x.ReceiptKey) || bytes.Equal(x.DerivativeKey, x.LogKey)):
		return errors.New("package: one key for derivatives and for something else: each has its own")
	case x.MadeAt.IsZero():
		return errors.New("package: the time is missing")
	case x.Stamps < 0 || x.Stamps > MaxItems:
		return fmt.Errorf("package of %d time stamps: at most %d are taken", x.Stamps, MaxItems)
	}
	if len(x.Witnesses) > MaxWitnesses {
		return fmt.Errorf("package of %d witnesses: at most %d are taken", len(x.Witnesses), MaxWitnesses)
	}
	for _, w := range x.Witnesses {
		if len(w) > 512 || strings.ContainsFunc(w, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
			return fmt.Errorf("package: %.80q is no key of a witness", w)
		}
	}
	if err := evidence.CheckName("agency", string(x.Agency)); err != nil {
		return fmt.Errorf("package: %w", err)
	}
	for _, d := range x.Docks {
		if err := evidence.CheckName("dock", string(d.Dock)); err != nil || len(d.Key) != ed25519.PublicKeySize {
			return fmt.Errorf("package: the key of a dock is no key: %w", err)
		}
	}
	events := 0
	for i := range x.Items {
		it := &x.Items[i]
		if events += it.Events; events > MaxEvents {
			return fmt.Errorf("package: more than %d custody events", MaxEvents)
		}
		if it.ID.IsZero() || it.Length > evidence.MaxLength || it.Inventories < 0 || it.Inventories > 1000 || it.Releases < 0 || it.Releases > 1000 || it.Events < 0 || it.Events > MaxEvents {
			return fmt.Errorf("package: item %s: id, length or counts are out of bounds", it.ID)
		}
		if it.Derivatives < 0 || it.Derivatives > 1000 || it.Derivatives > 0 && x.DerivativeKey == nil {
			return fmt.Errorf("package: item %s: %d derivatives, or no key of them", it.ID, it.Derivatives)
		}
		if it.Part != nil && !it.Part.check(it.Length) {
			return fmt.Errorf("package: item %s: the part of it is none", it.ID)
		}
		if CheckName(it.Original) != nil || strings.Contains(it.Original, "/") || CheckName(it.List) != nil || strings.Contains(it.List, "/") {
			return fmt.Errorf("package: item %s: the names of its files are not allowed", it.ID)
		}
	}
	return nil
}

// File names a file of the item.
func (it *Item) File(name string) string { return "items/" + it.ID.String() + "/" + name }

// Packed is how many bytes of the recording are in the package.
func (it *Item) Packed() uint64 {
	if it.Part != nil {
		return it.Part.To - it.Part.From
	}
	return it.Length
}

// OriginalFile is where the recording is.
func (it *Item) OriginalFile() string { return it.File("original/" + it.Original) }

// Files are the item's files but the recording, in their order.
func (it *Item) Files() []string {
	files := []string{it.File("manifest.json"), it.File("manifest.signed"), it.File("manifest.sig"), it.File("receipt.json")}
	for n := range it.Inventories {
		files = append(files, it.File(fmt.Sprintf("inventory-%d.json", n+1)))
	}
	for n := range it.Releases {
		files = append(files, it.File(fmt.Sprintf("release-%d.json", n+1)))
	}
	for n := range it.Derivatives {
		files = append(files, it.File(fmt.Sprintf("derivative-%d.json", n+1)))
	}
	files = append(files, it.File("events.jsonl"), it.File("clock.json"), it.File("leaves.bin"))
	if it.Part != nil {
		files = append(files, it.File("part.bin"))
	}
	return append(files, it.File("original/ascmhl/ascmhl_chain.xml"), it.File("original/ascmhl/"+it.List))
}

// DockKeyFile is where the key of x.Docks[n] is.
func DockKeyFile(n int) string { return fmt.Sprintf("keys/dock-%d.pem", n+1) }

// WitnessedFile is the newest checkpoint that witnesses had cosigned when the package
// was made, with their cosignatures.
const WitnessedFile = "time/witnessed.checkpoint"

// StampFiles are where time stamp n, from 0, is: the checkpoint that it is over, its
// token (RFC 3161, DER), and the authorities that the server trusted (PEM).
func StampFiles(n int) (checkpoint, token, roots string) {
	return fmt.Sprintf("time/%d.checkpoint", n+1), fmt.Sprintf("time/%d.tst", n+1), fmt.Sprintf("time/%d.pem", n+1)
}

// Names are all files of the package, in their order.
func (x *Index) Names() []string {
	names := []string{ReadmeFile}
	if x.Page {
		names = append(names, PageFile)
	}
	names = append(names, IndexFile, ReportFile, CertificateFile, LogKeyFile, LogNoteFile, ReceiptKeyFile)
	if x.DerivativeKey != nil {
		names = append(names, DerivativesFile)
	}
	for n := range x.Docks {
		names = append(names, DockKeyFile(n))
	}
	names = append(names, DocksFile)
	for n := range x.Stamps {
		checkpoint, token, roots := StampFiles(n)
		names = append(names, checkpoint, token, roots)
	}
	if len(x.Witnesses) > 0 {
		names = append(names, WitnessedFile)
	}
	for i := range x.Items {
		names = append(append(names, x.Items[i].Files()...), x.Items[i].OriginalFile())
	}
	return append(names, SumsFile, ProofFile)
}

// Event is a custody event as the log holds it: SHA-256 over salt and text is the
// entry at Index (internal/tlog/FORMAT.md section 2).
type Event struct {
	Index int64  `json:"index"`
	Salt  []byte `json:"salt"`
	Event string `json:"event"` // JSON, byte for byte
}

// Check implements evidence.Statement.
func (e *Event) Check() error {
	if e.Index < 0 || len(e.Salt) != 32 || e.Event == "" || len(e.Event) > evidence.MaxEvent {
		return errors.New("event: index, salt or text is out of bounds")
	}
	return nil
}

// Proof is one line of ProofFile: exactly one of its fields is set.
type Proof struct {
	Checkpoint string     `json:"checkpoint,omitempty"` // C2SP signed note, with whatever signatures it carries
	Packaged   *Event     `json:"packaged,omitempty"`   // that the package was made
	Inclusion  *Inclusion `json:"inclusion,omitempty"`
	Growth     *Growth    `json:"growth,omitempty"`
}

// Inclusion shows that an entry is in the checkpoint's tree (RFC 6962 section
// 2.1.1).
type Inclusion struct {
	Index int64             `json:"index"`
	Path  []evidence.Digest `json:"path"`
}

// Growth shows that an earlier tree, that of a receipt's checkpoint or of a stamped
// one, is a beginning of the checkpoint's (RFC 6962 section 2.1.2).
type Growth struct {
	From int64             `json:"from"` // entries
	Path []evidence.Digest `json:"path"`
}

// Check implements evidence.Statement.
func (p *Proof) Check() error {
	set := 0
	for _, is := range []bool{p.Checkpoint != "", p.Packaged != nil, p.Inclusion != nil, p.Growth != nil} {
		if is {
			set++
		}
	}
	switch {
	case set != 1:
		return errors.New("proof: want one of checkpoint, packaged, inclusion and growth")
	case len(p.Checkpoint) > 16<<10,
		p.Inclusion != nil && (p.Inclusion.Index < 0 || len(p.Inclusion.Path) > 64),
		p.Growth != nil && (p.Growth.From < 0 || len(p.Growth.Path) > 64):
		return errors.New("proof: out of bounds")
	case p.Packaged != nil:
		return p.Packaged.Check()
	}
	return nil
}

// Clock is what is known of when a recording was made.
type Clock struct {
	CapturedRaw string          `json:"captured_raw,omitempty"` // as the camera listed it
	Began       *Moment         `json:"began,omitempty"`
	Ended       *Moment         `json:"ended,omitempty"`
	Clocks      evidence.Clocks `json:"clocks"` // what was measured, as the dock signed it
}

// Moment is a reading of the camera's clock, and the time by the server's clock that
// follows from what was measured.
type Moment struct {
	Camera      time.Time `json:"camera"` // never corrected
	Corrected   time.Time `json:"corrected,omitzero"`
	Uncertainty string    `json:"uncertainty,omitempty"` // either way
	Basis       string    `json:"basis,omitempty"`
}

// ClockOf is the clock statement that follows from a manifest.
func ClockOf(m *evidence.Manifest) []byte {
	moment := func(raw time.Time) *Moment {
		if raw.IsZero() {
			return nil
		}
		is := &Moment{Camera: raw}
		if at, ok := m.Clocks.Correct(raw); ok {
			is.Corrected, is.Uncertainty, is.Basis = at.At.UTC(), at.Uncertainty.String(), at.Basis
		}
		return is
	}
	return JSON(Clock{m.Recording.CapturedRaw, moment(m.Claims.StartedAt), moment(m.Claims.EndedAt), m.Clocks})
}

// JSON is how values are written in a package.
func JSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // of the types of this package, all can be written
		panic(err)
	}
	return b.Bytes()
}

// spki is an Ed25519 key's SubjectPublicKeyInfo before the key (RFC 8410 section 4).
const spki = "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"

// PEM writes a public key as openssl reads it (RFC 7468 section 13).
func PEM(key ed25519.PublicKey) []byte {
	return []byte("-----BEGIN PUBLIC KEY-----\n" + base64.StdEncoding.EncodeToString(append([]byte(spki), key...)) + "\n-----END PUBLIC KEY-----\n")
}
