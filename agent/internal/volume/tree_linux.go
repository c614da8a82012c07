package volume

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sealdock/sealdock/agent/internal/camera"
	ptp "github.com/sealdock/sealdock/proto/camera"
)

// Bounds of one listing.
const (
	maxDepth    = 64
	maxObjects  = 100_000 // folders included
	maxWarnings = 1000
	maxRawPath  = 4000 // bytes; the kernel opens no longer ones
	nameBatch   = 256
)

// file is one file of the last listing.
type file struct {
	place
	object camera.Object
}

// folder is one that is still to be listed.
type folder struct {
	raw, safe string
	depth     int
	group     *group // the system folder that it is in, if any
}

// group is a folder at the top that an operating system may have made.
type group struct {
	name    string
	known   *regexp.Regexp
	foreign bool // something in it is not known to be the system's
	files   []*file
}

// walk is one listing.
type walk struct {
	l        *link
	s        *storage
	names    *names
	files    []*file
	warnings []camera.Warning
	seen     map[uint64]string // path by inode, of this storage
	queue    []folder
	groups   []*group
	count    int
	full     bool
	failed   error // of the device, not of one folder
}

// List implements camera.Link.
func (l *link) List(ctx context.Context) ([]camera.Object, []camera.Warning, error) {
	type listing struct {
		objects  []camera.Object
		warnings []camera.Warning
	}
	got, err := run(ctx, l, func() (g listing, err error) {
		g.objects, g.warnings, err = l.list(ctx)
		return g, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("listing the card in bay %s: %w", l.port, err)
	}
	return got.objects, got.warnings, nil
}

func (l *link) list(ctx context.Context) ([]camera.Object, []camera.Warning, error) {
	if err := l.settle(); err != nil {
		return nil, nil, err
	}
	w := &walk{l: l, names: newNames(), warnings: append([]camera.Warning(nil), l.notes...)}
	for _, s := range l.storages {
		if err := w.storage(ctx, s); err != nil {
			return nil, nil, err
		}
	}
	clear(l.files)
	objects := make([]camera.Object, len(w.files))
	for i, f := range w.files {
		objects[i] = f.object
		l.files[f.object.Handle] = f
	}
	if err := l.readLists(w); err != nil {
		return nil, nil, err
	}
	if !l.present() {
		return nil, nil, l.goneError()
	}
	return objects, w.warnings, nil
}

func (w *walk) warn(missing bool, format string, args ...any) {
	if len(w.warnings) < maxWarnings {
		w.warnings = append(w.warnings, camera.Warning{Message: fmt.Sprintf(format, args...), Missing: missing})
	}
}

// storage lists one file system, folder by folder.
func (w *walk) storage(ctx context.Context, s *storage) error {
	w.s, w.seen, w.groups = s, map[uint64]string{}, nil
	w.queue = []folder{{safe: s.prefix}}
	for len(w.queue) > 0 && !w.full && w.failed == nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		f := w.queue[0]
		w.queue = w.queue[1:]
		w.folder(f)
	}
	for _, g := range w.groups {
		if !g.foreign && !w.full {
			w.warn(false, "the folder %q holds only what an operating system put there (%d files); it is not taken in", g.name, len(g.files))
			continue
		}
		w.files = append(w.files, g.files...)
	}
	return w.failed
}

// folder lists one folder. One that cannot be read is a warning, unless the device is gone.
func (w *walk) folder(in folder) {
	dir, err := w.s.openBeneath(in.raw, unix.O_DIRECTORY)
	if err != nil {
		w.unread(in, err)
		return
	}
	defer dir.Close() //nolint:errcheck // it was only read
	for !w.full {
		names, err := dir.Readdirnames(nameBatch)
		for _, name := range names {
			w.visit(int(dir.Fd()), name, in)
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			w.unread(in, err)
			return
		}
	}
}

