package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/proto/evidence"
)

// prove opens one item, reads its recording, and compares everything that is kept
// of it with what was signed.
func (m *making) prove(ctx context.Context, wanted Wanted) (s *subject, err error) {
	s = &subject{}
	id := wanted.ID
	if s.row, err = m.stored(ctx, id); err != nil {
		return nil, err
	}
	part, err := wanted.part(s.row)
	if wanted.Times != nil {
		part, err = m.timed(ctx, wanted, s.row)
	}
	if err != nil {
		return nil, err
	}
	if err := m.proveManifest(ctx, s); err != nil {
		return nil, err
	}
	if err := m.proveReceipt(ctx, s); err != nil {
		return nil, err
	}
	if s.manifest.Derivation == nil {
		if err := errors.Join(m.inventoriesOf(ctx, s), m.derivativesOf(ctx, s)); err != nil {
			return nil, err
		}
	}
	if err := m.proveFootage(ctx, s, part); err != nil {
		return nil, err
	}
	s.listed = pack.Item{
		ID: id, Original: fileName(s.row.Path), Length: s.row.Length, SHA256: s.row.SHA256, Inventories: len(s.inventories), Releases: len(s.releases),
		Derivatives: len(s.derivatives), Part: part,
	}
	return s, nil
}

// proveFootage reads the recording and compares it with what the dock signed. Of a
// part it is the list of all leaves, with which each of the part's was compared.
func (m *making) proveFootage(ctx context.Context, s *subject, part *pack.Part) error {
	f, err := m.open(ctx, s.row, part)
	if err != nil {
		return err
	}
	m.progress.proving(f)
	s.sums, err = f.hash(ctx)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	signed := s.sums.sha256 == s.manifest.SHA256
	leaves := s.sums.leaves
	if part != nil {
		signed, leaves = true, f.leaves
		first, behind := part.Leaves()
		s.proof = evidence.ProveRange(leaves, first, behind)
	}
	if !signed || evidence.MerkleRoot(leaves) != s.manifest.MerkleRoot {
		return fmt.Errorf("item %s: its bytes are not those that its dock signed: %w", s.row.ID, ErrUnproven)
	}
	return nil
}

// fileName is a recording's name in a package: the last part of its path on the
// camera, with '_' in place of what not every system takes.
func fileName(p string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, path.Base(p))
	extension := path.Ext(name)
	if len(extension) > 16 {
		extension = ""
	}
	stem := strings.Trim(strings.TrimSuffix(name, extension), ".")
	if stem = stem[:min(len(stem), 80)]; stem == "" || strings.EqualFold(stem, "ascmhl") || reserved(stem) {
		stem = "recording-" + stem
	}
	return strings.TrimSuffix(stem+extension, ".")
}

// reserved tells names that Windows keeps for devices.
func reserved(stem string) bool {
	first, _, _ := strings.Cut(strings.ToUpper(stem), ".")
	return slices.Contains([]string{"CON", "PRN", "AUX", "NUL"}, first) || len(first) == 4 && (strings.HasPrefix(first, "COM") || strings.HasPrefix(first, "LPT"))
}

func (m *making) proveManifest(ctx context.Context, s *subject) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("item %s: the manifest %s: %w", s.row.ID, fmt.Sprintf(format, args...), ErrUnproven)
	}
	var err error
	if s.envelope, err = evidence.ParseEnvelope(s.row.Manifest); err != nil {
		return bad("cannot be read: %v", err)
	}
	if err := evidence.Decode(s.envelope.Payload, &s.manifest); err != nil {
		return bad("cannot be read: %v", err)
	}
	if s.manifest.Derivation != nil {
		if !m.byMaker(s.envelope) {
			return bad("is of a derivative, and not signed by the key of derivatives")
		}
	} else {
		key, err := m.dockKey(ctx, s.manifest.Dock, evidence.TypeManifest, s.envelope)
		if err != nil {
			return err
		}
		if key == nil {
			return bad("is signed by no key of its dock")
		}
	}
	if s.manifest.Agency != m.Agency || s.manifest.Evidence != s.row.ID || s.manifest.SHA256 != s.row.SHA256 || s.manifest.Length != s.row.Length {
		return bad("is of another recording than the catalog says")
	}
	return nil
}

// byMaker says whether who makes derivatives signed, and notes that the package speaks
// of them.
func (m *making) byMaker(envelope *evidence.Envelope) bool {
	if len(m.DerivativeKey) == 0 {
		return false
	}
	_, err := envelope.Verify(evidence.TypeDerivative, m.DerivativeKey)
	m.derived = m.derived || err == nil
	return err == nil
}

