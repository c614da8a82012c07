package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	rootName = "root.key"
	rootSize = 32
	magic    = "sealdock/agency-key/v1\n"
	maxFile  = 4 << 10
)

// ErrNoKey is wrapped when an agency has no key here.
var ErrNoKey = errors.New("the agency has no key on this server")

// Ring is an opened key folder.
type Ring struct {
	agencies map[evidence.AgencyID]*seal.PrivateKey // never changed after Open
}

// Create makes the folder's root key and a key pair for the agency. It refuses
// to touch a folder that has a root key already.
func Create(dir string, agency evidence.AgencyID) (*Ring, error) {
	if err := evidence.CheckName("agency", string(agency)); err != nil {
		return nil, fmt.Errorf("making keys: %w", err)
	}
	rootPath := filepath.Join(dir, rootName)
	if _, err := os.Lstat(rootPath); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("making keys: %s exists already and is not replaced: everything stored so far depends on it", rootPath)
	}
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the key folder: %w", err)
	}
	private, err := seal.GeneratePrivateKey()
	if err != nil {
		return nil, fmt.Errorf("making the key of agency %s: %w", agency, err)
	}
	root := make([]byte, rootSize)
	rand.Read(root) // never fails: crypto/rand ends the program instead
	defer clear(root)
	sealed, err := encrypt(root, agency, private)
	if err != nil {
		return nil, fmt.Errorf("encrypting the key of agency %s: %w", agency, err)
	}
	// The agency's file first: a folder with a root key is complete.
	if err := durable.WriteFile(agencyPath(dir, agency), sealed, 0o600); err != nil {
		return nil, fmt.Errorf("writing the key of agency %s: %w", agency, err)
	}
	if err := durable.WriteFile(rootPath, root, 0o600); err != nil {
		return nil, fmt.Errorf("writing the root key: %w", err)
	}
	return &Ring{agencies: map[evidence.AgencyID]*seal.PrivateKey{agency: private}}, nil
}

// Open reads the folder and decrypts every agency's key.
func Open(dir string) (*Ring, error) {
	root, err := readRoot(filepath.Join(dir, rootName))
	if err != nil {
		return nil, err
	}
	defer clear(root)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the key folder: %w", err)
	}
	ring := &Ring{agencies: map[evidence.AgencyID]*seal.PrivateKey{}}
	for _, entry := range entries {
		name, ok := strings.CutPrefix(entry.Name(), "agency-")
		if !ok {
			continue
		}
		name, ok = strings.CutSuffix(name, ".key")
		if !ok || evidence.CheckName("agency", name) != nil {
			continue
		}
		agency := evidence.AgencyID(name)
		private, err := readAgency(dir, root, agency)
		if err != nil {
			return nil, err
		}
		ring.agencies[agency] = private
	}
	return ring, nil
}

// Public returns the key to which docks wrap recordings' keys.
func (r *Ring) Public(agency evidence.AgencyID) (*seal.PublicKey, error) {
	private, ok := r.agencies[agency]
	if !ok {
		return nil, fmt.Errorf("looking for the key of agency %q: %w", agency, ErrNoKey)
	}
	return private.Public(), nil
}

// Unwrap opens the key of one attempt at one item. The error wraps
// seal.ErrUnwrap when the wrapped key is not of this agency, item and attempt.
// The caller zeroes the key when done.
func (r *Ring) Unwrap(agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, wrapped []byte) (seal.Key, error) {
	private, ok := r.agencies[agency]
	if !ok {
		return seal.Key{}, fmt.Errorf("opening the key of item %v: agency %q: %w", id, agency, ErrNoKey)
	}
	key, err := seal.Unwrap(private, wrapped, seal.AAD(agency, id, attempt))
	if err != nil {
		return seal.Key{}, fmt.Errorf("opening the key of item %v attempt %d: %w", id, attempt, err)
	}
	return key, nil
}

func agencyPath(dir string, agency evidence.AgencyID) string {
	return filepath.Join(dir, "agency-"+string(agency)+".key")
}

func readRoot(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the root key: %w: without it nothing stored can be opened; restore %s from your backup", err, path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the root key: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("reading the root key: %s may be read by others (mode %04o): run chmod 600 on it", path, info.Mode().Perm())
	}
	if info.Size() != rootSize {
		return nil, fmt.Errorf("reading the root key: %s has %d bytes, want %d: restore it from your backup", path, info.Size(), rootSize)
	}
	root, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the root key: %w", err)
	}
	if len(root) != rootSize {
		return nil, fmt.Errorf("reading the root key: %s changed while it was read", path)
	}
	return root, nil
}

func readAgency(dir string, root []byte, agency evidence.AgencyID) (*seal.PrivateKey, error) {
	path := agencyPath(dir, agency)
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key of agency %s: %w", agency, err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("reading the key of agency %s: %s has %d bytes, at most %d are read", agency, path, info.Size(), maxFile)
	}
	sealed, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key of agency %s: %w", agency, err)
	}
	private, err := decrypt(root, agency, sealed)
	if err != nil {
		return nil, fmt.Errorf("reading the key of agency %s from %s: %w", agency, path, err)
	}
	return private, nil
}

func encrypt(root []byte, agency evidence.AgencyID, private *seal.PrivateKey) ([]byte, error) {
	plain, err := private.MarshalBinary()
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	aead, err := rootCipher(root)
	if err != nil {
		return nil, err
	}
	return aead.Seal([]byte(magic), nil, plain, bindTo(agency)), nil
}

func decrypt(root []byte, agency evidence.AgencyID, sealed []byte) (*seal.PrivateKey, error) {
	body, ok := bytes.CutPrefix(sealed, []byte(magic))
	if !ok {
		return nil, errors.New("it is not an agency key file of this version")
	}
	aead, err := rootCipher(root)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, body, bindTo(agency))
	if err != nil {
		return nil, errors.New("it does not open with this root key: one of the two files is damaged or from another server")
	}
	defer clear(plain)
	return seal.ParsePrivateKey(plain)
}

func rootCipher(root []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(root)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// bindTo is the associated data of an agency's key file: purpose and agency.
func bindTo(agency evidence.AgencyID) []byte {
	b := binary.BigEndian.AppendUint32([]byte(magic), uint32(len(agency)))
	return append(b, agency...)
}
