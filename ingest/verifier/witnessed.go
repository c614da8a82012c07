package verifier

import (
	"errors"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/internal/tlog"
)

// sawBy notes that a witness whose key the caller gave has cosigned so many entries of
// the log.
func (j *judge) sawBy(w *witness, size int64) {
	j.head.seen = max(j.head.seen, size)
	j.head.witnesses = append(j.head.witnesses, w.name)
	j.report.Keys = append(j.report.Keys, Key{"witness " + w.name, keyText(w.key), FromCaller})
}

// checkWitnessed checks the checkpoint that witnesses had seen, of which the
// package's is a continuation, and that each witness whose key was given has cosigned
// the one or the other.
func (j *judge) checkWitnessed() error {
	var text []byte
	var then tlog.Checkpoint
	place := pack.ProofFile
	if len(j.index.Witnesses) > 0 {
		place = pack.WitnessedFile
		verifier, err := j.logVerifier()
		if err != nil {
			return err
		}
		if text, err = j.read(pack.WitnessedFile); err != nil {
			return err
		}
		if then, err = tlog.OpenCheckpoint(text, j.index.LogOrigin, verifier); err != nil {
			j.failed(pack.WitnessedFile, "It is no checkpoint of this log: %v.", err)
			return nil
		}
		path, ok := j.head.growths[then.Size]
		if !ok || tlog.CheckConsistency(path, j.head.Size, j.head.Root, then.Size, then.Root) != nil {
			j.failed(pack.WitnessedFile, "The log of this package is no continuation of the log that witnesses saw (%d entries): two logs were shown, the log was set back, or the proof was changed.", then.Size)
			return nil
		}
	}
	for _, w := range j.pinned.witnesses {
		if slices.Contains(j.head.witnesses, w.name) {
			continue
		}
		at, ok := w.at(text)
		if !ok {
			j.failed(place, "The witness %s, whose key you gave, has not signed the checkpoint.", w.name)
			continue
		}
		j.sawBy(w, then.Size)
		j.proven(subjectPackage, "The witness %s saw the first %d entries of this log at %s and signed them; the log of this package, of %d entries, is a continuation of them.", w.name, then.Size, seconds(at.UTC()), j.head.Size)
	}
	for _, key := range j.index.Witnesses {
		j.brought(key, text)
	}
	return nil
}

// brought checks the cosignature of a witness whose key the package brings.
func (j *judge) brought(key string, text []byte) {
	name, public, err := verifierKey(key, algorithmCosignature)
	if err != nil {
		j.failed(pack.IndexFile, "A witness's key: %v.", err)
		return
	}
	w := newWitness(name, public)
	if slices.ContainsFunc(j.pinned.witnesses, func(p *witness) bool { return p.name == name && p.key.Equal(w.key) }) {
		return // judged by the caller's own
	}
	var edited *note.InvalidSignatureError
	if _, err := note.Open(text, note.VerifierList(w)); errors.As(err, &edited) {
		j.failed(pack.WitnessedFile, "The cosignature of the witness %s does not hold.", name)
		return
	}
	if at, ok := w.at(text); ok {
		j.report.Keys = append(j.report.Keys, Key{"witness " + name, keyText(public), FromPackage})
		j.notProven(subjectPackage, "That the cosignature of %s is of the witness %s: its key was taken from the package. Get it from the witness itself and give it to the verifier.", seconds(at.UTC()), name)
	}
}
