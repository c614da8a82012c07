package witness

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/tlog"
)

// Places in a witness's folder. The file of a log is four parts, so that its key and
// what was cosigned can only be lost together: label, verifier key and origin, each
// a line, then the last cosigned checkpoint as the log signed it, or nothing.
const (
	keyFile  = "witness.key" // signer key of package note, one line
	logsDir  = "logs"
	logLabel = "sealdock/witness-log/v1"
	maxLog   = 64 << 10
)

// watched is a log that the witness knows.
type watched struct {
	origin, vkey string
	verifier     note.Verifier
	path         string

	mu   sync.Mutex // held from the comparison with head until the cosignature is made
	head tlog.Checkpoint
	text []byte // signed note of head; nil: nothing was cosigned
}

// Init makes a new witness in dir, which must be empty or missing, and returns its
// verifier key. The name should be an address without scheme, as in
// court.example.org/witness.
func Init(dir, name string) (vkey string, err error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return "", fmt.Errorf("making a witness: %s is not empty: name a new folder", dir)
	}
	skey, plain, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return "", fmt.Errorf("making the witness's key: %w", err)
	}
	if vkey, err = cosign.VKeyToCosignatureV1(plain); err != nil {
		return "", fmt.Errorf("making a witness: the name %q is empty or has spaces or '+'", name)
	}
	if err := durable.MkdirAll(filepath.Join(dir, logsDir), 0o700); err != nil {
		return "", fmt.Errorf("making a witness: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(dir, keyFile), []byte(skey+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("making a witness: %w", err)
	}
	return vkey, nil
}

// readKey returns the witness's signer and its verifier key.
func readKey(dir string) (*cosign.Signer, string, error) {
	data, err := os.ReadFile(filepath.Join(dir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("%s is not the folder of a witness: make one with sealdock-witness init: %w", dir, err)
	}
	if err != nil {
		return nil, "", fmt.Errorf("reading the witness's key: %w", err)
	}
	skey := strings.TrimSuffix(string(data), "\n")
	signer, err := cosign.NewSignerForCosignatureV1(skey)
	if err != nil {
		return nil, "", fmt.Errorf("reading the witness's key in %s: %w: restore it from your backup", keyFile, err)
	}
	vkey, err := verifierKey(skey)
	if err != nil {
		return nil, "", fmt.Errorf("reading the witness's key in %s: %w: restore it from your backup", keyFile, err)
	}
	return signer, vkey, nil
}

func logPath(dir, origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return filepath.Join(dir, logsDir, hex.EncodeToString(sum[:]))
}

// readLogs returns the logs of the folder by origin. What does not hold is an error:
// a witness that forgot a log would cosign another beginning of it.
func readLogs(dir string) (map[string]*watched, error) {
	entries, err := os.ReadDir(filepath.Join(dir, logsDir))
	if err != nil {
		return nil, fmt.Errorf("listing the witness's logs: %w", err)
	}
	logs := make(map[string]*watched, len(entries))
	for _, e := range entries {
		path := filepath.Join(dir, logsDir, e.Name())
		if strings.HasPrefix(e.Name(), durable.TempPrefix) {
			if err := durable.Remove(path); err != nil {
				return nil, fmt.Errorf("removing what a crash left behind: %w", err)
			}
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a log of the witness: %w", err)
		}
		w, err := parseLog(data)
		if err == nil && logPath(dir, w.origin) != path {
			err = fmt.Errorf("it is of log %q, whose file has another name", w.origin)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s, a log of the witness: %w: restore this file from the newest backup; an older one makes the witness forget", path, err)
		}
		w.path = path
		logs[w.origin] = w
	}
	return logs, nil
}

func parseLog(data []byte) (*watched, error) {
	parts := bytes.SplitN(data, []byte("\n"), 4)
	if len(data) > maxLog || len(parts) != 4 || string(parts[0]) != logLabel {
		return nil, fmt.Errorf("it does not begin with %q, a key and an origin, or is too long", logLabel)
	}
	w, err := newWatched(string(parts[1]), string(parts[2]))
	if err != nil || len(parts[3]) == 0 {
		return w, err
	}
	if w.head, err = tlog.OpenCheckpoint(parts[3], w.origin, w.verifier); err != nil {
		return nil, err
	}
	w.text = parts[3]
	return w, nil
}

func newWatched(vkey, origin string) (*watched, error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("%.200q is not the verifier key of a log, as sealdock-ingest log-key prints it: %w", vkey, err)
	}
	if origin == "" || len(origin) > 256 || strings.ContainsAny(origin, "\r\n") {
		return nil, fmt.Errorf("%.300q is not the origin of a log: one line of 1 to 256 bytes", origin)
	}
	empty := tlog.Checkpoint{Origin: origin, Root: sha256.Sum256(nil)} // RFC 6962 section 2.1
	return &watched{origin: origin, vkey: vkey, verifier: v, head: empty}, nil
}

func (w *watched) file(checkpoint []byte) []byte {
	return append(fmt.Appendf(nil, "%s\n%s\n%s\n", logLabel, w.vkey, w.origin), checkpoint...)
}

// AddLog makes the witness in dir watch a log from its beginning. An empty origin is
// the name in the key. A log that is watched already is fs.ErrExist; durable.ErrLocked
// while the witness runs.
func AddLog(dir, vkey, origin string) (err error) {
	if origin == "" {
		origin, _, _ = strings.Cut(vkey, "+")
	}
	w, err := newWatched(vkey, origin)
	if err != nil {
		return fmt.Errorf("adding a log: %w", err)
	}
	release, err := lock(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	path := logPath(dir, origin)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("adding the log %s: this witness watches it already: %w", origin, errors.Join(err, fs.ErrExist))
	}
	if err := durable.WriteFile(path, w.file(nil), 0o600); err != nil {
		return fmt.Errorf("adding the log %s: %w", origin, err)
	}
	return nil
}

func lock(dir string) (release func() error, err error) {
	if _, err := os.Stat(filepath.Join(dir, keyFile)); err != nil {
		return nil, fmt.Errorf("opening the witness in %s: %w: make one with sealdock-witness init", dir, err)
	}
	if release, err = durable.LockDir(dir); err != nil {
		return nil, fmt.Errorf("opening the witness in %s: %w: stop the one that runs first", dir, err)
	}
	return release, nil
}
