package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// magic is the purpose of an agency's key under the root.
const magic = "sealdock/agency-key/v1\n"

// ErrNoKey is wrapped when an agency has no key here.
var ErrNoKey = errors.New("the agency has no key on this server")

// Ring is an opened key folder.
type Ring struct {
	agencies map[evidence.AgencyID]*seal.PrivateKey // never changed after Open
}

// Create makes the folder's root key, in clear, and a key pair for the agency.
// It refuses to touch a folder that has a root key already.
func Create(dir string, agency evidence.AgencyID) (*Ring, error) {
	return create(dir, agency, nil, nil)
}

// CreateProtected is Create with the root key under a passphrase.
func CreateProtected(dir string, agency evidence.AgencyID, passphrase []byte) (*Ring, error) {
	if err := CheckPassphrase(passphrase); err != nil {
		return nil, fmt.Errorf("making keys: %w", err)
	}
	return create(dir, agency, newDerivation(), passphrase)
}

func create(dir string, agency evidence.AgencyID, d *derivation, passphrase []byte) (*Ring, error) {
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
	root := newLocalRoot()
	defer clear(root.key[:])
	sealed, err := encrypt(root, agency, private)
	if err != nil {
		return nil, fmt.Errorf("encrypting the key of agency %s: %w", agency, err)
	}
	file, err := root.encode(d, passphrase)
	if err != nil {
		return nil, fmt.Errorf("encrypting the root key: %w", err)
	}
	defer clear(file)
	// The agency's file first: a folder with a root key is complete.
	if err := durable.WriteFile(agencyPath(dir, agency), sealed, 0o600); err != nil {
		return nil, fmt.Errorf("writing the key of agency %s: %w", agency, err)
	}
	if err := durable.WriteFile(rootPath, file, 0o600); err != nil {
		return nil, fmt.Errorf("writing the root key: %w", err)
	}
	return &Ring{agencies: map[evidence.AgencyID]*seal.PrivateKey{agency: private}}, nil
}

// Open reads the folder and decrypts every agency's key. The error is ErrLocked
// where the root key is under a passphrase.
func Open(dir string) (*Ring, error) { return OpenWith(dir, nil) }

// OpenWith is Open with a passphrase, which is asked for only where one is needed.
func OpenWith(dir string, ask Ask) (*Ring, error) {
	root, err := openRoot(dir, ask)
	if err != nil {
		return nil, err
	}
	defer clear(root.key[:])
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

func readAgency(dir string, root root, agency evidence.AgencyID) (*seal.PrivateKey, error) {
	path := agencyPath(dir, agency)
	sealed, err := readSmall(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key of agency %s: %w", agency, err)
	}
	private, err := decrypt(root, agency, sealed)
	if err != nil {
		return nil, fmt.Errorf("reading the key of agency %s from %s: %w", agency, path, err)
	}
	return private, nil
}

func encrypt(root root, agency evidence.AgencyID, private *seal.PrivateKey) ([]byte, error) {
	plain, err := private.MarshalBinary()
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	wrapped, err := root.wrap(magic, []byte(agency), plain)
	if err != nil {
		return nil, err
	}
	return append([]byte(magic), wrapped...), nil
}

func decrypt(root root, agency evidence.AgencyID, sealed []byte) (*seal.PrivateKey, error) {
	body, ok := bytes.CutPrefix(sealed, []byte(magic))
	if !ok {
		return nil, errors.New("it is not an agency key file of this version")
	}
	plain, err := root.unwrap(magic, []byte(agency), body)
	if err != nil {
		return nil, errors.New("it does not open with this root key: one of the two files is damaged or from another server")
	}
	defer clear(plain)
	return seal.ParsePrivateKey(plain)
}
