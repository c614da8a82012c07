package evidence

import (
	"errors"
	"fmt"
	"time"
)

// TypeDerivative is the payload type of a manifest with a Derivation: made by the
// server's derivative key, never by a dock.
const TypeDerivative = "application/vnd.sealdock.derivative.v1+json"

// Derivation is the recipe of a derivative: of which original it was made, of what
// part, and how. Whoever has the original and the tool repeats it and compares hashes.
type Derivation struct {
	Original EvidenceID `json:"original"`
	SHA256   Digest     `json:"sha256"` // of the original
	Length   uint64     `json:"length"` // of the original, bytes

	// The range that was asked for and the one that the derivative covers, in
	// microseconds from the original's beginning. A clip begins at a key frame.
	AskedFrom int64 `json:"asked_from_us"`
	AskedTo   int64 `json:"asked_to_us"`
	From      int64 `json:"from_us"`
	To        int64 `json:"to_us"`

	Tool        string    `json:"tool"`         // program
	ToolVersion string    `json:"tool_version"` // as it says
	Parameters  []string  `json:"parameters"`   // arguments; InputFile and OutputFile stand for the files
	MadeAt      time.Time `json:"made_at"`      // UTC, the server's clock
	MadeBy      Actor     `json:"made_by"`
	Reason      string    `json:"reason"`
}

// InputFile and OutputFile stand in Parameters for the original and the derivative.
const (
	InputFile  = "{input}"
	OutputFile = "{output}"
)

// Type is the payload type under which the manifest is signed, and so by whom.
func (m *Manifest) Type() string {
	if m.Derivation != nil {
		return TypeDerivative
	}
	return TypeManifest
}

// Original is the item that a derivative was made of; zero for what a camera recorded.
func (m *Manifest) Original() EvidenceID {
	if m.Derivation == nil {
		return EvidenceID{}
	}
	return m.Derivation.Original
}

// checkDerivation: a derivative has its recipe and is of no camera's signing, and
// nothing else has one.
func (m *Manifest) checkDerivation() error {
	d := m.Derivation
	switch {
	case (m.Recording.Kind == KindDerivative) != (d != nil):
		return fmt.Errorf("kind %q and the recipe of a derivative do not go together", m.Recording.Kind)
	case d == nil:
		return nil
	case m.Confirmed != "" || m.Content != nil || m.Recording.Sequence != 0 || m.Recording.Signed != nil:
		return errors.New("a derivative has no confirmation, encoding, number or signature of a camera")
	case d.Original.IsZero() || d.SHA256.IsZero() || d.Length == 0 || d.Length > MaxLength || d.Original == m.Evidence:
		return errors.New("the original of a derivative is missing")
	case d.AskedFrom < 0 || d.AskedTo <= d.AskedFrom || d.From < 0 || d.From > d.AskedFrom || d.To <= d.From:
		return fmt.Errorf("the range of a derivative, %d to %d of %d to %d us, is none", d.From, d.To, d.AskedFrom, d.AskedTo)
	case d.Tool == "" || len(d.Parameters) == 0 || len(d.Parameters) > 64 || d.MadeAt.IsZero() || d.MadeBy.Kind == "":
		return errors.New("the recipe of a derivative lacks tool, parameters, time or maker")
	}
	for _, p := range d.Parameters {
		if err := checkText("parameter of a derivative", p, 256); err != nil {
			return err
		}
	}
	return firstError(checkText("tool of a derivative", d.Tool, 64), checkText("version of a tool", d.ToolVersion, 256), checkText("reason of a derivative", d.Reason, 1024),
		checkText("maker of a derivative", d.MadeBy.Name, 256), checkText("maker of a derivative", d.MadeBy.ID, 256))
}
