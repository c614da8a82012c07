package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	escrowMagic  = "sealdock/escrow/v1\n"
	shareMagic   = "sealdock/escrow-share/v1\n" // what the first passphrase opens; the second opens it
	maxEscrow    = 4 << 20
	maxSideFiles = 64
	maxSideFile  = 64 << 10
	maxHolder    = 64
)

// MaxEscrow is the longest escrow file that is read, in bytes.
const MaxEscrow = maxEscrow

// Holder is one of the two people of an escrow.
type Holder struct {
	Name       string // in clear in the file, so that it is known whom to call
	Passphrase []byte
}

// Escrow is all that opens evidence, and the server's other secret files, for the
// day on which the key folder is lost. It never shows itself in texts or logs.
type Escrow struct {
	Agency evidence.AgencyID
	MadeAt time.Time
	files  map[string][]byte // by name, with slashes, from the data folder on
	pairs  []*pair

	catalog []byte // the catalog's key; nil: it has none
}

// Format hides the keys from every verb of package fmt.
func (e Escrow) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "(escrow of %s)", string(e.Agency)) }

// escrowText is an Escrow as it is encrypted.
type escrowText struct {
	Version int               `json:"version"` // 1
	Agency  evidence.AgencyID `json:"agency"`
	MadeAt  time.Time         `json:"made_at"`
	Pairs   []escrowPair      `json:"pairs"`
	Files   map[string][]byte `json:"files"`
	Catalog []byte            `json:"catalog_key,omitempty"`
}

type escrowPair struct {
	Generation
	Private []byte `json:"private"`
}

// Escrow gathers the key pairs of all agencies, and files beside them: their
// names are of the form keys/NAME or authority/NAME.
func (r *Ring) Escrow(agency evidence.AgencyID, at time.Time, files map[string][]byte) (*Escrow, error) {
	if _, err := r.present(agency); err != nil {
		return nil, err
	}
	catalog, err := r.CatalogKey()
	if err != nil && !errors.Is(err, ErrNoCatalogKey) {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := &Escrow{Agency: agency, MadeAt: at.UTC().Truncate(time.Second), files: files, catalog: catalog}
	for _, pairs := range r.pairs {
		e.pairs = append(e.pairs, pairs...)
	}
	slices.SortFunc(e.pairs, func(a, b *pair) int { return strings.Compare(a.name, b.name) })
	return e, e.check()
}

// check bounds what an escrow holds.
func (e *Escrow) check() error {
	if err := evidence.CheckName("agency", string(e.Agency)); err != nil {
		return err
	}
	if e.catalog != nil && len(e.catalog) != catalogKeySize {
		return fmt.Errorf("the catalog's key has %d bytes, not %d", len(e.catalog), catalogKeySize)
	}
	if len(e.pairs) == 0 || len(e.files) > maxSideFiles {
		return fmt.Errorf("an escrow holds at least one key pair and at most %d files, this one %d and %d", maxSideFiles, len(e.pairs), len(e.files))
	}
	for name, file := range e.files {
		folder, base, ok := strings.Cut(name, "/")
		switch {
		case !ok || folder != "keys" && folder != "authority" || base == "" || strings.ContainsAny(base, "/\\:\x00") || strings.HasPrefix(base, "."):
			return fmt.Errorf("an escrow holds files of keys/ and authority/, not %.80q", name)
		case folder == "keys" && (base == rootName || base == catalogName || agencyOf(base) != ""):
			return fmt.Errorf("an escrow does not hold %s: key pairs and the catalog's key are kept by themselves, and the root key is not needed", name)
		case len(file) > maxSideFile:
			return fmt.Errorf("%s has %d bytes, at most %d are kept", name, len(file), maxSideFile)
		}
	}
	return nil
}

// Generations returns the key pairs that the escrow holds.
func (e *Escrow) Generations() []Generation {
	var all []Generation
	for _, p := range e.pairs {
		all = append(all, p.Generation)
	}
	return all
}

// Seal encrypts the escrow so that it takes both passphrases to open it.
func (e *Escrow) Seal(holders [2]Holder) ([]byte, error) {
	for _, h := range holders {
		if err := CheckPassphrase(h.Passphrase); err != nil {
			return nil, fmt.Errorf("the passphrase of %s: %w", h.Name, err)
		}
		if h.Name == "" || len(h.Name) > maxHolder || strings.ContainsFunc(h.Name, func(r rune) bool { return r < ' ' || r == '\u007f' }) {
			return nil, fmt.Errorf("%.80q is no name of 1 to %d bytes", h.Name, maxHolder)
		}
	}
	if holders[0].Name == holders[1].Name || bytes.Equal(holders[0].Passphrase, holders[1].Passphrase) {
		return nil, errors.New("an escrow takes two people and two different passphrases")
	}
	text := escrowText{Version: 1, Agency: e.Agency, MadeAt: e.MadeAt, Files: e.files, Catalog: e.catalog}
	for _, p := range e.pairs {
		private, err := p.private.MarshalBinary()
		if err != nil {
			return nil, err
		}
		defer clear(private)
		text.Pairs = append(text.Pairs, escrowPair{p.Generation, private})
	}
	plain, err := json.Marshal(text)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	file := plain
	for i, magic := range []string{shareMagic, escrowMagic} {
		holder := holders[1-i] // the first one's is the outer one
		d := newDerivation()
		d.Holder = holder.Name
		if file, err = lock(magic, d, holder.Passphrase, file); err != nil {
			return nil, err
		}
	}
	if len(file) > maxEscrow {
		return nil, fmt.Errorf("the escrow has %d bytes, at most %d are read again", len(file), maxEscrow)
	}
	return file, nil
}

// EscrowHolder says whose passphrase opens an escrow first. The name is proven
// only by opening it.
func EscrowHolder(file []byte) (string, error) {
	d, _, _, err := readLocked(escrowMagic, file)
	if err != nil {
		return "", fmt.Errorf("reading an escrow: %w", err)
	}
	return d.Holder, nil
}

// OpenEscrow opens what Seal wrote; ask gives the passphrase of each holder in
// turn. It returns who the holders are.
func OpenEscrow(file []byte, ask func(holder string) ([]byte, error)) (e *Escrow, holders [2]string, err error) {
	if len(file) > maxEscrow {
		return nil, holders, fmt.Errorf("reading an escrow: it has %d bytes, at most %d are read", len(file), maxEscrow)
	}
	plain := file
	for i, magic := range []string{escrowMagic, shareMagic} {
		d, _, _, err := readLocked(magic, plain)
		if err != nil {
			return nil, holders, fmt.Errorf("reading an escrow: %w", err)
		}
		holders[i] = d.Holder
		passphrase, err := ask(d.Holder)
		if err != nil {
			return nil, holders, err
		}
		plain, err = unlock(magic, passphrase, plain)
		clear(passphrase)
		if err != nil {
			return nil, holders, fmt.Errorf("opening the escrow with the passphrase of %s: %w", d.Holder, err)
		}
	}
	defer clear(plain)
	if e, err = parseEscrow(plain); err != nil {
		return nil, holders, fmt.Errorf("reading an escrow: %w", err)
	}
	return e, holders, nil
}

func parseEscrow(plain []byte) (*Escrow, error) {
	var text escrowText
	decoder := json.NewDecoder(bytes.NewReader(plain))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&text); err != nil || decoder.More() {
		return nil, errors.New("what it holds cannot be read: it is of another version, or damaged")
	}
	if text.Version != 1 {
		return nil, fmt.Errorf("it is of version %d, this program reads version 1", text.Version)
	}
	e := &Escrow{Agency: text.Agency, MadeAt: text.MadeAt, files: text.Files, catalog: text.Catalog}
	for _, kept := range text.Pairs {
		if err := evidence.CheckName("agency", string(kept.Agency)); err != nil || kept.Number < firstGeneration || kept.Number > maxGeneration || CheckID(string(kept.ID)) != nil {
			return nil, errors.New("a key pair in it is of no agency or generation")
		}
		private, err := seal.ParsePrivateKey(kept.Private)
		if err != nil {
			return nil, err
		}
		clear(kept.Private)
		p, err := newPair(kept.Generation, private)
		if err != nil {
			return nil, err
		}
		e.pairs = append(e.pairs, p)
	}
	return e, e.check()
}

