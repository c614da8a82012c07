package verifier

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// signedManifest reads the manifest: signed by a key of the dock that it names, or, of a
// derivative, by the key of derivatives. Neither is taken in the other's place.
func (s *subject) signedManifest(name string) (*evidence.Envelope, error) {
	b, err := s.read(name)
	if err != nil {
		return nil, err
	}
	if envelope, err := evidence.ParseEnvelope(b); err == nil && envelope.PayloadType == evidence.TypeDerivative {
		return s.byMaker(name, &s.manifest)
	}
	if _, err := s.byDock(name, evidence.TypeManifest, "", &s.manifest); err != nil {
		return nil, err
	}
	if s.manifest.Derivation != nil {
		s.failed(name, "A dock signed the recipe of a derivative: docks make none.")
		return nil, stopped{}
	}
	return s.byDock(name, evidence.TypeManifest, s.manifest.Dock, &s.manifest)
}

// byMaker verifies an envelope by the key of derivatives, and decodes it.
func (s *subject) byMaker(name string, into *evidence.Manifest) (*evidence.Envelope, error) {
	b, err := s.read(name)
	if err != nil {
		return nil, err
	}
	envelope, err := evidence.ParseEnvelope(b)
	if err != nil {
		s.failed(name, "It cannot be read: %v.", err)
		return nil, stopped{}
	}
	if s.index.DerivativeKey == nil {
		s.failed(name, "It is of a derivative, and the package names no key of derivatives.")
		return nil, stopped{}
	}
	if _, err := envelope.Verify(evidence.TypeDerivative, s.index.DerivativeKey); err != nil {
		s.failed(name, "The signature is not by the key of derivatives: the recipe was changed, or somebody else made it.")
		return nil, stopped{}
	}
	if err := evidence.Decode(envelope.Payload, into); err != nil || into.Derivation == nil {
		s.failed(name, "It is signed and is no recipe of a derivative: %v.", err)
		return nil, stopped{}
	}
	return envelope, nil
}

func at(us int64) string { return (time.Duration(us) * time.Microsecond).String() }

// checkRecipe says what a derivative is made of, and whether that is in the package.
func (s *subject) checkRecipe() {
	d := s.manifest.Derivation
	s.proven(s.about(), "It is NO original. The server signed that it made it of recording %s (SHA-256 %s, %d bytes), %s to %s from its beginning (asked for: %s to %s), with %s, by %s %s on %s, for: %s.",
		d.Original, d.SHA256, d.Length, at(d.From), at(d.To), at(d.AskedFrom), at(d.AskedTo), d.ToolVersion, d.MadeBy.Kind, nameOf(d.MadeBy), d.MadeAt.UTC().Format(time.DateTime+" UTC"), d.Reason)
	for i := range s.index.Items {
		it := &s.index.Items[i]
		if it.ID != d.Original {
			continue
		}
		if it.SHA256 != d.SHA256 || it.Length != d.Length {
			s.failed(s.item.File("manifest.json"), "Its recipe names another SHA-256 or length for item %s than the package.", it.ID)
			return
		}
		s.proven(s.about(), "The original that it names is in this package.")
		s.notProven(s.about(), "That its pictures are those of the original: run the recipe in manifest.json on the original and compare the SHA-256.")
		return
	}
	s.notProven(s.about(), "What the original shows: it is not in this package. Ask for it, run the recipe in manifest.json on it and compare the SHA-256.")
}

// checkDerivative looks at the recipe of something that was made of the item.
func (s *subject) checkDerivative(name string) error {
	var m evidence.Manifest
	if _, err := s.byMaker(name, &m); err != nil {
		return err
	}
	d := m.Derivation
	if m.Agency != s.index.Agency || d.Original != s.item.ID || d.SHA256 != s.manifest.SHA256 || d.Length != s.manifest.Length {
		s.failed(name, "It is the recipe of something that was made of another recording.")
		return nil
	}
	s.proven(s.about(), "Of it the server made item %s (SHA-256 %s), %s to %s from its beginning, with %s, on %s.", m.Evidence, m.SHA256, at(d.From), at(d.To), d.ToolVersion, d.MadeAt.UTC().Format(time.DateTime+" UTC"))
	return nil
}
