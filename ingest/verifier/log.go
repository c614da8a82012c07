package verifier

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// head is what the package shows of the log.
type head struct {
	tlog.Checkpoint
	contents   evidence.Digest // of SHA256SUMS
	witnesses  []string        // whose cosignatures hold
	seen       int64           // how many entries the one of them saw who saw the most
	packaged   []pack.Event
	inclusions map[int64]*inclusion
	growths    map[int64][]tlog.Hash
}

type inclusion struct {
	path []tlog.Hash
	used bool
}

// readProof reads the proofs and checks the checkpoint that all of them lead to.
func (j *judge) readProof() error {
	h := &j.head
	h.inclusions, h.growths = map[int64]*inclusion{}, map[int64][]tlog.Hash{}
	before := int64(-1)
	err := j.lines(pack.ProofFile, func(n int, b []byte) error {
		bad := func(format string, args ...any) error {
			j.failed(pack.ProofFile, "Line %d: %s.", n, fmt.Sprintf(format, args...))
			return stopped{}
		}
		var p pack.Proof
		if err := evidence.Decode(b, &p); err != nil {
			return bad("%v", err)
		}
		switch {
		case (n == 1) != (p.Checkpoint != ""):
			return bad("the checkpoint stands in the first line, and once")
		case p.Checkpoint != "":
			return j.checkHead(p.Checkpoint)
		case p.Packaged != nil:
			if len(h.packaged) == len(j.index.Items) || len(h.inclusions)+len(h.growths) > 0 {
				return bad("an event that the package was made stands here and does not belong here")
			}
			h.packaged = append(h.packaged, *p.Packaged)
		case p.Inclusion != nil:
			if p.Inclusion.Index <= before || len(h.inclusions) > pack.MaxEvents+8*pack.MaxItems {
				return bad("entry %d stands here again, or out of order", p.Inclusion.Index)
			}
			before = p.Inclusion.Index
			h.inclusions[before] = &inclusion{path: hashes(p.Inclusion.Path)}
		default:
			if _, ok := h.growths[p.Growth.From]; ok || len(h.growths) > pack.MaxItems {
				return bad("the growth from %d entries is there twice", p.Growth.From)
			}
			h.growths[p.Growth.From] = hashes(p.Growth.Path)
		}
		return nil
	})
	if err == nil && h.Size == 0 {
		j.failed(pack.ProofFile, "There is no checkpoint of the log.")
		err = stopped{}
	}
	return err
}

func hashes(path []evidence.Digest) []tlog.Hash {
	all := make([]tlog.Hash, len(path))
	for i, d := range path {
		all[i] = tlog.Hash(d)
	}
	return all
}

// checkHead checks the checkpoint's signature and cosignatures.
func (j *judge) checkHead(text string) error {
	verifier, err := j.logVerifier()
	if err == nil {
		j.head.Checkpoint, err = tlog.OpenCheckpoint([]byte(text), j.index.LogOrigin, verifier)
	}
	if err != nil {
		j.failed(pack.ProofFile, "The log's checkpoint is not signed by the log's key: %v.", err)
		return stopped{}
	}
	j.proven(subjectPackage, "The checkpoint of the custody log %s over %d entries is signed by the log's key.", j.head.Origin, j.head.Size)
	first, _ := tlog.Restores(j.head.Origin)
	for n, size := range j.index.Restored {
		j.notProven(subjectPackage, "What the custody log %s had beyond %d entries: the server was restored from a backup then, and the log goes on from there as %s.",
			tlog.Continued(first, n), size, tlog.Continued(first, n+1))
	}
	known := map[string]bool{}
	for _, w := range j.pinned.witnesses {
		at, ok := w.at([]byte(text))
		if !ok {
			continue // checkWitnessed says what is missing
		}
		known[w.name] = true
		j.sawBy(w, j.head.Size)
		j.proven(subjectPackage, "The witness %s saw this state of the log at %s and signed it.", w.name, at.UTC().Format(time.DateTime+" UTC"))
	}
	if n, err := note.Open([]byte(text), note.VerifierList(verifier)); err == nil {
		for _, s := range n.UnverifiedSigs {
			if !known[s.Name] {
				j.notProven(subjectPackage, "The checkpoint also carries a signature of %q: give that key to the verifier to have it checked.", s.Name)
			}
		}
	}
	return nil
}

// cosignedAt is the time in a cosignature (C2SP tlog-cosignature).
func cosignedAt(s note.Signature) (at time.Time, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(s.Base64)
	if err != nil || len(raw) < 4+8 {
		return time.Time{}, false
	}
	return time.Unix(int64(binary.BigEndian.Uint64(raw[4:])), 0), true
}

