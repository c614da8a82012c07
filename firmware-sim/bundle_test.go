package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
	"github.com/sealdock/sealdock/proto/evidence"
)

// bundle reads what firmware make wrote.
func bundle(t *testing.T, dir string) (image []byte, envelope *evidence.Envelope, maker ed25519.PublicKey) {
	t.Helper()
	image, err := os.ReadFile(filepath.Join(dir, "firmware.bin"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "firmware.json"))
	if err != nil {
		t.Fatal(err)
	}
	if envelope, err = evidence.ParseEnvelope(text); err != nil {
		t.Fatal(err)
	}
	if maker, err = readMaker(filepath.Join(dir, "maker.pem")); err != nil {
		t.Fatal(err)
	}
	return image, envelope, maker
}

func TestFirmwareIsMadeAndSigned(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	c, _, err := parse(t, "firmware", "make", "--release", "2.0", "--counter", "11", "--out", dir, "--size", "64KiB", "--broken-start", "--notes", "Better.")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Firmware.Make.Run(); err != nil {
		t.Fatal(err)
	}
	image, envelope, maker := bundle(t, dir)
	payload, err := envelope.Verify(evidence.TypeFirmware, maker)
	if err != nil || !maker.Equal(simulator.MakerKey(1).Public()) {
		t.Fatal(err)
	}
	var f evidence.Firmware
	if err := evidence.Decode(payload, &f); err != nil {
		t.Fatal(err)
	}
	if f.Model != simulator.Model || f.Release != "2.0" || f.Counter != 11 || f.Length != 64<<10 || f.SHA256 != evidence.SHA256(image) || f.Notes != "Better." {
		t.Errorf("%+v", f)
	}
	if !strings.Contains(string(image[:200]), `"broken_start":true`) {
		t.Errorf("the image begins with %q", image[:200])
	}
}

func TestFirmwareIsSignedWithTheKeyThatIsGiven(t *testing.T) {
	dir := t.TempDir()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "private.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	make := makeFirmwareCommand{Model: "m", Release: "r", Counter: 1, Out: dir, Size: 100, MakerKey: file}
	if err := make.Run(); err != nil {
		t.Fatal(err)
	}
	if _, envelope, maker := bundle(t, dir); !maker.Equal(key.Public()) {
		t.Error("another key")
	} else if _, err := envelope.Verify(evidence.TypeFirmware, maker); err != nil {
		t.Error(err)
	}
	c, _, err := parse(t, "run", "--maker-key", filepath.Join(dir, "maker.pem"), "--extension=false")
	if err != nil {
		t.Fatal(err)
	}
	if config, err := c.Run.config(); err != nil || !config.Maker.Equal(key.Public()) || !config.Plain {
		t.Errorf("%+v, %v", config, err)
	}
	for words, path := range map[string]string{"PUBLIC KEY": file, "reading a key": filepath.Join(dir, "none")} {
		if _, err := readMaker(path); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", path, err)
		}
	}
	make.MakerKey = filepath.Join(dir, "maker.pem")
	if err := make.Run(); err == nil || !strings.Contains(err.Error(), "PRIVATE KEY") {
		t.Errorf("signing with a public key: %v", err)
	}
	make.MakerKey, make.Counter = "", 0
	if err := make.Run(); err == nil || !strings.Contains(err.Error(), "counter") {
		t.Errorf("without a counter: %v", err)
	}
}
