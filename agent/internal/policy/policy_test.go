package policy

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

var (
	authority = ed25519.NewKeyFromSeed([]byte(strings.Repeat("a", 32)))
	maker     = ed25519.NewKeyFromSeed([]byte(strings.Repeat("m", 32)))
	at        = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	image     = bytes.Repeat([]byte("firmware"), 100_000)
)

func sign(t *testing.T, kind string, s evidence.Statement, key ed25519.PrivateKey) []byte {
	t.Helper()
	payload, err := evidence.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.Sign(kind, payload, "key", key).Marshal()
}

func firmware() *evidence.Firmware {
	return &evidence.Firmware{Version: 1, Model: "BC-1", Release: "2.0", Counter: 2, Length: uint64(len(image)), SHA256: evidence.SHA256(image), ReleasedAt: at}
}

func answer(t *testing.T) *upload.PolicyAnswer {
	t.Helper()
	trust := &evidence.CameraTrust{Version: 1, Agency: "riverton", Number: 3, ReceiptKeys: [][]byte{maker.Public().(ed25519.PublicKey)}, IssuedAt: at}
	settings := func(model string) []byte {
		return sign(t, evidence.TypeCameraSettings, &evidence.CameraSettings{Version: 1, Agency: "riverton", Number: 1, Model: model, Values: map[string]string{"volume": "3"}, IssuedAt: at}, authority)
	}
	return &upload.PolicyAnswer{
		Digest: bytes.Repeat([]byte{1}, 32), Authority: authority.Public().(ed25519.PublicKey), Trust: sign(t, evidence.TypeCameraTrust, trust, authority), KeepDays: 2,
		Settings: [][]byte{settings(""), settings("BC-1")},
		Firmware: []*upload.FirmwareOffer{{Statement: sign(t, evidence.TypeFirmware, firmware(), maker), Maker: maker.Public().(ed25519.PublicKey), WindowFrom: 23 * 60, WindowTo: 4 * 60}},
	}
}

func TestAPolicySurvivesARestart(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	k := Open(dir, "riverton", log)
	changed := k.Changed()
	if err := k.Take(answer(t)); err != nil {
		t.Fatal(err)
	}
	<-changed
	p := Open(dir, "riverton", log).Current()
	if p.Trust.Number != 3 || p.KeepDays != 2 || p.SettingsFor("BC-1").Model != "BC-1" || p.SettingsFor("BC-9").Model != "" || p.FirmwareFor("BC-1").Counter != 2 || p.FirmwareFor("BC-9") != nil {
		t.Errorf("%+v", p)
	}
	f := p.FirmwareFor("BC-1")
	if f.May(at) || !f.May(at.Add(11*time.Hour)) || !f.May(at.Add(15*time.Hour)) || f.May(at.Add(16*time.Hour)) {
		t.Error("the window over midnight is misread")
	}
	if p := Open(dir, "elsewhere", log).Current(); p.Trust != nil {
		t.Error("another agency's policy is in force")
	}
	if err := os.WriteFile(filepath.Join(dir, "policy"), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p := Open(dir, "riverton", log).Current(); p.Trust != nil || len(p.Firmware) != 0 {
		t.Error("a broken file counts")
	}
}

func TestWhatIsSignedByOthersIsNotInForce(t *testing.T) {
	other := ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32))).Public().(ed25519.PublicKey)
	for name, spoil := range map[string]func(*upload.PolicyAnswer){
		"authority":    func(a *upload.PolicyAnswer) { a.Authority = other },
		"no authority": func(a *upload.PolicyAnswer) { a.Authority = nil },
		"maker":        func(a *upload.PolicyAnswer) { a.Firmware[0].Maker = other },
		"wrong kind":   func(a *upload.PolicyAnswer) { a.Settings[0] = a.Trust },
		"not a trust":  func(a *upload.PolicyAnswer) { a.Trust = []byte("{}") },
		"other agency's": func(a *upload.PolicyAnswer) {
			a.Settings[0] = sign(t, evidence.TypeCameraSettings, &evidence.CameraSettings{Version: 1, Agency: "elsewhere", Number: 1, IssuedAt: at}, authority)
		},
	} {
		k := Open(t.TempDir(), "riverton", slog.New(slog.DiscardHandler))
		a := answer(t)
		spoil(a)
		if err := k.Take(a); err == nil || k.Current().Trust != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnImageIsFetchedOnceAndGoesOnWhereItBroke(t *testing.T) {
	images, f := NewImages(t.TempDir()), firmware()
	broken := errors.New("the line broke")
	err := images.Receive(f, func(offset uint64) (io.Reader, error) {
		return io.MultiReader(bytes.NewReader(image[offset:300_000]), iotest.ErrReader(broken)), nil
	})
	if !errors.Is(err, broken) || images.Has(f.SHA256) {
		t.Fatal(err)
	}
	if err := images.Receive(f, func(offset uint64) (io.Reader, error) {
		if offset != 300_000 {
			t.Errorf("goes on at %d", offset)
		}
		return bytes.NewReader(image[offset:]), nil
	}); err != nil {
		t.Fatal(err)
	}
	file, err := images.Open(f.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got, err := io.ReadAll(file); err != nil || !bytes.Equal(got, image) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if err := images.Receive(f, func(uint64) (io.Reader, error) { return nil, errors.New("fetched twice") }); err != nil {
		t.Error(err)
	}
	if err := images.Keep(nil); err != nil || images.Has(f.SHA256) {
		t.Errorf("a withdrawn image is kept: %v", err)
	}
}

func TestAnotherImageThanTheSignedOneIsDropped(t *testing.T) {
	images, f := NewImages(t.TempDir()), firmware()
	wrong := append(bytes.Clone(image[1:]), 'x')
	for range 2 { // the second begins at 0 again
		err := images.Receive(f, func(offset uint64) (io.Reader, error) { return bytes.NewReader(wrong[offset:]), nil })
		if err == nil || images.Has(f.SHA256) {
			t.Fatalf("a wrong image was taken: %v", err)
		}
	}
}
