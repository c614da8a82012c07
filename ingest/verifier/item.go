package verifier

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// subject is one item under judgement.
type subject struct {
	*judge
	item     *pack.Item
	manifest evidence.Manifest
	payload  []byte // of the manifest
	receipt  *evidence.Receipt
	receipts evidence.Digest // of the receipt's payload
	camera   *evidence.CameraRecording
}

func (j *judge) checkItem(item *pack.Item) error {
	s, before := &subject{judge: j, item: item}, j.fails
	short := Recording{ID: item.ID, File: item.OriginalFile(), Length: item.Length, SHA256: item.SHA256}
	err := s.check()
	var stop stopped
	if err != nil && !errors.As(err, &stop) {
		return err
	}
	short.Path, short.Camera, short.Dock = s.manifest.Recording.Path, s.manifest.Camera.Serial, s.manifest.Dock
	short.Original = s.manifest.Original()
	if s.receipt != nil {
		short.StoredAt = s.receipt.StoredAt
	}
	short.Holds = before == j.fails && j.sealed
	j.report.Recordings = append(j.report.Recordings, short)
	return nil
}

func (s *subject) check() error {
	if err := s.checkManifest(); err != nil {
		return err
	}
	if s.manifest.Derivation != nil {
		s.checkRecipe()
	} else if err := s.checkInventories(); err != nil {
		return err
	}
	if err := s.checkReceipt(); err != nil {
		return err
	}
	for n := range s.item.Releases {
		if err := s.checkRelease(s.item.File(fmt.Sprintf("release-%d.json", n+1))); err != nil {
			return err
		}
	}
	for n := range s.item.Derivatives {
		if err := s.checkDerivative(s.item.File(fmt.Sprintf("derivative-%d.json", n+1))); err != nil {
			return err
		}
	}
	if err := s.checkEvents(); err != nil {
		return err
	}
	if s.SkipFootage {
		return nil
	}
	return s.checkFootage()
}

// byDock verifies an envelope by a key of the dock, and decodes it.
func (s *subject) byDock(name, kind string, dock evidence.DockID, into evidence.Statement) (*evidence.Envelope, error) {
	b, err := s.read(name)
	if err != nil {
		return nil, err
	}
	envelope, err := evidence.ParseEnvelope(b)
	if err != nil {
		s.failed(name, "It cannot be read: %v.", err)
		return nil, stopped{}
	}
	signed := false
	for i := range s.index.Docks {
		d := &s.index.Docks[i]
		if dock == "" || d.Dock == dock {
			if _, err := envelope.Verify(kind, d.Key); err == nil {
				signed = true
			}
		}
	}
	if !signed {
		s.failed(name, "The signature is by no key of the dock: the statement was changed, or somebody else made it.")
		return nil, stopped{}
	}
	if err := evidence.Decode(envelope.Payload, into); err != nil {
		s.failed(name, "It is signed and cannot be read: %v.", err)
		return nil, stopped{}
	}
	return envelope, nil
}

func (s *subject) checkManifest() error {
	name := s.item.File("manifest.json")
	envelope, err := s.signedManifest(name)
	if err != nil {
		return err
	}
	m := &s.manifest
	s.payload = envelope.Payload
	switch {
	case m.Agency != s.index.Agency || m.Evidence != s.item.ID:
		s.failed(name, "It is of item %s of agency %s, and lies in the place of item %s of %s.", m.Evidence, m.Agency, s.item.ID, s.index.Agency)
		return stopped{}
	case m.Length != s.item.Length || m.SHA256 != s.item.SHA256:
		s.failed(pack.IndexFile, "It names another length or SHA-256 for item %s than the dock signed.", s.item.ID)
		return stopped{}
	}
	if m.Derivation == nil {
		s.proven(s.about(), "Dock %s at station %s signed, when it had read the recording %s (%d bytes) from camera %s, that its SHA-256 is %s.", m.Dock, m.Station, m.Recording.Path, m.Length, m.Camera.Serial, m.SHA256)
	}
	for file, want := range map[string][]byte{"manifest.signed": envelope.Signed(), "manifest.sig": signatureOf(envelope), "clock.json": pack.ClockOf(m)} {
		if err := s.same(s.item.File(file), want, name); err != nil {
			return err
		}
	}
	return nil
}

