package verifier

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/sealdock/sealdock/internal/tlog"
)

// pinned are the pins, read.
type pinned struct {
	log       ed25519.PublicKey
	origin    string // of log; "": any
	witnesses []*witness
	roots     *x509.CertPool // nil: no time-stamp authority
}

func (j *judge) readPins() error {
	if text := strings.TrimSpace(j.LogKey); text != "" {
		key, err := hex.DecodeString(text)
		if err != nil || len(key) != ed25519.PublicKeySize {
			if j.pinned.origin, key, err = verifierKey(text, algorithmEd25519); err != nil {
				return fmt.Errorf("the log's key: %w: %w", ErrPins, err)
			}
		}
		j.pinned.log = key
	}
	for _, text := range j.WitnessKeys {
		name, key, err := verifierKey(strings.TrimSpace(text), algorithmCosignature)
		if err != nil {
			return fmt.Errorf("a witness's key: %w: %w", ErrPins, err)
		}
		j.pinned.witnesses = append(j.pinned.witnesses, newWitness(name, key))
	}
	if len(j.TimeRoots) > 0 {
		if j.pinned.roots = x509.NewCertPool(); !j.pinned.roots.AppendCertsFromPEM(j.TimeRoots) {
			return fmt.Errorf("the time-stamp authority: there is no certificate in PEM: %w", ErrPins)
		}
	}
	for _, k := range append(slices.Clone(j.ReceiptKeys), j.DockKeys...) {
		if len(k) != ed25519.PublicKeySize {
			return fmt.Errorf("a key of %d bytes, want %d: %w", len(k), ed25519.PublicKeySize, ErrPins)
		}
	}
	return nil
}

// Algorithms of C2SP signed-note verifier keys.
const (
	algorithmEd25519     = 1
	algorithmCosignature = 4
)

// verifierKey reads a C2SP signed-note verifier key: name+hash+base64.
func verifierKey(text string, algorithm byte) (name string, key ed25519.PublicKey, err error) {
	name, rest, _ := strings.Cut(text, "+")
	hash, encoded, ok := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || name == "" || len(raw) != 1+ed25519.PublicKeySize {
		return "", nil, fmt.Errorf("%.80q is no verifier key: want name+hash+base64", text)
	}
	if raw[0] != algorithm {
		return "", nil, fmt.Errorf("%.80q is a key of algorithm %d, want %d", text, raw[0], algorithm)
	}
	if want := fmt.Sprintf("%08x", noteHash(name, raw)); hash != want {
		return "", nil, fmt.Errorf("%.80q is mistyped: its check value is %s", text, want)
	}
	return name, raw[1:], nil
}

// takeKeys says by which keys the package is judged, and fails where a pinned one is
// another than the package names.
func (j *judge) takeKeys() {
	x := &j.index
	if j.pinned.log != nil && !j.pinned.log.Equal(ed25519.PublicKey(x.LogKey)) {
		j.failed("package.json", "The package names another log key (%x) than yours (%x): it is of another server, or forged.", x.LogKey, []byte(j.pinned.log))
	}
	if j.pinned.origin != "" && !tlog.Continues(x.LogOrigin, j.pinned.origin) {
		j.failed("package.json", "The package is of the log %q, your key is of %q.", x.LogOrigin, j.pinned.origin)
	}
	add := func(role string, key []byte, pinned bool) {
		source := FromPackage
		switch {
		case pinned:
			source = FromCaller
		case j.pinned.log != nil:
			source = FromLog
		}
		j.report.Keys = append(j.report.Keys, Key{role, keyText(key), source})
	}
	add("custody log "+x.LogOrigin, x.LogKey, j.pinned.log != nil)
	if j.pinned.log == nil {
		j.notProven(subjectPackage, "Whose log this is: no log key was given, so the one that the package itself brings was used. Whoever can make a package can bring a key: ask the agency, or the court's file, for the log's key and give it to the verifier.")
	}
	add("receipts", x.ReceiptKey, j.receiptPinned())
	if len(j.ReceiptKeys) > 0 && !j.receiptPinned() {
		j.failed("package.json", "The package names another receipt key (%x) than yours.", x.ReceiptKey)
	}
	if x.DerivativeKey != nil {
		add("derivatives", x.DerivativeKey, false)
	}
	for i := range x.Docks {
		d := &x.Docks[i]
		is := func(k ed25519.PublicKey) bool { return k.Equal(ed25519.PublicKey(d.Key)) }
		isPinned := slices.ContainsFunc(j.DockKeys, is)
		add("dock "+string(d.Dock), d.Key, isPinned)
		if len(j.DockKeys) > 0 && !isPinned {
			j.failed("package.json", "The package names a key of dock %s (%x) that is none of yours.", d.Dock, d.Key)
		}
	}
}

func (j *judge) receiptPinned() bool {
	return slices.ContainsFunc(j.ReceiptKeys, func(k ed25519.PublicKey) bool { return k.Equal(ed25519.PublicKey(j.index.ReceiptKey)) })
}

// logKey is the pinned key of the log, else the package's.
func (j *judge) logKey() ed25519.PublicKey {
	if j.pinned.log != nil {
		return j.pinned.log
	}
	return j.index.LogKey
}

// logVerifier checks the log's signature.
func (j *judge) logVerifier() (note.Verifier, error) {
	return tlog.NewVerifier(j.index.LogOrigin, j.logKey())
}
