package verifier

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Pins are the keys that the caller knows from elsewhere. What is not pinned is
// taken from the package.
type Pins struct {
	LogKey      string              // C2SP signed-note verifier key, or an Ed25519 key in hex
	ReceiptKeys []ed25519.PublicKey // any of them may have signed the receipts
	DockKeys    []ed25519.PublicKey // any of them may have signed the docks' statements
	WitnessKeys []string            // C2SP verifier keys; each must have cosigned the checkpoint
	TimeRoots   []byte              // PEM: the time-stamp authorities whom the caller trusts
}

// Options are how a package is judged.
type Options struct {
	Pins
	// SkipFootage leaves the recordings unread. Export judges so what it has hashed
	// itself a moment before.
	SkipFootage bool
	// Progress is told now and then how many bytes of how many are read; nil: nobody is.
	Progress func(done, total uint64)
}

// Part is one file of a package.
type Part struct {
	Name  string
	Size  uint64
	CRC32 uint32
	Open  func() io.Reader
}

// Status is how far something is shown.
type Status string

// The statuses.
const (
	Proven    Status = "proven"
	NotProven Status = "not proven" // nothing speaks against it, and the package does not show it
	Failed    Status = "failed"
)

// Finding is one thing that was looked at.
type Finding struct {
	Status  Status `json:"status"`
	Subject string `json:"subject"` // "package", a file's name, or "item …"
	What    string `json:"what"`
}

// Verdict is what the findings come to.
type Verdict string

// The verdicts.
const (
	Holds         Verdict = "holds"          // nothing failed, and the log's key was pinned
	HoldsUnpinned Verdict = "holds unpinned" // nothing failed, by keys out of the package itself
	Fails         Verdict = "fails"
)

// Source is where a key is known from.
type Source string

// The sources of keys.
const (
	FromCaller  Source = "given by you"
	FromLog     Source = "named in the package, which is entered in the log whose key you gave"
	FromPackage Source = "taken from the package, not confirmed by you"
)

// Key is a key that something rests on.
type Key struct {
	Role   string `json:"role"`
	Key    string `json:"key"` // Ed25519, hex
	Source Source `json:"source"`
}

// Recording is an item in short.
type Recording struct {
	ID       evidence.EvidenceID `json:"id"`
	File     string              `json:"file"`
	Path     string              `json:"path"` // on the camera
	Camera   string              `json:"camera"`
	Dock     evidence.DockID     `json:"dock"`
	Length   uint64              `json:"length"`
	SHA256   evidence.Digest     `json:"sha256"`
	StoredAt time.Time           `json:"stored_at,omitzero"`
	Original evidence.EvidenceID `json:"original,omitzero"` // of a derivative: what it was made of
	Holds    bool                `json:"holds"`
}

// Report is the judgement of one package.
type Report struct {
	Verdict    Verdict           `json:"verdict"`
	Proof      bool              `json:"proof,omitempty"` // of one log entry, and no package
	Agency     evidence.AgencyID `json:"agency,omitempty"`
	MadeAt     time.Time         `json:"made_at,omitzero"`
	MadeBy     evidence.Actor    `json:"made_by,omitzero"`
	LogOrigin  string            `json:"log_origin,omitempty"`
	LogSize    int64             `json:"log_size,omitempty"` // entries under the checkpoint
	Recordings []Recording       `json:"recordings,omitempty"`
	Keys       []Key             `json:"keys,omitempty"`
	Findings   []Finding         `json:"findings"`
}

// ErrPins means that a pinned key cannot be read.
var ErrPins = errors.New("a pinned key cannot be read")

// Archive judges the package in r. The error is one of reading r, of ctx, or
// ErrPins; whatever the package holds, there is a report.
func Archive(ctx context.Context, r io.ReaderAt, size int64, o Options) (*Report, error) {
	a, err := pack.Open(r, size)
	if errors.Is(err, pack.ErrForm) {
		j := &judge{Options: o}
		j.failed(subjectPackage, "%v. It was damaged, cut off, changed or packed again by another program; ask for the package as it was handed out", err)
		return j.finish(), nil
	} else if err != nil {
		return nil, err
	}
	parts := make([]Part, len(a.Entries))
	for i := range a.Entries {
		e := &a.Entries[i]
		parts[i] = Part{e.Name, e.Size, e.CRC32, func() io.Reader { return a.Content(e) }}
	}
	return Judge(ctx, parts, o)
}

