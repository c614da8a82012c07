package fleet

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// The names of the files in a bundle's folder.
const (
	StatementName = "firmware.json" // envelope of evidence.Firmware
	ImageName     = "firmware.bin"
)

// ErrMaker: a statement is not signed by any maker that this agency trusts.
var ErrMaker = errors.New("the statement is not signed by a maker that is trusted here: trust the maker with firmware trust-maker, or get the bundle anew")

// Bundle is a firmware bundle, opened. Nothing in it is judged yet.
type Bundle struct {
	Statement []byte
	Image     io.ReadCloser
}

// OpenBundle opens a folder with firmware.json and firmware.bin, or those two
// files under any names, in any order: the one that ends in .json is the
// statement.
func OpenBundle(paths ...string) (*Bundle, error) {
	statement, image, err := bundlePaths(paths)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(statement)
	if err != nil {
		return nil, fmt.Errorf("opening the firmware's statement: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, upload.MaxPolicy+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("reading the firmware's statement: %w", err)
	}
	open, err := os.Open(image)
	if err != nil {
		return nil, fmt.Errorf("opening the firmware image: %w", err)
	}
	return &Bundle{Statement: raw, Image: open}, nil
}

func bundlePaths(paths []string) (statement, image string, err error) {
	switch len(paths) {
	case 1:
		info, err := os.Stat(paths[0])
		if err != nil {
			return "", "", fmt.Errorf("opening the firmware bundle: %w", err)
		}
		if !info.IsDir() {
			return "", "", fmt.Errorf("opening the firmware bundle: %s is a file; name a folder with %s and %s, or both files", paths[0], StatementName, ImageName)
		}
		return filepath.Join(paths[0], StatementName), filepath.Join(paths[0], ImageName), nil
	case 2:
		first, second := strings.HasSuffix(paths[0], ".json"), strings.HasSuffix(paths[1], ".json")
		if first && !second {
			return paths[0], paths[1], nil
		}
		if second && !first {
			return paths[1], paths[0], nil
		}
	}
	return "", "", fmt.Errorf("opening the firmware bundle: name one folder with %s and %s, or two files of which the statement's name ends in .json", StatementName, ImageName)
}

// ReadStatement reads a firmware statement that one of the makers has signed.
// ErrMaker when none of them has.
func ReadStatement(raw []byte, makers []catalog.FirmwareMaker) (*evidence.Firmware, *catalog.FirmwareMaker, error) {
	if len(raw) > upload.MaxPolicy {
		return nil, nil, fmt.Errorf("the firmware's statement is longer than %d bytes", upload.MaxPolicy)
	}
	envelope, err := evidence.ParseEnvelope(raw)
	if err != nil {
		return nil, nil, err
	}
	if envelope.PayloadType != evidence.TypeFirmware {
		return nil, nil, fmt.Errorf("the statement is none of firmware, but %q", upload.CleanText(envelope.PayloadType, 80))
	}
	for i := range makers {
		payload, err := envelope.Verify(evidence.TypeFirmware, makers[i].PublicKey)
		if err != nil {
			continue
		}
		var f evidence.Firmware
		if err := evidence.Decode(payload, &f); err != nil {
			return nil, nil, err
		}
		if f.Counter > math.MaxInt64 {
			return nil, nil, fmt.Errorf("the counter %d of this firmware is beyond what can be kept", f.Counter)
		}
		return &f, &makers[i], nil
	}
	return nil, nil, ErrMaker
}

// ParseMakerKey reads a maker's Ed25519 public key: PEM of type PUBLIC KEY
// (RFC 5280 SubjectPublicKeyInfo), or 64 hex digits.
func ParseMakerKey(data []byte) (ed25519.PublicKey, error) {
	const most = 4 << 10
	if len(data) > most {
		return nil, fmt.Errorf("the maker's key is longer than %d bytes: it is not a public key", most)
	}
	if raw, err := hex.DecodeString(strings.TrimSpace(string(data))); err == nil && len(raw) == ed25519.PublicKeySize {
		return raw, nil
	}
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "PUBLIC KEY" || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, errors.New("the maker's key is neither one PEM block of type PUBLIC KEY nor 64 hex digits")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the maker's key: %w", err)
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the maker's key is a %T, want Ed25519", parsed)
	}
	return key, nil
}

// ParseWindow reads a time of day between which firmware may be applied, in UTC:
// "02:00-05:00", over midnight too. "" is any time.
func ParseWindow(text string) (from, to int, err error) {
	if text == "" {
		return 0, 0, nil
	}
	begin, end, ok := strings.Cut(text, "-")
	from, first := minute(begin)
	to, second := minute(end)
	if !ok || !first || !second {
		return 0, 0, fmt.Errorf("the window %q is not like 02:00-05:00, in UTC", upload.CleanText(text, 40))
	}
	return from, to, nil
}

// minute reads hh:mm as minutes of the day; 24:00 is 0.
func minute(text string) (int, bool) {
	digit := func(i int) int { return int(text[i]) - '0' }
	if len(text) != 5 || text[2] != ':' {
		return 0, false
	}
	for _, i := range []int{0, 1, 3, 4} {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
	}
	hours, minutes := digit(0)*10+digit(1), digit(3)*10+digit(4)
	if hours > 24 || minutes > 59 || hours == 24 && minutes > 0 {
		return 0, false
	}
	return (hours*60 + minutes) % 1440, true
}

// Window writes what ParseWindow reads.
func Window(from, to int) string {
	if from == to {
		return ""
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", from/60, from%60, to/60, to%60)
}