// derivativesOf reads the recipes of what was made of an item.
func (m *making) derivativesOf(ctx context.Context, s *subject) error {
	made, err := m.Catalog.DerivativesOf(ctx, m.Agency, s.row.ID, 0)
	if err != nil {
		return err
	}
	for i := range made {
		offer, err := m.Catalog.Offer(ctx, m.Agency, made[i].ID, made[i].Attempt)
		if err != nil {
			return err
		}
		envelope, err := evidence.ParseEnvelope(offer.Manifest)
		if err != nil || !m.byMaker(envelope) {
			return fmt.Errorf("item %s: the recipe of its derivative %s does not hold: %w: %w", s.row.ID, made[i].ID, ErrUnproven, err)
		}
		s.derivatives = append(s.derivatives, offer.Manifest)
	}
	return nil
}

// dockKey returns the key of the dock that signed, and notes it for the package; nil
// when none has.
func (m *making) dockKey(ctx context.Context, dock evidence.DockID, kind string, envelope *evidence.Envelope) (*catalog.DockKey, error) {
	keys, err := m.Catalog.DockKeys(ctx, m.Agency, dock)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		if _, err := envelope.Verify(kind, keys[i].PublicKey); err != nil {
			continue
		}
		if !slices.ContainsFunc(m.docks, func(d pack.Dock) bool { return d.Dock == dock && bytes.Equal(d.Key, keys[i].PublicKey) }) {
			m.docks = append(m.docks, pack.Dock{Dock: dock, Key: keys[i].PublicKey, Since: keys[i].AddedAt.UTC()})
		}
		return &keys[i], nil
	}
	return nil, nil
}

func (m *making) proveReceipt(ctx context.Context, s *subject) error {
	envelope, err := evidence.ParseEnvelope(s.row.Receipt)
	if err == nil {
		trust := proof.Trust{Agency: m.Agency, LogOrigin: m.LogOrigin, LogPublicKey: m.LogKey, ReceiptPublicKey: m.ReceiptKey, Restored: m.Restored}
		want := proof.Want(&s.manifest, s.envelope.Payload)
		want.SameReading = true
		s.receipt, err = proof.CheckReceipt(envelope, trust, want)
	}
	if err != nil {
		return fmt.Errorf("item %s: the receipt does not hold: %w: %w", s.row.ID, ErrUnproven, err)
	}
	all, err := m.Catalog.Releases(ctx, m.Agency, s.row.ID)
	if err != nil {
		return err
	}
	for _, r := range all {
		release, err := evidence.ParseEnvelope(r.Envelope)
		var is evidence.Release
		if err == nil {
			err = evidence.Decode(release.Payload, &is)
		}
		if err != nil {
			return fmt.Errorf("item %s: a release cannot be read: %w: %w", s.row.ID, ErrUnproven, err)
		}
		if is.ReceiptDigest != evidence.SHA256(envelope.Payload) {
			continue // of an earlier reading, with a receipt of its own
		}
		if key, err := m.dockKey(ctx, is.Dock, evidence.TypeRelease, release); err != nil {
			return err
		} else if key == nil {
			return fmt.Errorf("item %s: a release is signed by no key of its dock: %w", s.row.ID, ErrUnproven)
		}
		s.releases = append(s.releases, r)
	}
	return nil
}

// inventoriesOf reads what the camera showed in the docking of the recording. Parts
// that never came are left out.
func (m *making) inventoriesOf(ctx context.Context, s *subject) error {
	parts := 1
	for part := 1; part <= min(parts, 1000); part++ {
		v, err := m.Catalog.InventoryOf(ctx, m.Agency, s.manifest.Camera.Serial, s.manifest.Docking, part)
		if errors.Is(err, catalog.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		parts = v.Parts
		envelope, err := evidence.ParseEnvelope(v.Envelope)
		if err != nil {
			continue // kept as it came; it shows nothing
		}
		key, err := m.dockKey(ctx, s.manifest.Dock, evidence.TypeInventory, envelope)
		if err != nil {
			return err
		}
		if key != nil {
			s.inventories = append(s.inventories, v.Envelope)
		}
	}
	return nil
}

// verify judges the package as somebody outside will.
func (m *making) verify(ctx context.Context, small texts) error {
	parts := make([]verifier.Part, len(m.files))
	for i, f := range m.files {
		parts[i] = verifier.Part{Name: f.Name, Size: f.Size, CRC32: f.CRC32, Open: func() io.Reader { return bytes.NewReader(small[f.Name]) }}
	}
	report, err := verifier.Judge(ctx, parts, verifier.Options{SkipFootage: true, Pins: verifier.Pins{LogKey: fmt.Sprintf("%x", []byte(m.LogKey))}})
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		if f.Status == verifier.Failed {
			return fmt.Errorf("%s: %s: %w", f.Subject, f.What, ErrUnproven)
		}
	}
	return nil
}
