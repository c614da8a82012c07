package keys

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// ErrNoKey is wrapped when an agency has no key here, or not the one asked for.
var ErrNoKey = errors.New("the agency has no such key on this server")

var errInMemory = errors.New("these keys are of an escrow, in memory alone: restore it first")

// Ring is an opened key folder. It follows the folder: keys that another process
// makes or removes there are seen.
type Ring struct {
	dir     string // "": the keys are in memory alone
	root    root
	catalog []byte // in memory alone: the catalog's key, if there is one

	mu    sync.Mutex                    // guards pairs and held; held while the folder is read
	pairs map[evidence.AgencyID][]*pair // oldest first; the slices are never changed
	held  []string                      // names of the key files, sorted
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
	first, err := generate(agency, firstGeneration, time.Time{})
	if err != nil {
		return nil, err
	}
	return build(dir, []*pair{first}, nil, d, passphrase)
}

// build makes a key folder that holds pairs, and the catalog's key unless it is nil,
// under a new root key.
func build(dir string, pairs []*pair, catalog []byte, d *derivation, passphrase []byte) (*Ring, error) {
	rootPath := filepath.Join(dir, rootName)
	if _, err := os.Lstat(rootPath); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("making keys: %s exists already and is not replaced: everything stored so far depends on it", rootPath)
	}
	if err := durable.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the key folder: %w", err)
	}
	root := newLocalRoot()
	file, err := root.encode(d, passphrase)
	if err != nil {
		return nil, fmt.Errorf("encrypting the root key: %w", err)
	}
	defer clear(file)
	// The agencies' files first: a folder with a root key is complete.
	for _, p := range pairs {
		if err := p.write(dir, root); err != nil {
			return nil, err
		}
	}
	if catalog != nil {
		if err := writeCatalogKey(dir, root, catalog); err != nil {
			return nil, fmt.Errorf("writing the catalog's key: %w", err)
		}
	}
	if err := durable.WriteFile(rootPath, file, 0o600); err != nil {
		return nil, fmt.Errorf("writing the root key: %w", err)
	}
	ring := &Ring{dir: dir, root: root}
	return ring, ring.follow()
}

// Open reads the folder and decrypts every agency's keys. The error is ErrLocked
// where the root key is under a passphrase.
func Open(dir string) (*Ring, error) { return OpenWith(dir, nil) }

// OpenWith is Open with a passphrase, which is asked for only where one is needed.
func OpenWith(dir string, ask Ask) (*Ring, error) { return OpenGuarded(dir, Guard{Ask: ask}) }

// OpenGuarded is OpenWith for a root key that may be under a keeper's key.
func OpenGuarded(dir string, guard Guard) (*Ring, error) {
	root, err := openRoot(dir, guard)
	if err != nil {
		return nil, err
	}
	ring := &Ring{dir: dir, root: root}
	return ring, ring.follow()
}

// follow reads the folder anew where its key files are others than before.
func (r *Ring) follow() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dir == "" {
		return nil
	}
	entries, err := os.ReadDir(r.dir) // sorted
	if err != nil {
		return fmt.Errorf("reading the key folder: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if agencyOf(entry.Name()) != "" {
			names = append(names, entry.Name())
		}
	}
	if slices.Equal(names, r.held) && r.pairs != nil {
		return nil
	}
	known := map[string]*pair{}
	for _, pairs := range r.pairs {
		for _, p := range pairs {
			known[p.name] = p
		}
	}
	var all []*pair
	for _, name := range names {
		p := known[name]
		if p == nil {
			if p, err = readPair(r.dir, name, r.root); err != nil {
				return err
			}
		}
		all = append(all, p)
	}
	r.take(all)
	r.held = names
	return nil
}

// take makes pairs the ring's. The caller holds mu, or the ring is its own.
func (r *Ring) take(all []*pair) {
	r.pairs = map[evidence.AgencyID][]*pair{}
	for _, p := range all {
		r.pairs[p.Agency] = append(r.pairs[p.Agency], p)
	}
	for _, pairs := range r.pairs {
		slices.SortFunc(pairs, func(a, b *pair) int {
			return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.ID, b.ID))
		})
	}
}