// unread notes a folder that could not be read, or not to its end.
func (w *walk) unread(in folder, err error) {
	if err = w.l.judge(err); errors.Is(err, camera.ErrGone) {
		w.failed = err
		return
	}
	if in.group != nil {
		in.group.foreign = true
	}
	w.warn(true, "the folder %q could not be read to its end: %v", in.safe, err)
}

// visit takes one name of an open folder.
func (w *walk) visit(dir int, name string, in folder) {
	switch {
	case w.full:
		return
	case w.count >= maxObjects:
		w.full = true
		w.warnings = w.warnings[:min(len(w.warnings), maxWarnings-1)] // this one is never left out
		w.warn(true, "the listing was ended after %d files and folders; the card has more, which are NOT taken in", w.count)
		return
	}
	w.count++
	raw := path.Join(in.raw, name)
	safe, changed := w.names.unique(in.safe, name, raw)
	if changed {
		w.warn(false, "a path on the card is taken twice or too long; it is listed as %q", safe)
	}
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch kind := st.Mode & unix.S_IFMT; {
	case err != nil:
		w.unopened(safe, in, err)
	case len(raw) > maxRawPath:
		w.unopened(safe, in, errors.New("its path is too long"))
	case kind == unix.S_IFDIR && st.Dev == w.s.number:
		w.enter(folder{raw, safe, in.depth + 1, in.group}, name)
	case kind == unix.S_IFREG && st.Dev == w.s.number:
		w.add(&st, name, raw, safe, in)
	default:
		w.unopened(safe, in, errors.New("it is neither a file nor a folder of this card"))
	}
}

// unopened notes a name that is listed and cannot be had.
func (w *walk) unopened(safe string, in folder, err error) {
	if in.group != nil {
		in.group.foreign = true
	}
	w.warn(true, "%q is listed on the card and cannot be opened, so it is NOT taken in: %v", safe, err)
}

func (w *walk) enter(f folder, name string) {
	if f.depth > maxDepth {
		w.unopened(f.safe, f, fmt.Errorf("folders are nested deeper than %d", maxDepth))
		return
	}
	if known := clutter(name); known != nil && f.depth == 1 {
		f.group = &group{name: f.safe, known: known}
		w.groups = append(w.groups, f.group)
	}
	w.queue = append(w.queue, f)
}

// add takes a regular file in. Two names for one file are two entries of a damaged or
// hostile file system, of which the kernel opens the first only.
func (w *walk) add(st *unix.Stat_t, name, raw, safe string, in folder) {
	if twin, ok := w.seen[st.Ino]; ok {
		w.unopened(safe, in, fmt.Errorf("the kernel gives the same file for it as for %q", twin))
		return
	}
	w.seen[st.Ino] = safe
	at := stamp(st.Mtim)
	text := ptp.NewText(name)
	f := &file{place: place{w.s.id, raw}, object: camera.Object{
		Storage: w.s.id, Path: safe, RawName: text.Bytes(), Size: uint64(st.Size), SizeKnown: true,
		CapturedRaw: at, ModifiedRaw: at, Kind: camera.KindOf(name),
	}}
	if st.Size < 0 || uint64(st.Size) > w.s.capacity {
		f.object.Size, f.object.SizeKnown = 0, false
		w.warn(false, "%q is listed with %d bytes, more than the card has; it is read as far as it goes", safe, uint64(st.Size))
	}
	f.object.Handle = w.l.handle(f.place)
	if g := in.group; g != nil {
		inside := strings.ToLower(strings.TrimPrefix(raw, strings.SplitN(raw, "/", 2)[0]+"/"))
		g.foreign = g.foreign || st.Size > maxClutter || !g.known.MatchString(inside)
		g.files = append(g.files, f)
		return
	}
	w.files = append(w.files, f)
}

// handle numbers a file. It keeps its number for as long as the link is open.
func (l *link) handle(p place) uint32 {
	h, ok := l.handles[p]
	if !ok {
		h = uint32(len(l.handles) + 1)
		l.handles[p] = h
	}
	return h
}
