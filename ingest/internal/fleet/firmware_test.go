package fleet

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/proto/evidence"
)

func TestFirmwareOfATrustedMakerReachesDocks(t *testing.T) {
	g, m := newRig(t), newMaker(t)
	statement, image := m.bundle(t, 7)
	if err := g.publish(statement, image); !errors.Is(err, ErrMaker) {
		t.Fatalf("before its maker is trusted it got %v", err)
	}
	g.must(g.TrustMaker(t.Context(), CommandLine(), "acme", m.public))
	g.must(g.publish(statement, image))
	policy := g.ask(nil)
	if len(policy.GetFirmware()) != 1 {
		t.Fatalf("%d images are offered, want 1", len(policy.GetFirmware()))
	}
	offer := policy.GetFirmware()[0]
	var f evidence.Firmware
	g.read(offer.GetStatement(), evidence.TypeFirmware, offer.GetMaker(), &f)
	if f.Counter != 7 || !bytes.Equal(offer.GetMaker(), m.public) || offer.GetWindowFrom() != 120 || offer.GetWindowTo() != 300 {
		t.Errorf("the offer is %v for %+v", offer, f)
	}
	if got, err := g.image(f.SHA256); err != nil || !bytes.Equal(got, image) {
		t.Errorf("%d bytes are served, %v", len(got), err)
	}
	if _, err := g.Image(t.Context(), "shelbyville", f.SHA256); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("another agency got %v", err)
	}
	if g.events(evidence.EventMakerTrusted) != 1 || g.events(evidence.EventFirmwarePublished) != 1 {
		t.Error("the events of it are missing")
	}
	g.leftovers(1)
}

// leftovers checks that the folder holds so many images and nothing unfinished.
func (g *rig) leftovers(images int) {
	g.t.Helper()
	entries, err := os.ReadDir(filepath.Join(g.Images, "springfield"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.t.Fatal(err)
	}
	if len(entries) != images {
		g.t.Errorf("the folder holds %v, want %d images", entries, images)
	}
	for _, e := range entries {
		if len(e.Name()) > len(durable.TempPrefix) && e.Name()[:len(durable.TempPrefix)] == durable.TempPrefix {
			g.t.Errorf("%s was left behind", e.Name())
		}
	}
}

func TestFirmwareThatDoesNotHoldIsRefused(t *testing.T) {
	g, m := newRig(t), newMaker(t)
	g.must(g.TrustMaker(t.Context(), CommandLine(), "acme", m.public))
	statement, image := m.bundle(t, 7)
	damaged := bytes.Clone(image)
	damaged[len(damaged)/2] ^= 1
	stranger, _ := newMaker(t).bundle(t, 7)
	payload, err := evidence.Encode(&evidence.CameraSettings{Version: 1, Agency: "springfield", Number: 1, IssuedAt: g.now()})
	g.must(err)
	huge, _ := m.bundle(t, 7, func(f *evidence.Firmware) { f.Counter = math.MaxInt64 + 1 })
	for what, c := range map[string]struct{ statement, image []byte }{
		"another maker's":        {stranger, image},
		"a damaged image":        {statement, damaged},
		"a cut image":            {statement, image[:len(image)-1]},
		"a longer image":         {statement, append(bytes.Clone(image), 0)},
		"no image":               {statement, nil},
		"a damaged statement":    {bytes.Replace(statement, []byte("payload"), []byte("paxload"), 1), image},
		"another statement":      {evidence.Sign(evidence.TypeCameraSettings, payload, "m", m.private).Marshal(), image},
		"a payload of settings":  {evidence.Sign(evidence.TypeFirmware, payload, "m", m.private).Marshal(), image},
		"a counter beyond bound": {huge, image},
		"nothing":                {nil, nil},
	} {
		if err := g.publish(c.statement, c.image); err == nil {
			t.Errorf("%s was published", what)
		}
	}
	if n := len(g.ask(nil).GetFirmware()); n != 0 {
		t.Errorf("%d images are offered", n)
	}
	if n := g.events(evidence.EventFirmwarePublished); n != 0 {
		t.Errorf("%d events say that some was published", n)
	}
	g.leftovers(0)
}

func TestFirmwareOnlyGoesForward(t *testing.T) {
	g, m := newRig(t), newMaker(t)
	g.must(g.TrustMaker(t.Context(), CommandLine(), "acme", m.public))
	seven, sevenImage := m.bundle(t, 7)
	eight, eightImage := m.bundle(t, 8)
	six, sixImage := m.bundle(t, 6)
	_, otherImage := m.bundle(t, 8, func(f *evidence.Firmware) { f.Release = "2.8b" })
	otherImage = append(otherImage, 1)
	other, _ := m.bundle(t, 8, func(f *evidence.Firmware) { f.Length, f.SHA256 = uint64(len(otherImage)), evidence.SHA256(otherImage) })
	foreign, foreignImage := m.bundle(t, 1, func(f *evidence.Firmware) { f.Model = "A1" })
	g.must(g.publish(seven, sevenImage))
	g.must(g.publish(eight, eightImage))
	g.must(g.publish(foreign, foreignImage))
	for what, err := range map[string]error{"an older one": g.publish(six, sixImage), "another with the same counter": g.publish(other, otherImage)} {
		if !errors.Is(err, ErrOlder) {
			t.Errorf("%s got %v, want ErrOlder", what, err)
		}
	}
	offered := func() map[string]uint64 {
		all := map[string]uint64{}
		for _, o := range g.ask(nil).GetFirmware() {
			var f evidence.Firmware
			g.read(o.GetStatement(), evidence.TypeFirmware, o.GetMaker(), &f)
			all[f.Model] = f.Counter
		}
		return all
	}
	if got := offered(); len(got) != 2 || got["X3"] != 8 || got["A1"] != 1 {
		t.Errorf("offered are %v", got)
	}
	// What was withdrawn is offered no more, and still nothing older is taken.
	g.must(g.Withdraw(t.Context(), CommandLine(), "X3", 8))
	if got := offered(); got["X3"] != 7 {
		t.Errorf("after the withdrawal %v are offered", got)
	}
	if _, err := g.image(evidence.SHA256(eightImage)); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("the withdrawn image got %v", err)
	}
	g.leftovers(2)
	if err := g.Withdraw(t.Context(), CommandLine(), "X3", 8); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("a second withdrawal got %v", err)
	}
	if err := g.publish(six, sixImage); !errors.Is(err, ErrOlder) {
		t.Errorf("the older one got %v", err)
	}
	g.must(g.publish(eight, eightImage))
	if got := offered(); got["X3"] != 8 {
		t.Errorf("published again, offered are %v", got)
	}
	if got, err := g.image(evidence.SHA256(eightImage)); err != nil || !bytes.Equal(got, eightImage) {
		t.Errorf("the image published again: %d bytes, %v", len(got), err)
	}
	if g.events(evidence.EventFirmwarePublished) != 4 || g.events(evidence.EventFirmwareWithdrawn) != 1 {
		t.Error("the events of it are missing")
	}
}