// Ring holds the escrow's keys in memory alone.
func (e *Escrow) Ring() *Ring {
	ring := &Ring{catalog: e.catalog}
	ring.take(e.pairs)
	return ring
}

// TakeBack writes key pairs of the escrow that the ring lacks, under its root key. ids
// are the ones that are wanted: what was retired on purpose is not to come back by
// chance. It returns those that it wrote.
func (r *Ring) TakeBack(e *Escrow, ids []ID) (back []Generation, err error) {
	if r.root == nil {
		return nil, errInMemory
	}
	here, err := r.present(e.Agency)
	if err != nil {
		return nil, err
	}
	for _, p := range e.pairs {
		same := func(q *pair) bool { return q.ID == p.ID }
		if p.Agency != e.Agency || !slices.Contains(ids, p.ID) || slices.ContainsFunc(here, same) {
			continue
		}
		if _, err := os.Lstat(filepath.Join(r.dir, p.name)); !errors.Is(err, fs.ErrNotExist) {
			return back, fmt.Errorf("taking back key %s: %s is there already and is not replaced", p.ID, p.name)
		}
		if err := p.write(r.dir, r.root); err != nil {
			return back, err
		}
		back = append(back, p.Generation)
	}
	return back, r.follow()
}

// Files returns the files beside the key pairs of one folder, "keys" or
// "authority", by name.
func (e *Escrow) Files(folder string) map[string][]byte {
	files := map[string][]byte{}
	for name, file := range e.files {
		if base, ok := strings.CutPrefix(name, folder+"/"); ok {
			files[base] = file
		}
	}
	return files
}

// Restore makes a key folder of the escrow, with a new root key: in clear, or
// under a passphrase if there is one. The folder must hold no root key.
func (e *Escrow) Restore(dir string, passphrase []byte) error {
	var d *derivation
	if passphrase != nil {
		if err := CheckPassphrase(passphrase); err != nil {
			return err
		}
		d = newDerivation()
	}
	for name, file := range e.Files("keys") {
		if err := writeNew(filepath.Join(dir, name), file); err != nil {
			return err
		}
	}
	_, err := build(dir, e.pairs, e.catalog, d, passphrase)
	return err
}
