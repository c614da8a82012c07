package drive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/proto/evidence"
)

// maxFolders is how many docks' folders one drive may hold.
const maxFolders = 1000

// maxNames is how many names of one folder are looked at.
const maxNames = 1 << 20

// ErrUnfinished is wrapped when a dock's folder has no index yet.
var ErrUnfinished = errors.New("the export to this drive was not finished: run sealdock-agent export-spool at the dock once more, it goes on where it was")

// Folder is one dock's folder on a drive. Safe for concurrent use.
type Folder struct {
	path string
	root *os.Root
}

// Open opens the folders of all docks on a drive. dir may also be one dock's
// folder itself.
func Open(dir string) ([]*Folder, error) {
	names := []string{"."}
	if !strings.HasPrefix(filepath.Base(dir), prefix) {
		var err error
		if names, err = dockFolders(dir); err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("nothing that a dock has exported is in %s: name the folder that sealdock-agent export-spool was given", dir)
	}
	var all []*Folder
	for _, name := range names {
		f, err := openFolder(filepath.Join(dir, name))
		if err != nil {
			for _, opened := range all {
				opened.Close()
			}
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

func dockFolders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, Explain(err, dir)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		if !e.IsDir() {
			return nil, fmt.Errorf("%s in %s is not a folder of its own: this drive is not as a dock leaves it", e.Name(), dir)
		}
		if names = append(names, e.Name()); len(names) > maxFolders {
			return nil, fmt.Errorf("%s holds the folders of more than %d docks", dir, maxFolders)
		}
	}
	return names, nil
}

func openFolder(path string) (*Folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, Explain(err, path)
	}
	return &Folder{path: path, root: root}, nil
}

// Make opens a dock's folder for writing, and makes what is missing of it.
func Make(dir string, agency evidence.AgencyID, dock evidence.DockID) (*Folder, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, Explain(err, dir)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder: name the folder where the drive is mounted", dir)
	}
	path := filepath.Join(dir, Name(agency, dock))
	for _, folder := range []string{".", Pages, Recordings, Statements, Receipts} {
		folder = filepath.Join(path, folder)
		if err := durable.MkdirAll(folder, 0o755); err != nil {
			return nil, Explain(err, dir)
		}
		if info, err := os.Lstat(folder); err != nil || !info.IsDir() {
			return nil, errors.Join(fmt.Errorf("%s is not a folder of its own: this drive is not as a dock leaves it", folder), err)
		}
	}
	return openFolder(path)
}

// Close releases the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Path is where the folder is.
func (f *Folder) Path() string { return f.path }

// Lock keeps other programs from writing here until release is called.
func (f *Folder) Lock() (release func() error, err error) {
	release, err = durable.LockDir(f.path)
	if errors.Is(err, durable.ErrLocked) {
		return nil, fmt.Errorf("another program works with %s: wait for it: %w", f.path, err)
	}
	return release, Explain(err, f.path)
}

// OpenFile opens an ordinary file of exactly size bytes; size below 0 stands for
// any.
func (f *Folder) OpenFile(name string, size int64) (*os.File, error) {
	info, err := f.root.Lstat(name)
	if err != nil {
		return nil, Explain(err, f.path)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s on the drive is not an ordinary file", name)
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, Explain(err, f.path)
	}
	now, err := file.Stat()
	switch {
	case err != nil:
	case !now.Mode().IsRegular() || !os.SameFile(info, now):
		err = fmt.Errorf("%s on the drive changed while it was opened", name)
	case size >= 0 && now.Size() != size:
		err = fmt.Errorf("%s on the drive has %d bytes, and should have %d", name, now.Size(), size)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Read reads an ordinary file of at most limit bytes.
func (f *Folder) Read(name string, limit int64) ([]byte, error) {
	file, err := f.OpenFile(name, -1)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, Explain(err, f.path)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s on the drive is longer than the %d bytes that are read of it", name, limit)
	}
	return data, nil
}

// Names returns the names in one of the folders.
func (f *Folder) Names(folder string) ([]string, error) {
	open, err := f.root.Open(folder)
	if err != nil {
		return nil, Explain(err, f.path)
	}
	defer open.Close()
	names, err := open.Readdirnames(maxNames)
	if err != nil && err != io.EOF {
		return nil, Explain(err, f.path)
	}
	return names, nil
}

// Put makes a file with that text durable under its name, unless it is there
// already. Nothing is written through a link.
func (f *Folder) Put(name string, data []byte) (written bool, err error) {
	if have, err := f.Read(name, int64(len(data))); err == nil && string(have) == string(data) {
		return false, nil
	}
	if info, err := f.root.Lstat(filepath.Dir(name)); err != nil || !info.IsDir() {
		return false, errors.Join(fmt.Errorf("%s is not a folder of its own: this drive is not as a dock leaves it", filepath.Join(f.path, filepath.Dir(name))), err)
	}
	return true, Explain(durable.WriteFile(filepath.Join(f.path, name), data, 0o644), f.path)
}

// Remove removes a file; that it is missing is no error.
func (f *Folder) Remove(name string) error {
	err := f.root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return Explain(err, f.path)
}

// Carriage returns the index as it lies there, its signature not verified.
func (f *Folder) Carriage() (*evidence.Envelope, error) {
	raw, err := f.Read(Index, evidence.MaxEnvelope)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", f.path, ErrUnfinished)
	}
	if err != nil {
		return nil, err
	}
	return evidence.ParseEnvelope(raw)
}

// Page reads a page of the index and compares its hash.
func (f *Folder) Page(part evidence.CarriagePart) (*evidence.CarriagePage, error) {
	raw, err := f.Read(Page(part.SHA256), int64(part.Bytes))
	if err != nil {
		return nil, err
	}
	if evidence.SHA256(raw) != part.SHA256 {
		return nil, fmt.Errorf("page %s of the index is damaged: export to this drive once more", part.SHA256)
	}
	page := new(evidence.CarriagePage)
	return page, evidence.Decode(raw, page)
}

// Explain says in plain words what the usual troubles of a drive are. nil stays
// nil.
func Explain(err error, where string) error {
	if err == nil {
		return nil
	}
	for cause, said := range map[error]string{
		syscall.EROFS:    "the drive is read-only: mount it for writing, or move the switch on it",
		syscall.ENOTDIR:  "it is not a folder: name the folder where the drive is mounted",
		fs.ErrPermission: "this user may not write there: mount the drive for this user, or run the command as root",
		syscall.EFBIG:    "the drive's file system takes no file that long",
		syscall.EIO:      pulled, syscall.ENODEV: pulled, syscall.ENXIO: pulled, syscall.ESTALE: pulled,
	} {
		if errors.Is(err, cause) {
			return fmt.Errorf("%s: %s: %w", where, said, err)
		}
	}
	if durable.IsFull(err) {
		return fmt.Errorf("%s: the drive is full: %w", where, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := os.Stat(where); gone != nil {
			return fmt.Errorf("%s: %s: %w", where, pulled, err)
		}
	}
	return err
}

const pulled = "the drive does not answer, was it pulled? Plug it in, mount it, and run the same command again: it goes on where it was"
