package keys

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sealdock/sealdock/internal/durable"
)

const (
	rootName  = "root.key"
	rootSize  = 32
	rootMagic = "sealdock/root-key/v2\n"
	maxFile   = 4 << 10
)

// Protection says what guards the root key.
type Protection string

// The protections of a root key.
const (
	None       Protection = "none"       // the file holds it in clear, mode 0600
	Passphrase Protection = "passphrase" // the file opens with a passphrase
	PKCS11     Protection = "pkcs11"     // the file opens in an HSM
	Transit    Protection = "transit"    // the file opens in the transit engine of OpenBao or Vault
)

// ErrLocked is wrapped when the root key is guarded and no secret was given.
var ErrLocked = errors.New("the root key is under a passphrase, in an HSM or under a key of a transit service")

// Ask gives the passphrase of the root key, the PIN of the HSM or the token of the
// transit service. It is called only where there is one.
type Ask func() ([]byte, error)

// Guard is what opens a root key. Both may be nil.
type Guard struct {
	Ask     Ask
	Keepers map[Protection]Keeper
}

// Target is under what a root key is put.
type Target struct {
	Protection Protection
	Secret     []byte // Passphrase: the new one; under a keeper: its PIN or token
	FIPS       bool   // Passphrase: stretched as FIPS 140-3 allows, in whichever mode this program runs
	Keeper     Keeper // who has the key, where one has
	Key        string // its name there; it is made unless it is there
}

// root encrypts the secrets that lie in the key folder. A secret opens only for
// the purpose and the context that it was wrapped for. Safe for concurrent use.
type root interface {
	wrap(purpose string, context, secret []byte) ([]byte, error)
	unwrap(purpose string, context, wrapped []byte) ([]byte, error)
}

// localRoot is a root key in this process's memory: AES-256-GCM with a random
// nonce before the ciphertext.
type localRoot struct{ key [rootSize]byte }

func newLocalRoot() *localRoot {
	r := &localRoot{}
	rand.Read(r.key[:]) // never fails: crypto/rand ends the program instead
	return r
}

func (r *localRoot) wrap(purpose string, context, secret []byte) ([]byte, error) {
	aead, err := newCipher(r.key[:])
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, secret, bind(purpose, context)), nil
}

func (r *localRoot) unwrap(purpose string, context, wrapped []byte) ([]byte, error) {
	aead, err := newCipher(r.key[:])
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, nil, wrapped, bind(purpose, context))
}

// bind is the associated data: purpose, length of the context in 4 bytes, context.
func bind(purpose string, context []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte(purpose), uint32(len(context)))
	return append(b, context...)
}

// encode is the root key as a file, in clear without a derivation.
func (r *localRoot) encode(d *derivation, passphrase []byte) ([]byte, error) {
	if d == nil {
		return bytes.Clone(r.key[:]), nil
	}
	return lock(rootMagic, d, passphrase, r.key[:])
}

// ProtectionOf says what guards the root key of a key folder.
func ProtectionOf(dir string) (Protection, error) {
	text, err := readRootFile(filepath.Join(dir, rootName))
	if err != nil {
		return "", err
	}
	return protectionOf(text), nil
}

func protectionOf(file []byte) Protection {
	if bytes.HasPrefix(file, []byte(rootMagic)) {
		return Passphrase
	}
	for protection, magic := range keeperMagic {
		if bytes.HasPrefix(file, []byte(magic)) {
			return protection
		}
	}
	return None
}

// openRoot reads the root key of a folder.
func openRoot(dir string, guard Guard) (*localRoot, error) {
	path := filepath.Join(dir, rootName)
	text, err := readRootFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	plain := text
	if protection := protectionOf(text); protection != None {
		if guard.Ask == nil {
			return nil, fmt.Errorf("reading the root key: %s: %w", path, ErrLocked)
		}
		secret, err := guard.Ask()
		if err != nil {
			return nil, fmt.Errorf("reading the root key: %s: %w: %w", path, ErrLocked, err)
		}
		defer clear(secret)
		if protection == Passphrase {
			plain, err = unlock(rootMagic, secret, text)
		} else {
			plain, err = unwrapByKeeper(guard.Keepers[protection], protection, secret, text)
		}
		if err != nil {
			return nil, fmt.Errorf("opening the root key: %s: %w", path, err)
		}
		defer clear(plain)
	}
	if len(plain) != rootSize {
		return nil, fmt.Errorf("reading the root key: %s has %d bytes, want %d, or a root key under a passphrase: restore it from your backup", path, len(plain), rootSize)
	}
	return &localRoot{key: [rootSize]byte(plain)}, nil
}

func readRootFile(path string) ([]byte, error) {
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
	text, err := readSmall(path)
	if err != nil {
		return nil, fmt.Errorf("reading the root key: %w", err)
	}
	return text, nil
}

// readSmall reads a file of at most maxFile bytes.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read", path, info.Size(), maxFile)
	}
	return os.ReadFile(path)
}

// Protect puts the root key of a folder under a passphrase, or another one, under a
// keeper's key, or the newest version of it, or with None in clear. It opens with the
// former one; nothing else in the folder changes, and a running server goes on.
func Protect(dir string, former Guard, to Target) error {
	r, err := openRoot(dir, former)
	if err != nil {
		return err
	}
	defer clear(r.key[:])
	var file []byte
	switch {
	case to.Protection == None:
		file = bytes.Clone(r.key[:])
	case to.Protection == Passphrase:
		if err := CheckPassphrase(to.Secret); err != nil {
			return err
		}
		d := newDerivation()
		if to.FIPS {
			d = &derivation{KDF: PBKDF2, Rounds: pbkdfRounds, Salt: d.Salt}
		}
		file, err = r.encode(d, to.Secret)
	case to.Protection.Kept():
		file, err = r.wrapByKeeper(&to)
	default:
		err = fmt.Errorf("%q is no protection", to.Protection)
	}
	if err != nil {
		return fmt.Errorf("encrypting the root key: %w", err)
	}
	defer clear(file)
	return replaceRoot(filepath.Join(dir, rootName), file, durable.WriteFile)
}

// replaceRoot replaces the root key's file, atomically, and only when the new one
// is durable overwrites the bytes of the former, which has no name any more: one
// in clear would stay readable in the free space of the disk. write is
// durable.WriteFile.
func replaceRoot(path string, file []byte, write func(string, []byte, fs.FileMode) error) error {
	if runtime.GOOS == "windows" { // where an open file cannot be replaced
		return write(path, file, 0o600)
	}
	former, err := durable.OpenFile(path)
	if err != nil {
		return fmt.Errorf("replacing the root key: %w", err)
	}
	if err := write(path, file, 0o600); err != nil {
		return errors.Join(fmt.Errorf("writing the root key: %w", err), former.Close())
	}
	if err := errors.Join(overwrite(former), former.Close()); err != nil {
		return fmt.Errorf("the root key was replaced, but the former one may still be read from the disk: %w", err)
	}
	return nil
}

// overwrite puts zero bytes in the place of a small file's.
func overwrite(f *durable.File) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(make([]byte, min(size, maxFile)), 0); err != nil {
		return err
	}
	return f.Sync()
}

// writeNew writes a secret file where there is none.
func writeNew(path string, data []byte) error {
	if err := durable.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already and is not replaced", path)
	}
	return durable.WriteFile(path, data, 0o600)
}