func TestALostImageIsToldAndNotServed(t *testing.T) {
	g, m := newRig(t), newMaker(t)
	g.must(g.TrustMaker(t.Context(), CommandLine(), "acme", m.public))
	statement, image := m.bundle(t, 7)
	g.must(g.publish(statement, image))
	path := g.imagePath("springfield", evidence.SHA256(image))
	g.must(os.Truncate(path, 100))
	if _, err := g.image(evidence.SHA256(image)); err == nil || errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("a cut image got %v", err)
	}
	g.must(os.Remove(path))
	if _, err := g.image(evidence.SHA256(image)); err == nil || errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("a lost image got %v", err)
	}
	g.must(g.publish(statement, image))
	if got, err := g.image(evidence.SHA256(image)); err != nil || !bytes.Equal(got, image) {
		t.Errorf("published again: %d bytes, %v", len(got), err)
	}
}

func TestAMakersKeyServesNoOtherPurpose(t *testing.T) {
	g, m := newRig(t), newMaker(t)
	dock := g.enrol("front-desk")
	for what, key := range map[string]ed25519.PublicKey{"the camera authority's": g.Key.Public(), "the receipt": g.ReceiptKeys[0], "a dock's": dock} {
		if err := g.TrustMaker(t.Context(), CommandLine(), "acme", key); err == nil {
			t.Errorf("%s key is a maker's", what)
		}
	}
	g.must(g.TrustMaker(t.Context(), CommandLine(), "acme", m.public))
	for what, err := range map[string]error{
		"the same name": g.TrustMaker(t.Context(), CommandLine(), "acme", newMaker(t).public),
		"the same key":  g.TrustMaker(t.Context(), CommandLine(), "other", m.public),
	} {
		if !errors.Is(err, catalog.ErrExists) {
			t.Errorf("%s got %v", what, err)
		}
	}
	if err := g.TrustMaker(t.Context(), CommandLine(), "Acme Inc.", newMaker(t).public); err == nil {
		t.Error("a name that is none was taken")
	}
	// And the other way round: nothing of ours signs firmware.
	for _, purpose := range []identity.Purpose{identity.PurposeCamera, identity.PurposeDock, identity.PurposeReceipt, identity.PurposeCheckpoint} {
		key, err := identity.NewStatementKey(purpose)
		g.must(err)
		if _, err := key.Sign(evidence.TypeFirmware, []byte("{}")); err == nil {
			t.Errorf("a key for %s signs firmware", purpose)
		}
	}
}