// of returns an agency's pairs, oldest first, at least one.
func (r *Ring) of(agency evidence.AgencyID) ([]*pair, error) {
	r.mu.Lock()
	pairs := r.pairs[agency]
	r.mu.Unlock()
	if len(pairs) == 0 {
		return nil, fmt.Errorf("looking for the key of agency %q: %w", agency, ErrNoKey)
	}
	return pairs, nil
}

// present is of after a look into the folder.
func (r *Ring) present(agency evidence.AgencyID) ([]*pair, error) {
	if err := r.follow(); err != nil {
		return nil, err
	}
	return r.of(agency)
}

// Public returns the key to which recordings' keys are wrapped: the newest one.
func (r *Ring) Public(agency evidence.AgencyID) (*seal.PublicKey, error) {
	_, public, err := r.Newest(agency)
	return public, err
}

// Newest returns the generation to which recordings' keys are wrapped.
func (r *Ring) Newest(agency evidence.AgencyID) (Generation, *seal.PublicKey, error) {
	pairs, err := r.present(agency)
	if err != nil {
		return Generation{}, nil, err
	}
	newest := pairs[len(pairs)-1]
	return newest.Generation, newest.public, nil
}

// Told returns the public key of one generation: what a dock was told when it was
// enrolled. "" is the first generation, from before docks' keys were noted.
func (r *Ring) Told(agency evidence.AgencyID, id ID) (*seal.PublicKey, error) {
	pairs, err := r.present(agency)
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		if p.ID == id || id == "" && p.Number == firstGeneration {
			return p.public, nil
		}
	}
	return nil, fmt.Errorf("looking for key %q of agency %q: %w", id, agency, ErrNoKey)
}

// Generations returns what keys an agency has, oldest first.
func (r *Ring) Generations(agency evidence.AgencyID) ([]Generation, error) {
	pairs, err := r.present(agency)
	if err != nil {
		return nil, err
	}
	all := make([]Generation, len(pairs))
	for i, p := range pairs {
		all[i] = p.Generation
	}
	return all, nil
}

// Unwrap opens the key of one attempt at one item, whichever generation it was
// wrapped to. The error wraps seal.ErrUnwrap when the wrapped key is not of this
// agency, item and attempt. The caller zeroes the key when done.
func (r *Ring) Unwrap(agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, wrapped []byte) (seal.Key, error) {
	key, _, err := r.open(agency, id, attempt, wrapped)
	return key, err
}

// Admit is Unwrap for a key that comes from a dock, which may still wrap to an
// older generation: it also returns the key as it is to be kept, wrapped to the
// newest one, and which that is.
func (r *Ring) Admit(agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, wrapped []byte) (seal.Key, []byte, ID, error) {
	pairs, err := r.present(agency)
	if err != nil {
		return seal.Key{}, nil, "", err
	}
	key, from, err := r.open(agency, id, attempt, wrapped)
	if err != nil {
		return seal.Key{}, nil, "", err
	}
	newest := pairs[len(pairs)-1]
	if from.ID == newest.ID {
		return key, wrapped, from.ID, nil
	}
	again, err := wrapAgain(newest, key, seal.AAD(agency, id, attempt))
	if err != nil {
		key.Zero()
		return seal.Key{}, nil, "", fmt.Errorf("wrapping the key of item %v attempt %d: %w", id, attempt, err)
	}
	return key, again, newest.ID, nil
}

// wrapAgain wraps a key, and opens it again before anybody relies on it: what it
// replaces is gone for good.
func wrapAgain(to *pair, key seal.Key, aad []byte) ([]byte, error) {
	wrapped, err := seal.Wrap(to.public, key, aad)
	if err != nil {
		return nil, err
	}
	back, err := seal.Unwrap(to.private, wrapped, aad)
	defer back.Zero()
	if err != nil || back != key {
		return nil, errors.Join(errors.New("it does not come back: do not trust this machine"), err)
	}
	return wrapped, nil
}

// Rewrap is Admit for a key that is kept already. The key itself does not leave.
func (r *Ring) Rewrap(agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, wrapped []byte) ([]byte, ID, error) {
	key, again, to, err := r.Admit(agency, id, attempt, wrapped)
	key.Zero()
	return again, to, err
}

