package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/firmware"
	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
	"github.com/sealdock/sealdock/proto/evidence"
)

type firmwareCommand struct {
	Make makeFirmwareCommand `cmd:"" help:"Make a signed firmware bundle for simulated cameras."`
}

type makeFirmwareCommand struct {
	Model       string `default:"${model}" placeholder:"M" help:"The model that it is for. [${default}]"`
	Release     string `required:"" placeholder:"R" help:"As people call it, for example 2.0.0."`
	Counter     uint64 `required:"" placeholder:"N" help:"Grows with each release; simulated cameras come with ${counter}."`
	Out         string `required:"" type:"path" placeholder:"DIR" help:"Where firmware.json, firmware.bin and maker.pem go."`
	Size        size   `default:"256KiB" placeholder:"SIZE" help:"Of the image. [${default}]"`
	BrokenStart bool   `help:"No camera starts with it."`
	MinBattery  int    `default:"20" placeholder:"PERCENT" help:"Charge below which it is not applied. [${default}]"`
	Notes       string `placeholder:"TEXT" help:"What it changes."`
	Seed        uint64 `default:"1" placeholder:"S" help:"Signs with the test key of the simulator with this seed. [${default}]"`
	MakerKey    string `type:"existingfile" placeholder:"FILE" help:"Signs with this Ed25519 private key instead (PEM, PKCS #8)."`
}

// Run makes the bundle.
func (m *makeFirmwareCommand) Run() error {
	key, err := m.key()
	if err != nil {
		return err
	}
	image, err := firmware.Image(m.Release, int(m.Size), m.BrokenStart)
	if err != nil {
		return err
	}
	payload, err := evidence.Encode(&evidence.Firmware{Version: 1, Model: m.Model, Release: m.Release, Counter: m.Counter, Length: uint64(len(image)),
		SHA256: evidence.SHA256(image), MinBattery: m.MinBattery, ReleasedAt: time.Now().UTC().Truncate(time.Second), Notes: m.Notes})
	if err != nil {
		return fmt.Errorf("describing the firmware: %w", err)
	}
	maker, err := publicPEM(key)
	if err != nil {
		return err
	}
	envelope := evidence.Sign(evidence.TypeFirmware, payload, evidence.KeyID(key.Public().(ed25519.PublicKey)).String(), key)
	if err := os.MkdirAll(m.Out, 0o750); err != nil {
		return fmt.Errorf("making a place for the firmware: %w", err)
	}
	write := func(name string, data []byte) error { return os.WriteFile(filepath.Join(m.Out, name), data, 0o600) }
	if err := errors.Join(write("firmware.bin", image), write("maker.pem", maker), write("firmware.json", envelope.Marshal())); err != nil {
		return fmt.Errorf("writing the firmware: %w", err)
	}
	fmt.Printf("release %s, counter %d, %d bytes, sha256 %s\n", m.Release, m.Counter, len(image), evidence.SHA256(image))
	return nil
}

func (m *makeFirmwareCommand) key() (ed25519.PrivateKey, error) {
	if m.MakerKey == "" {
		return simulator.MakerKey(m.Seed), nil
	}
	der, err := readPEM(m.MakerKey, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("reading the maker's private key %s: %w", m.MakerKey, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("reading the maker's private key %s: it is a %T, want an Ed25519 key", m.MakerKey, parsed)
	}
	return key, nil
}

// readMaker reads a maker's public key; with an empty path there is none.
func readMaker(path string) (ed25519.PublicKey, error) {
	if path == "" {
		return nil, nil
	}
	der, err := readPEM(path, "PUBLIC KEY")
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("reading the maker's public key %s: %w", path, err)
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("reading the maker's public key %s: it is a %T, want an Ed25519 key", path, parsed)
	}
	return key, nil
}

func readPEM(path, kind string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("reading key %s: want a PEM block %q", path, kind)
	}
	return block.Bytes, nil
}

func publicPEM(key ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("writing the maker's public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}