func TestMakersKeysAreReadAsPEMOrHex(t *testing.T) {
	m := newMaker(t)
	der, err := x509.MarshalPKIXPublicKey(m.public)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	for what, good := range map[string][]byte{"PEM": text, "hex": []byte(hex.EncodeToString(m.public) + "\n")} {
		if got, err := ParseMakerKey(good); err != nil || !got.Equal(m.public) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ec, err := identity.NewTLSKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err = x509.MarshalPKIXPublicKey(ec.Public())
	if err != nil {
		t.Fatal(err)
	}
	for what, bad := range map[string][]byte{
		"nothing": nil, "half": []byte(hex.EncodeToString(m.public[:16])), "two blocks": append(bytes.Clone(text), text...),
		"another kind": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "a private key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: m.private.Seed()}),
	} {
		if _, err := ParseMakerKey(bad); err == nil {
			t.Errorf("%s was read as a key", what)
		}
	}
}

func TestWindowsAreTimesOfDay(t *testing.T) {
	for text, want := range map[string][2]int{"": {0, 0}, "02:00-05:00": {120, 300}, "22:30-04:15": {1350, 255}, "22:00-24:00": {1320, 0}, "00:00-24:00": {0, 0}} {
		from, to, err := ParseWindow(text)
		if err != nil || from != want[0] || to != want[1] {
			t.Errorf("%q is %d to %d, %v; want %v", text, from, to, err, want)
		}
		if again, last, err := ParseWindow(Window(from, to)); err != nil || again != from || last != to {
			t.Errorf("%q comes back as %d to %d, %v", text, again, last, err)
		}
	}
	for _, bad := range []string{"02:00", "2:00-5:00", "02:00-05:60", "25:00-05:00", "24:01-05:00", "02:00-05:00-06:00", "ab:cd-ef:gh", "-", "02:00–05:00"} {
		if _, _, err := ParseWindow(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestBundlesAreFoldersOrFiles(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{StatementName: "{}", ImageName: "image"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	statement, image := filepath.Join(dir, StatementName), filepath.Join(dir, ImageName)
	for _, paths := range [][]string{{dir}, {statement, image}, {image, statement}} {
		b, err := OpenBundle(paths...)
		if err != nil {
			t.Fatalf("%v: %v", paths, err)
		}
		if string(b.Statement) != "{}" {
			t.Errorf("%v: the statement is %q", paths, b.Statement)
		}
		b.Image.Close()
	}
	for _, paths := range [][]string{nil, {image}, {image, image}, {statement, statement}, {t.TempDir()}, {dir, dir}, {statement, image, image}} {
		if b, err := OpenBundle(paths...); err == nil {
			b.Image.Close()
			t.Errorf("%v was opened", paths)
		}
	}
}

func FuzzReadStatement(f *testing.F) {
	m := newMaker(f)
	good, _ := m.bundle(f, 7)
	f.Add(good)
	f.Add([]byte(`{"payloadType":"application/vnd.sealdock.firmware.v1+json","payload":"e30=","signatures":[{"keyid":"","sig":""}]}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(nil))
	makers := []catalog.FirmwareMaker{{Name: "stranger", PublicKey: newMaker(f).public}, {Name: "acme", PublicKey: m.public}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, by, err := ReadStatement(raw, makers)
		if err != nil {
			return
		}
		envelope, err := evidence.ParseEnvelope(raw)
		if err != nil {
			t.Fatalf("what cannot be parsed was read: %v", err)
		}
		if _, err := envelope.Verify(evidence.TypeFirmware, m.public); err != nil || by.Name != "acme" {
			t.Fatalf("what the maker has not signed was read as %s's: %v", by.Name, err)
		}
		if got.Check() != nil || got.Counter > math.MaxInt64 {
			t.Fatalf("out of bounds: %+v", got)
		}
	})
}

func FuzzParseMakerKey(f *testing.F) {
	f.Add([]byte("00"))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if key, err := ParseMakerKey(data); err == nil && len(key) != ed25519.PublicKeySize {
			t.Fatalf("a key of %d bytes", len(key))
		}
	})
}