// open tries the generations, newest first, and once more after a look into the
// folder.
func (r *Ring) open(agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, wrapped []byte) (seal.Key, *pair, error) {
	pairs, err := r.of(agency)
	if err != nil {
		return seal.Key{}, nil, fmt.Errorf("opening the key of item %v: %w", id, err)
	}
	key, p, err := try(pairs, agency, id, attempt, wrapped)
	if err == nil {
		return key, p, nil
	}
	again, failed := r.present(agency)
	if failed != nil {
		return seal.Key{}, nil, failed
	}
	if !slices.Equal(again, pairs) {
		key, p, err = try(again, agency, id, attempt, wrapped)
	}
	if err != nil {
		return seal.Key{}, nil, fmt.Errorf("opening the key of item %v attempt %d: %w", id, attempt, err)
	}
	return key, p, nil
}

func try(pairs []*pair, agency evidence.AgencyID, id evidence.EvidenceID, attempt uint32, wrapped []byte) (key seal.Key, by *pair, err error) {
	aad := seal.AAD(agency, id, attempt)
	for _, p := range slices.Backward(pairs) {
		if key, err = seal.Unwrap(p.private, wrapped, aad); err == nil {
			return key, p, nil
		}
	}
	return seal.Key{}, nil, err
}

// Generate makes the agency's next key pair. record makes the event of it durable
// and is called before the key is.
func (r *Ring) Generate(agency evidence.AgencyID, at time.Time, record func(Generation) error) (Generation, error) {
	if r.root == nil {
		return Generation{}, errInMemory
	}
	pairs, err := r.present(agency)
	if err != nil {
		return Generation{}, err
	}
	number := pairs[len(pairs)-1].Number + 1
	if number > maxGeneration {
		return Generation{}, fmt.Errorf("making a key of agency %s: it has had %d", agency, maxGeneration)
	}
	p, err := generate(agency, number, at)
	if err != nil {
		return Generation{}, err
	}
	if err := record(p.Generation); err != nil {
		return Generation{}, err
	}
	if err := p.write(r.dir, r.root); err != nil {
		return Generation{}, err
	}
	return p.Generation, r.follow()
}

// Retire destroys the file of a generation: it is moved aside, its bytes are
// overwritten, and it is removed; a crash between leaves what the next Retire ends.
// Whoever calls it has made sure that nothing is wrapped to it. The newest one
// stays. What file systems and disks keep of overwritten bytes is under the root key.
func (r *Ring) Retire(agency evidence.AgencyID, id ID) error {
	if r.root == nil {
		return errInMemory
	}
	begun, err := r.endRetiring()
	if err != nil {
		return fmt.Errorf("ending what a former run began: %w", err)
	}
	pairs, err := r.present(agency)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(pairs, func(p *pair) bool { return p.ID == id })
	switch {
	case at < 0 && slices.ContainsFunc(begun, func(name string) bool { return strings.Contains(name, string(id)) }):
		return nil
	case at < 0:
		return fmt.Errorf("retiring key %s of agency %s: %w", id, agency, ErrNoKey)
	case at == len(pairs)-1:
		return fmt.Errorf("retiring key %s of agency %s: it is the newest one, to which everything is wrapped", id, agency)
	}
	aside := filepath.Join(r.dir, retiring+string(id)+"-"+pairs[at].name)
	if err := durable.Rename(filepath.Join(r.dir, pairs[at].name), aside); err != nil {
		return fmt.Errorf("retiring key %s of agency %s: %w", id, agency, err)
	}
	if _, err := r.endRetiring(); err != nil {
		return fmt.Errorf("retiring key %s of agency %s: %w", id, agency, err)
	}
	return r.follow()
}

// retiring begins the name of a key file that is being destroyed.
const retiring = "retiring-"

// endRetiring destroys the files that were moved aside, and names them.
func (r *Ring) endRetiring() (names []string, err error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), retiring) {
			continue
		}
		path := filepath.Join(r.dir, entry.Name())
		f, err := durable.OpenFile(path)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(overwrite(f), f.Close()); err != nil {
			return nil, err
		}
		if err := durable.Remove(path); err != nil {
			return nil, err
		}
		names = append(names, entry.Name())
	}
	return names, nil
}
