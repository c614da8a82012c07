package tlog

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Proof is a C2SP tlog-proof: that an entry is in a log, for whoever holds the log's
// key alone. Here Extra is salt (32 bytes) and event, of which the entry is made.
type Proof struct {
	Index      int64
	Extra      []byte // not authenticated by itself: Check compares it with the log
	Path       []Hash // RFC 6962 section 2.1.1
	Checkpoint []byte // signed note, with whatever cosignatures it carries
}

const (
	proofHeader  = "c2sp.org/tlog-proof@v1"
	saltSize     = 32
	maxProofText = 256 << 10
)

// Text is the proof as a file.
func (p *Proof) Text() []byte {
	var b bytes.Buffer
	b.WriteString(proofHeader + "\n")
	if len(p.Extra) > 0 {
		fmt.Fprintf(&b, "extra %s\n", base64.StdEncoding.EncodeToString(p.Extra))
	}
	fmt.Fprintf(&b, "index %d\n", p.Index)
	for _, h := range p.Path {
		fmt.Fprintln(&b, base64.StdEncoding.EncodeToString(h[:]))
	}
	b.WriteString("\n")
	b.Write(p.Checkpoint)
	return b.Bytes()
}

// IsProof says whether a file begins as a proof does.
func IsProof(text []byte) bool { return bytes.HasPrefix(text, []byte(proofHeader+"\n")) }

// ParseProof reads a proof in its one form; what it holds is unchecked. The error is
// ErrProof.
func ParseProof(text []byte) (*Proof, error) {
	p, err := parseProof(text)
	if err == nil && !bytes.Equal(p.Text(), text) {
		err = errors.New("it is not written in the one form that is allowed")
	}
	if err != nil {
		return nil, fmt.Errorf("reading a proof of a log entry: %w: %w", ErrProof, err)
	}
	return p, nil
}

func parseProof(text []byte) (*Proof, error) {
	if len(text) > maxProofText {
		return nil, fmt.Errorf("it has %d bytes, at most %d are read", len(text), maxProofText)
	}
	head, checkpoint, ok := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || lines[0] != proofHeader {
		return nil, fmt.Errorf("it does not begin with %q, or has no checkpoint", proofHeader)
	}
	p, lines := &Proof{Checkpoint: []byte(checkpoint)}, lines[1:]
	var err error
	if len(lines) > 0 {
		if extra, ok := strings.CutPrefix(lines[0], "extra "); ok {
			if p.Extra, err = base64.StdEncoding.Strict().DecodeString(extra); err != nil {
				return nil, fmt.Errorf("its extra line: %w", err)
			}
			lines = lines[1:]
		}
	}
	if len(lines) == 0 || len(lines) > 1+maxProof {
		return nil, errors.New("it has no index, or too many hashes")
	}
	index, ok := strings.CutPrefix(lines[0], "index ")
	if p.Index, err = strconv.ParseInt(index, 10, 64); !ok || err != nil || p.Index < 0 || p.Index >= MaxSize {
		return nil, fmt.Errorf("%.80q is no index", lines[0])
	}
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(hash) != len(Hash{}) {
			return nil, fmt.Errorf("%.80q is no hash", line)
		}
		p.Path = append(p.Path, Hash(hash))
	}
	return p, nil
}

// Check demands that the checkpoint is signed by the log, and that the event in Extra
// is at Index in it. It returns the event and the checkpoint. The error is ErrProof or
// ErrCheckpoint.
func (p *Proof) Check(origin string, v note.Verifier) (event []byte, c Checkpoint, err error) {
	if c, err = OpenCheckpoint(p.Checkpoint, origin, v); err != nil {
		return nil, c, err
	}
	if len(p.Extra) <= saltSize {
		return nil, c, fmt.Errorf("%w: it does not bring the event that it is about", ErrProof)
	}
	salt, event := p.Extra[:saltSize], p.Extra[saltSize:]
	return event, c, CheckInclusion(p.Path, c.Size, p.Index, c.Root, LeafHash(Entry(salt, event)))
}
