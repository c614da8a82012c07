package sealedfile

/*
#cgo CFLAGS: -std=gnu99 -O2
#cgo linux LDFLAGS: -Wl,--unresolved-symbols=ignore-in-object-files
#cgo darwin LDFLAGS: -Wl,-undefined,dynamic_lookup
#include "abi.h"
*/
import "C"

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	_ "github.com/mattn/go-sqlite3" // SQLite itself, which the C of this package calls

	"github.com/sealdock/sealdock/internal/durable"
)

const (
	// KeySize is how long the secret is that a [Key] is made of.
	KeySize = 32

	pageSize = 4096
	magic    = "SQLite format 3\x00"
)

// Reasons for which a file does not open.
var (
	ErrClear = errors.New("it is not sealed")
	ErrKey   = errors.New("it does not open with this key: it is damaged, or another server's")
)

// Key seals and opens the files of one database. Safe for concurrent use.
type Key struct {
	database, wal sector
	fault         atomic.Pointer[error]
}

// NewKey derives the keys of database and WAL from a secret.
func NewKey(secret []byte) (*Key, error) {
	if len(secret) != KeySize {
		return nil, fmt.Errorf("the key of a sealed database has %d bytes, not %d", KeySize, len(secret))
	}
	k := &Key{}
	for label, to := range map[string]*sector{"sealdock/catalog/database/v1": &k.database, "sealdock/catalog/wal/v1": &k.wal} {
		material, err := hkdf.Key(sha256.New, secret, nil, label, 64)
		if err != nil {
			return nil, err
		}
		if *to, err = newSector(material); err != nil {
			return nil, err
		}
		clear(material)
	}
	return k, nil
}

// inUse are the keys that SQLite may ask for, by the number in a database's address.
var (
	inUse    sync.Map // uint32 → *Key
	lastUse  atomic.Uint32
	register = sync.OnceValue(func() error {
		if C.sealedfile_register() != C.SQLITE_OK {
			return errors.New("SQLite takes no file layer")
		}
		return nil
	})
)

// Use lets SQLite open files with the key, by the number that it returns, until the
// number is given to [Forget].
func (k *Key) Use() (id uint32, err error) {
	if err := register(); err != nil {
		return 0, err
	}
	id = lastUse.Add(1)
	inUse.Store(id, k)
	return id, nil
}

// Forget ends what Use began. No file may be open by the number any more.
func Forget(id uint32) { inUse.Delete(id) }

func used(id C.uint) *Key {
	k, _ := inUse.Load(uint32(id))
	key, _ := k.(*Key)
	return key
}

//export sealedfileKnown
func sealedfileKnown(id C.uint) C.int {
	if used(id) == nil {
		return 0
	}
	return 1
}

// sealedfileSeal seals n bytes of from into to.
//
//export sealedfileSeal
func sealedfileSeal(id C.uint, wal C.int, to, from unsafe.Pointer, n C.int, number C.longlong, head C.int) C.int {
	k := used(id)
	if k == nil {
		return 1
	}
	c, tweak := k.at(wal != 0, uint64(number), head != 0)
	c.seal(unsafe.Slice((*byte)(to), n), unsafe.Slice((*byte)(from), n), tweak)
	return 0
}

// sealedfileOpen opens n bytes where they are.
//
//export sealedfileOpen
func sealedfileOpen(id C.uint, wal C.int, text unsafe.Pointer, n C.int, number C.longlong, head C.int) C.int {
	k := used(id)
	if k == nil {
		return 1
	}
	k.open(wal != 0, unsafe.Slice((*byte)(text), n), uint64(number), head != 0)
	return 0
}

// at is the cipher of a place, and its number: in the WAL a frame has two.
func (k *Key) at(wal bool, number uint64, head bool) (sector, uint64) {
	switch {
	case !wal:
		return k.database, number
	case head:
		return k.wal, 2*number + 1
	default:
		return k.wal, 2 * number
	}
}

var hole [pageSize]byte // never written

// open opens text in its place. A page that was never written, within a file that was
// made longer, reads as zeros, as SQLite expects.
func (k *Key) open(wal bool, text []byte, number uint64, head bool) {
	if !wal && bytes.Equal(text, hole[:]) {
		return
	}
	c, tweak := k.at(wal, number, head)
	c.open(text, tweak)
}

// sealedfileJudge looks at the first block of a database of n bytes, which is the same in
// all of them, and keeps why it does not open.
//
//export sealedfileJudge
func sealedfileJudge(id C.uint, block unsafe.Pointer, n C.longlong) C.int {
	k := used(id)
	if k == nil {
		return 1
	}
	if err := k.judge(unsafe.Slice((*byte)(block), len(magic)), int64(n)); err != nil {
		k.fault.Store(&err)
		return 1
	}
	return 0
}

// judge opens the first block of a database of so many bytes, in its place.
func (k *Key) judge(block []byte, size int64) error {
	if size == 0 {
		return nil // to be made
	}
	if string(block[:len(magic)]) == magic {
		return ErrClear
	}
	k.database.open(block, 0)
	if size < pageSize || string(block[:len(magic)]) != magic {
		return ErrKey
	}
	return nil
}

// Fault is why a database was last refused: SQLite tells no more than that it was.
func (k *Key) Fault() error {
	if err := k.fault.Load(); err != nil {
		return *err
	}
	return nil
}

// Plain opens the pages in a database's file, or in its WAL, where they are: for who looks
// for what is left in them.
func (k *Key) Plain(file []byte, wal bool) {
	begin, length, head := 0, pageSize, 0
	if wal {
		begin, length, head = 32, 24+pageSize, 24
	}
	for number := 0; begin+(number+1)*length <= len(file); number++ {
		at := begin + number*length + head
		k.open(wal, file[at:at+pageSize], uint64(number), false)
	}
}

// ToWAL makes a database that nobody has open, and that has neither journal nor WAL, one
// that is written by a WAL: what VACUUM INTO makes is not, and what is would be changed
// by way of a rollback journal, which a sealed database has not. The caller syncs it.
func (k *Key) ToWAL(path string) (err error) {
	for _, beside := range []string{"-journal", "-wal"} {
		if _, err := os.Lstat(path + beside); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is in use: there is %s beside it", path, path+beside)
		}
	}
	f, err := durable.OpenFile(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	page := make([]byte, pageSize)
	if _, err := f.ReadAt(page, 0); err != nil {
		return err
	}
	if err := k.judge(bytes.Clone(page[:len(magic)]), pageSize); err != nil {
		return err
	}
	k.database.open(page, 0)
	page[18], page[19] = 2, 2 // the versions of file format to write and to read (sqlite.org/fileformat2.html)
	k.database.seal(page, page, 0)
	if _, err := f.WriteAt(page, 0); err != nil {
		return err
	}
	return f.Sync()
}