// Judge judges a package by its files, in their order. Errors are as of [Archive].
func Judge(ctx context.Context, parts []Part, o Options) (*Report, error) {
	j := &judge{Options: o, ctx: ctx, parts: map[string]*Part{}}
	for i := range parts {
		j.parts[parts[i].Name] = &parts[i]
		j.total += parts[i].Size
	}
	if err := j.readPins(); err != nil {
		return nil, err
	}
	err := j.run(parts)
	var stop stopped
	if err != nil && !errors.As(err, &stop) {
		return nil, err
	}
	return j.finish(), nil
}

const subjectPackage = "package"

// stopped ends a judgement whose finding is already told.
type stopped struct{}

func (stopped) Error() string { return "what follows cannot be judged" }

// judge is one judgement.
type judge struct {
	Options
	ctx         context.Context
	parts       map[string]*Part
	done, total uint64

	pinned pinned
	index  pack.Index
	sums   map[string]evidence.Digest
	head   head
	stamps []stamp
	sealed bool // nothing failed up to and with the seal
	report Report
	fails  int // findings that failed, also those that are not told one by one
}

// maxFails is how many failed findings are told one by one: a forger can make any
// number.
const maxFails = 200

func (j *judge) tell(s Status, subject, format string, args ...any) {
	if s == Failed {
		if j.fails++; j.fails > maxFails {
			return
		}
	}
	j.report.Findings = append(j.report.Findings, Finding{s, subject, fmt.Sprintf(format, args...)})
}

func (j *judge) failed(subject, format string, args ...any) {
	j.tell(Failed, subject, format, args...)
}

func (j *judge) proven(subject, format string, args ...any) {
	j.tell(Proven, subject, format, args...)
}

func (j *judge) notProven(subject, format string, args ...any) {
	j.tell(NotProven, subject, format, args...)
}

func (j *judge) run(parts []Part) error {
	if err := j.readIndex(); err != nil {
		return err
	}
	if err := j.checkNames(parts); err != nil {
		return err
	}
	if err := j.checkSums(); err != nil {
		return err
	}
	if err := j.readProof(); err != nil {
		return err
	}
	j.checkSeal()
	j.sealed = !j.anyFailed()
	if err := j.checkDerived(); err != nil {
		return err
	}
	if err := j.checkDocks(); err != nil {
		return err
	}
	if err := j.checkWitnessed(); err != nil {
		return err
	}
	if err := j.checkStamps(); err != nil {
		return err
	}
	for i := range j.index.Items {
		if err := j.checkItem(&j.index.Items[i]); err != nil {
			return err
		}
	}
	j.checkUnused()
	j.limits()
	return nil
}

// limits says what no package can show.
func (j *judge) limits() {
	j.notProven(subjectPackage, "That the custody events are all that there are is the server's word: it entered this list into its log when the package was made, and can change it no more; the log itself names no item.")
	if len(j.head.witnesses) == 0 {
		j.notProven(subjectPackage, "That everybody was shown the same log: compare the checkpoint with one that somebody else keeps, or have the package checked with a witness's key.")
	}
	if seen := j.head.seen; seen > 0 && seen < j.head.Size {
		j.notProven(subjectPackage, "That others were shown the entries of the log from %d on as they are here: no witness whose key you gave had seen them when the package was made.", seen)
	}
	j.notProven(subjectPackage, "What the recordings show, and what happened before the dock read the camera, but for what the camera itself signed.")
}

// finish sums up.
func (j *judge) finish() *Report {
	r := &j.report
	if more := j.fails - maxFails; more > 0 {
		r.Findings = append(r.Findings, Finding{Failed, subjectPackage, fmt.Sprintf("%d more things do not hold.", more)})
	}
	r.Verdict = HoldsUnpinned
	if j.pinned.log != nil {
		r.Verdict = Holds
	}
	if j.fails > 0 {
		r.Verdict = Fails
	}
	if j.index.LogKey != nil {
		r.Agency, r.MadeAt, r.MadeBy, r.LogOrigin, r.LogSize = j.index.Agency, j.index.MadeAt, j.index.MadeBy, j.index.LogOrigin, j.head.Size
	}
	return r
}