// logged demands that an event is in the log, and returns it. subject is what the
// failed finding names, what is what the event is called there.
func (j *judge) logged(subject, what string, e *pack.Event) (*evidence.Event, bool) {
	in := j.head.inclusions[e.Index]
	if in == nil {
		j.failed(subject, "%s: there is no proof that it is entry %d of the log.", what, e.Index)
		return nil, false
	}
	in.used = true
	leaf := tlog.LeafHash(tlog.Entry(e.Salt, []byte(e.Event)))
	if err := tlog.CheckInclusion(in.path, j.head.Size, e.Index, j.head.Root, leaf); err != nil {
		j.failed(subject, "%s is not entry %d of the log: it, its salt or its proof was changed.", what, e.Index)
		return nil, false
	}
	var event evidence.Event
	if err := evidence.Decode([]byte(e.Event), &event); err != nil {
		j.failed(subject, "%s is in the log and cannot be read: %v.", what, err)
		return nil, false
	}
	if event.Agency != j.index.Agency {
		j.failed(subject, "%s is of agency %s.", what, event.Agency)
		return nil, false
	}
	return &event, true
}

// checkSeal demands that the log holds, for each item, that this very package was
// made of it.
func (j *judge) checkSeal() {
	h := &j.head
	if len(h.packaged) != len(j.index.Items) {
		j.failed(pack.ProofFile, "%d events say that a package was made, of %d items.", len(h.packaged), len(j.index.Items))
		return
	}
	sealed := 0
	for i := range h.packaged {
		item := &j.index.Items[i]
		what := "The event that this package was made of item " + item.ID.String()
		e, ok := j.logged(pack.ProofFile, what, &h.packaged[i])
		if !ok {
			continue
		}
		switch {
		case e.Type != evidence.EventPackaged || e.Outcome != evidence.OutcomeDone || e.Object != evidence.ItemObject(item.ID):
			j.failed(pack.ProofFile, "%s is another one: %s on %s, %s.", what, e.Type, e.Object, e.Outcome)
		case e.Details[pack.DetailContents] != h.contents.String():
			j.failed(pack.SumsFile, "The log holds another package: the list of hashes was changed after the package of item %s was made.", item.ID)
		case e.Details[pack.DetailSHA256] != item.SHA256.String() || e.Details[pack.DetailItems] != fmt.Sprint(len(j.index.Items)):
			j.failed(pack.ProofFile, "%s names another recording, or another number of items.", what)
		case !e.At.Equal(j.index.MadeAt) || e.Actor != j.index.MadeBy:
			j.failed(pack.IndexFile, "The log says that %s made the package at %s.", e.Actor.ID, e.At)
		default:
			sealed++
		}
	}
	if sealed == len(h.packaged) {
		j.proven(subjectPackage, "The making of this package, with the hash of every file in it, is in the custody log as entry %d and following (%s, by %s %s).",
			h.packaged[0].Index, j.index.MadeAt.UTC().Format(time.DateTime+" UTC"), j.index.MadeBy.Kind, nameOf(j.index.MadeBy))
	}
}

func nameOf(a evidence.Actor) string {
	if a.Name != "" {
		return a.Name
	}
	return a.ID
}

// checkUnused refuses proofs of nothing.
func (j *judge) checkUnused() {
	for index, in := range j.head.inclusions {
		if !in.used && !j.anyFailed() {
			j.failed(pack.ProofFile, "There is a proof for entry %d of the log, and no such event.", index)
		}
	}
}

// checkDocks looks for the registration of each dock key in the log.
func (j *judge) checkDocks() error {
	registered := map[string]int64{}
	err := j.lines(pack.DocksFile, func(n int, b []byte) error {
		var line pack.Event
		if err := evidence.Decode(b, &line); err != nil {
			j.failed(pack.DocksFile, "Line %d: %v.", n, err)
			return stopped{}
		}
		e, ok := j.logged(pack.DocksFile, fmt.Sprintf("The registration in line %d", n), &line)
		if ok && (e.Type != evidence.EventDockEnrolled || e.Outcome != evidence.OutcomeDone) {
			j.failed(pack.DocksFile, "Line %d is no registration of a dock: %s.", n, e.Type)
		} else if ok {
			registered[e.Object+" "+e.Details["statement_key_sha256"]] = line.Index
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range j.index.Docks {
		d := &j.index.Docks[i]
		if index, ok := registered[evidence.DockObject(d.Dock)+" "+evidence.KeyID(d.Key).String()]; ok {
			j.proven(subjectPackage, "The key of dock %s was registered when the dock was enrolled: entry %d of the log.", d.Dock, index)
		} else {
			j.notProven(subjectPackage, "When the key of dock %s was registered: the log holds no entry that names the whole key. That it is the dock's is the server's word, entered into the log with this package.", d.Dock)
		}
	}
	return nil
}