// signatureOf is the signature that lies beside the manifest for openssl.
func signatureOf(e *evidence.Envelope) []byte { return e.Signatures[0].Sig }

func (s *subject) about() string { return "item " + s.item.ID.String() }

// checkInventories looks for the recording in what the camera showed, and for what
// the camera signed of it.
func (s *subject) checkInventories() error {
	m, listed := &s.manifest, false
	for n := range s.item.Inventories {
		name := s.item.File(fmt.Sprintf("inventory-%d.json", n+1))
		var v evidence.Inventory
		if _, err := s.byDock(name, evidence.TypeInventory, m.Dock, &v); err != nil {
			return err
		}
		if v.Agency != m.Agency || v.Docking != m.Docking || v.Camera.Serial != m.Camera.Serial {
			s.failed(name, "It is of another docking or camera than the recording.")
			return stopped{}
		}
		listed = listed || slices.ContainsFunc(v.Recordings, func(r evidence.RecordingInfo) bool { return r.Path == m.Recording.Path })
		for _, b := range v.Listings {
			s.findSigned(b)
		}
	}
	switch {
	case listed:
		s.proven(s.about(), "The recording is in the inventory that the dock signed of all that the camera showed.")
	case s.item.Inventories > 0:
		s.notProven(s.about(), "Where it was on the camera: the inventories in the package do not list it.")
	default:
		s.notProven(s.about(), "What else was on the camera: the server holds no inventory of this docking.")
	}
	switch {
	case s.camera != nil:
		s.proven(s.about(), "The camera itself signed, with its key %x, that its recording no. %d has this length and SHA-256.", m.Camera.Key, s.camera.Sequence)
	case m.Confirmed == evidence.ConfirmedByReread:
		s.notProven(s.about(), "That the camera says so too: it signed nothing. The dock states that it read the camera a second time and got the same bytes.")
	default:
		s.notProven(s.about(), "That the camera signed this hash, as the dock states: what the camera signed is not in the package.")
	}
	return nil
}

// findSigned looks into what the camera signed for this recording.
func (s *subject) findSigned(b []byte) {
	m := &s.manifest
	envelope, err := evidence.ParseEnvelope(b)
	if err != nil || len(m.Camera.Key) != ed25519.PublicKeySize {
		return
	}
	payload, err := envelope.Verify(evidence.TypeCameraListing, m.Camera.Key)
	var listing evidence.CameraListing
	if err != nil || evidence.Decode(payload, &listing) != nil || listing.Serial != m.Camera.Serial {
		return
	}
	for i := range listing.Recordings {
		if r := &listing.Recordings[i]; r.SHA256 == m.SHA256 && r.Length == m.Length {
			s.camera = r
		}
	}
}

