package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sealdock/sealdock/ingest/verifier"
	"github.com/sealdock/sealdock/internal/tlog"
)

func (c *commands) judge(ctx context.Context) (*verifier.Report, error) {
	pins := verifier.Pins{LogKey: c.LogKey, WitnessKeys: c.WitnessKey}
	if name, ok := strings.CutPrefix(c.LogKey, "@"); ok {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		pins.LogKey = string(b)
	}
	var err error
	if c.TimeCA != "" {
		if pins.TimeRoots, err = os.ReadFile(c.TimeCA); err != nil {
			return nil, err
		}
	}
	if pins.ReceiptKeys, err = keys("--receipt-key", c.ReceiptKey); err != nil {
		return nil, err
	}
	if pins.DockKeys, err = keys("--dock-key", c.DockKey); err != nil {
		return nil, err
	}
	f, err := os.Open(c.Package)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file: give the package as it was handed out, not unpacked", c.Package)
	}
	if err != nil {
		return nil, err
	}
	begin := make([]byte, maxProof)
	if n, err := f.ReadAt(begin, 0); err == io.EOF && tlog.IsProof(begin[:n]) {
		return verifier.LogProof(ctx, begin[:n], pins)
	}
	return verifier.Archive(ctx, f, info.Size(), verifier.Options{Pins: pins})
}

// maxProof is more than a proof of one entry ever has, in bytes.
const maxProof = 256 << 10

func keys(flag string, texts []string) (all []ed25519.PublicKey, err error) {
	for _, text := range texts {
		key, err := hex.DecodeString(strings.TrimSpace(text))
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%s %.80q: want 64 hex digits", flag, text)
		}
		all = append(all, key)
	}
	return all, nil
}
