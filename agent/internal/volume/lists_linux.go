package volume

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/internal/mhl"
)

// maxLists bounds the hash lists of one folder together, in bytes.
const maxLists = 64 << 20

// lists is what was read of one folder with hash lists.
type lists struct {
	of      string // names, sizes and times of its files, to see a change
	history mhl.History
	notes   []string
}

// readLists reads the hash lists that the listing has and that are new or changed.
// What is odd about them is a warning; an error means that the card is gone.
func (l *link) readLists(w *walk) error {
	folders := map[place][]*file{}
	for _, f := range w.files {
		dir := path.Dir(f.path)
		if path.Base(dir) == mhl.Folder && mhl.Wanted(path.Base(f.path)) {
			at := place{f.storage, dir}
			folders[at] = append(folders[at], f)
		}
	}
	for at := range l.lists {
		if folders[at] == nil {
			delete(l.lists, at)
		}
	}
	for at, files := range folders {
		var of strings.Builder
		for _, f := range files {
			fmt.Fprintf(&of, "%q %d %s\n", f.path, f.object.Size, f.object.ModifiedRaw)
		}
		if known := l.lists[at]; known == nil || known.of != of.String() {
			read, err := l.readFolder(files)
			if err != nil {
				return err
			}
			read.of = of.String()
			l.lists[at] = read
		}
		for _, note := range append(l.lists[at].notes, l.lists[at].history.Notes...) {
			w.warn(false, "the hash lists that came on the card: %s", note)
		}
	}
	l.absent(w)
	return nil
}

func (l *link) readFolder(files []*file) (*lists, error) {
	read := &lists{}
	var wanted []mhl.File
	total := uint64(0)
	for _, f := range files {
		if total += f.object.Size; len(wanted) > mhl.MaxGenerations || total > maxLists {
			read.notes = append(read.notes, "there are too many or too long lists; the rest is not used")
			break
		}
		data, err := l.readWhole(&f.object)
		if errors.Is(err, camera.ErrGone) {
			return nil, err
		}
		if err != nil {
			read.notes = append(read.notes, fmt.Sprintf("%s could not be read: %v", f.object.Path, err))
			continue
		}
		wanted = append(wanted, mhl.File{Name: path.Base(f.path), Data: data})
	}
	read.history = mhl.Combine(wanted)
	return read, nil
}

// readWhole reads a file of a known, bounded size.
func (l *link) readWhole(o *camera.Object) ([]byte, error) {
	if !o.SizeKnown || o.Size > mhl.MaxFile {
		return nil, fmt.Errorf("it has %d bytes, at most %d are read", o.Size, mhl.MaxFile)
	}
	data := make([]byte, 0, o.Size)
	for {
		n, err := l.readInto(o, int64(len(data)), window)
		data = append(data, l.buffer[:n]...)
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) > mhl.MaxFile {
			return nil, errors.New("it goes on behind its end")
		}
	}
}

// absent says how many files the lists name that are not on the card: it may have
// lost them, or they were erased when they were safe.
func (l *link) absent(w *walk) {
	if len(l.lists) == 0 {
		return
	}
	there := map[place]bool{}
	for _, f := range w.files {
		there[f.place] = true
	}
	missing, first := 0, ""
	for at, read := range l.lists {
		for name := range read.history.Hashes {
			full := path.Join(path.Dir(at.path), name)
			if !there[place{at.storage, full}] {
				missing++
				if first == "" || full < first {
					first = full
				}
			}
		}
	}
	if missing > 0 {
		w.warn(false, "the hash lists that came on the card name %d files that are not on it (one is %.200q)", missing, first)
	}
}

// Expected implements camera.Hashed.
func (l *link) Expected(object camera.Object) []camera.SourceHash {
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	default:
		return nil // an earlier question was given up and still runs
	}
	f := l.files[object.Handle]
	if f == nil {
		return nil
	}
	var all []camera.SourceHash
	for at, read := range l.lists {
		above := path.Dir(at.path)
		inside := f.path
		if above != "." {
			var ok bool
			if inside, ok = strings.CutPrefix(f.path, above+"/"); !ok {
				continue
			}
		}
		if at.storage != f.storage {
			continue
		}
		for _, h := range read.history.Hashes[inside] {
			all = append(all, camera.SourceHash{Algorithm: h.Algorithm, Value: h.Value, Origin: "ASC MHL on the card, " + h.Origin})
		}
	}
	return all
}