func (s *subject) checkReceipt() error {
	name := s.item.File("receipt.json")
	b, err := s.read(name)
	if err != nil {
		return err
	}
	envelope, err := evidence.ParseEnvelope(b)
	if err != nil {
		s.failed(name, "It cannot be read: %v.", err)
		return stopped{}
	}
	trust := proof.Trust{Agency: s.index.Agency, LogOrigin: s.index.LogOrigin, LogPublicKey: s.index.LogKey, ReceiptPublicKey: s.index.ReceiptKey, Restored: s.index.Restored}
	want := proof.Want(&s.manifest, s.payload)
	want.SameReading = true
	receipt, err := proof.CheckReceipt(envelope, trust, want)
	if err != nil {
		s.failed(name, "The receipt does not hold: %v.", err)
		return stopped{}
	}
	s.receipt, s.receipts = receipt, evidence.SHA256(envelope.Payload)
	then, err := tlog.OpenEarlier([]byte(receipt.Proof.Checkpoint), s.index.LogOrigin, s.logKey())
	if err != nil {
		s.failed(name, "The checkpoint in the receipt does not hold: %v.", err)
		return stopped{}
	}
	path, ok := s.head.growths[then.Size]
	if !ok {
		s.failed(pack.ProofFile, "There is no proof that the log grew from the one that the receipt of item %s was given on.", s.item.ID)
		return nil
	}
	if err := tlog.CheckConsistency(path, s.head.Size, s.head.Root, then.Size, then.Root); err != nil {
		s.failed(pack.ProofFile, "The log of this package is no continuation of the log that the receipt of item %s was given on (%d entries): the log was rewritten, or the proof was changed.", s.item.ID, then.Size)
		return nil
	}
	s.proven(s.about(), "The server signed on %s that it had stored the recording, read it back from the medium and found the same SHA-256; the log has only grown since, from %d entries to %d.",
		receipt.StoredAt.UTC().Format("2006-01-02 15:04:05 UTC"), then.Size, s.head.Size)
	s.date(receipt.Proof.Index)
	if s.head.seen > 0 && receipt.Proof.Index >= s.head.seen {
		s.notProven(s.about(), "That others were shown the same of its storing: no witness whose key you gave had seen it when the package was made.")
	}
	return nil
}

func (s *subject) checkRelease(name string) error {
	var r evidence.Release
	if _, err := s.byDock(name, evidence.TypeRelease, "", &r); err != nil {
		return err
	}
	if _, err := s.byDock(name, evidence.TypeRelease, r.Dock, &r); err != nil {
		return err
	}
	if r.Agency != s.index.Agency || r.Evidence != s.item.ID || r.ReceiptDigest != s.receipts {
		s.failed(name, "It is of another item, or was made on another receipt.")
		return nil
	}
	if r.Result == evidence.ReleaseErased {
		s.proven(s.about(), "Dock %s signed that it erased the recording from the camera, on this receipt, at %s by the dock's clock.", r.Dock, r.At.UTC().Format("2006-01-02 15:04:05 UTC"))
	} else {
		s.proven(s.about(), "Dock %s signed that the camera did not erase the recording: %s.", r.Dock, r.Reason)
	}
	return nil
}

// checkEvents demands that each custody event is in the log, that they are in the
// log's order, and that the receipt's is among them.
func (s *subject) checkEvents() error {
	name := s.item.File("events.jsonl")
	count, before, first, held, stored := 0, int64(-1), int64(0), 0, false
	err := s.lines(name, func(n int, b []byte) error {
		if count++; count > s.item.Events {
			s.failed(name, "There are more events than the %d that the package names.", s.item.Events)
			return stopped{}
		}
		var line pack.Event
		if err := evidence.Decode(b, &line); err != nil {
			s.failed(name, "Line %d: %v.", n, err)
			return stopped{}
		}
		if line.Index <= before {
			s.failed(name, "Line %d is out of order.", n)
		}
		if count == 1 {
			first = line.Index
		}
		before = line.Index
		e, ok := s.logged(name, fmt.Sprintf("The custody event in line %d", n), &line)
		if ok && e.Object != evidence.ItemObject(s.item.ID) {
			s.failed(name, "Line %d is an event on %s.", n, e.Object)
		} else if ok {
			held++
		}
		if s.receipt != nil && line.Index == s.receipt.Proof.Index && line.Event == string(s.receipt.Proof.Event) {
			stored = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch {
	case count != s.item.Events:
		s.failed(name, "%d events are there, the package names %d.", count, s.item.Events)
	case s.receipt != nil && !stored:
		s.failed(name, "The event of its storing, which the receipt rests on, is not among the custody events.")
	case held == count:
		s.proven(s.about(), "All %s are in the custody log, entries %d to %d.", plural(count, "custody event"), first, before)
	}
	return nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %s", n, strings.TrimSuffix(what, "s")+"s")
}
