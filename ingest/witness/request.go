package witness

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"github.com/sealdock/sealdock/internal/tlog"
)

const (
	// MaxRequest bounds a request in bytes: the proof and a checkpoint with its
	// cosignatures.
	MaxRequest = 32 << 10
	maxProof   = 63 // lines; C2SP tlog-witness, add-checkpoint
)

// Request is the body of add-checkpoint (C2SP tlog-witness).
type Request struct {
	Old        int64       // size that the witness is thought to have cosigned last; 0: none
	Proof      []tlog.Hash // from Old to the size of Checkpoint, RFC 6962 section 2.1.2
	Checkpoint []byte      // signed note; not looked into here
}

// Text is the request as it is sent.
func (r *Request) Text() []byte {
	b := fmt.Appendf(nil, "old %d\n", r.Old)
	for _, h := range r.Proof {
		b = base64.StdEncoding.AppendEncode(b, h[:])
		b = append(b, '\n')
	}
	return append(append(b, '\n'), r.Checkpoint...)
}

// ParseRequest reads a request in its one form. The checkpoint shares the memory
// of text and is unchecked.
func ParseRequest(text []byte) (*Request, error) {
	if len(text) > MaxRequest {
		return nil, fmt.Errorf("the request has more than %d bytes", MaxRequest)
	}
	head, checkpoint, ok := bytes.Cut(text, []byte("\n\n"))
	if !ok {
		return nil, errors.New("the request has no empty line before the checkpoint")
	}
	lines := bytes.Split(head, []byte("\n"))
	digits, ok := bytes.CutPrefix(lines[0], []byte("old "))
	old, err := strconv.ParseInt(string(digits), 10, 64)
	if !ok || err != nil || old < 0 || old > tlog.MaxSize || strconv.FormatInt(old, 10) != string(digits) {
		return nil, fmt.Errorf("the first line %.40q is not \"old\" and the size of a log", lines[0])
	}
	if len(lines)-1 > maxProof {
		return nil, fmt.Errorf("the proof has %d lines, at most %d are allowed", len(lines)-1, maxProof)
	}
	r := &Request{Old: old, Checkpoint: checkpoint}
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(string(line))
		if err != nil || len(h) != len(tlog.Hash{}) || base64.StdEncoding.EncodeToString(h) != string(line) {
			return nil, fmt.Errorf("the proof line %.60q is no SHA-256 in base64", line)
		}
		r.Proof = append(r.Proof, tlog.Hash(h))
	}
	return r, nil
}
