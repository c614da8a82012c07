package verifier

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// LogProof judges a proof of one entry of the custody log (C2SP tlog-proof). The log's
// key must be pinned, as a verifier key that names the log. Errors are as of [Archive].
func LogProof(ctx context.Context, text []byte, pins Pins) (*Report, error) {
	j := &judge{Options: Options{Pins: pins}, ctx: ctx, report: Report{Proof: true}}
	if err := j.readPins(); err != nil {
		return nil, err
	}
	if j.pinned.origin == "" {
		return nil, fmt.Errorf("a proof alone brings no key: give the log's, with its name (name+hash+base64): %w", ErrPins)
	}
	verifier, err := tlog.NewVerifier(j.pinned.origin, j.pinned.log)
	if err != nil {
		return nil, errors.Join(err, ErrPins)
	}
	const subject = "proof"
	p, err := tlog.ParseProof(text)
	if err != nil {
		j.failed(subject, "%v.", err)
		return j.finish(), nil
	}
	event, head, err := p.Check(j.pinned.origin, verifier)
	if err != nil {
		j.failed(subject, "%v.", err)
		return j.finish(), nil
	}
	j.report.LogOrigin, j.report.LogSize = head.Origin, head.Size
	j.report.Keys = append(j.report.Keys, Key{"custody log " + head.Origin, keyText(j.pinned.log), FromCaller})
	var e evidence.Event
	if err := evidence.Decode(event, &e); err != nil {
		j.failed(subject, "What is in the log as entry %d cannot be read: %v.", p.Index, err)
		return j.finish(), nil
	}
	j.report.Agency = e.Agency
	j.proven(subject, "Entry %d of the custody log %s is: %s of %s, %s, on %s by %s %s.", p.Index, head.Origin, e.Type, e.Object, e.Outcome, seconds(e.At.UTC()), e.Actor.Kind, nameOf(e.Actor))
	for _, name := range []string{"camera", "path", "length", "sha256"} {
		if value, ok := e.Details[name]; ok {
			j.proven(subject, "It says: %s %s.", name, value)
		}
	}
	j.proven(subject, "The log's checkpoint over %d entries is signed by the key that you gave.", head.Size)
	for _, w := range j.pinned.witnesses {
		if at, ok := w.at(p.Checkpoint); ok {
			j.proven(subject, "The witness %s saw this state of the log at %s and signed it.", w.name, seconds(at.UTC()))
		} else {
			j.failed(subject, "The witness %s, whose key you gave, has not signed the checkpoint.", w.name)
		}
	}
	j.notProven(subject, "What the recording shows; that a file is that recording, until its SHA-256 is compared with the one above.")
	return j.finish(), nil
}
