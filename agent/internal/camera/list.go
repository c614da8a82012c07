package camera

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	ptp "github.com/sealdock/sealdock/proto/camera"
)

const (
	maxDepth    = 64
	maxStorages = 64
	maxWarnings = 1000
	maxRefused  = 500
)

// fingerprint is what a handle is recognised by.
type fingerprint struct {
	storage            uint32
	format             ptp.Format
	size               uint64
	sizeKnown          bool
	name               string // raw
	captured, modified string
}

// proof says that a handle had this fingerprint in that session.
type proof struct {
	generation int
	of         fingerprint
}

func (o *Object) fingerprint() fingerprint {
	return fingerprint{o.Storage, ptp.Format(o.Format), o.Size, o.SizeKnown, string(o.RawName), o.CapturedRaw, o.ModifiedRaw}
}

// isRefusal says whether the camera answered in good order, only not with OK.
func isRefusal(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused)
}

// walk is one listing.
type walk struct {
	l        *link
	names    *names
	objects  []Object
	warnings []Warning
	seen     map[uint32]bool
	folders  map[uint32]string // safe path of each folder by handle
	queue    []folder
	before   map[uint32]proof // what handles meant at the listing before
	refused  int              // handles in a row that could not be described
	full     bool
}

type folder struct {
	storage uint32
	handle  uint32
	path    string
	depth   int
}

// List implements Link. It walks each storage folder by folder, then asks for all
// objects at once to catch those that no folder lists.
func (l *link) List(ctx context.Context) ([]Object, []Warning, error) {
	if err := l.settle(ctx); err != nil {
		return nil, nil, err
	}
	data, _, err := l.s.ask(ctx, ptp.OpGetStorageIDs)
	if err != nil {
		return nil, nil, fmt.Errorf("listing the camera's storages: %w", err)
	}
	storages, err := ptp.ParseHandles(data)
	if err != nil {
		return nil, nil, fmt.Errorf("listing the camera's storages: %w: %w", ErrProtocol, err)
	}
	w := &walk{l: l, names: newNames(l.named), seen: map[uint32]bool{}, folders: map[uint32]string{}}
	w.warnOfOthers()
	if len(storages) == 0 {
		w.miss(0, "the camera shows no storage; it may be locked or have no card")
	}
	if len(storages) > maxStorages {
		w.miss(0, "the camera shows %d storages; the first %d are read", len(storages), maxStorages)
		storages = storages[:maxStorages]
	}
	w.before, l.proven = l.proven, map[uint32]proof{}
	done := map[uint32]bool{}
	for _, id := range storages {
		if done[id] {
			w.warn(0, "the camera lists storage 0x%08x twice", id)
			continue
		}
		root := ""
		if len(done) > 0 {
			root = fmt.Sprintf("storage-%08x", id)
		}
		done[id] = true
		if err := w.storage(ctx, id, root); err != nil {
			return nil, nil, fmt.Errorf("listing storage 0x%08x: %w", id, err)
		}
	}
	l.named = w.names.given
	return w.objects, w.warnings, nil
}

func (w *walk) warn(handle uint32, format string, args ...any) {
	w.note(Warning{Handle: handle, Message: fmt.Sprintf(format, args...)})
}

// miss warns of something that is not taken in.
func (w *walk) miss(handle uint32, format string, args ...any) {
	w.note(Warning{Handle: handle, Message: fmt.Sprintf(format, args...), Missing: true})
}

func (w *walk) note(warning Warning) {
	if len(w.warnings) < maxWarnings {
		w.warnings = append(w.warnings, warning)
	}
}

func (w *walk) storage(ctx context.Context, id uint32, root string) error {
	w.queue = append(w.queue[:0], folder{storage: id, handle: ptp.RootParent, path: root})
	for len(w.queue) > 0 && !w.full {
		f := w.queue[0]
		w.queue = w.queue[1:]
		handles, err := w.handles(ctx, f.storage, f.handle)
		if err != nil {
			return err
		}
		if err := w.all(ctx, handles, f, false); err != nil {
			return err
		}
	}
	if w.full {
		return nil
	}
	all, err := w.handles(ctx, id, ptp.AllObjects)
	if err != nil {
		return err
	}
	unseen := slices.DeleteFunc(all, func(h uint32) bool { return w.seen[h] })
	return w.all(ctx, unseen, folder{storage: id, path: path.Join(root, "unlisted")}, true)
}

// all visits the handles of one list, and gives it up after maxRefused in a row
// that stand for nothing, so that they do not keep the walk from other folders.
func (w *walk) all(ctx context.Context, handles []uint32, in folder, orphans bool) error {
	w.refused = 0
	for n, h := range handles {
		if err := w.visit(ctx, h, in, orphans); err != nil {
			return err
		}
		if w.refused == maxRefused {
			w.miss(in.handle, "%d handles in a row in %q stand for nothing; the last %d of this list are not asked for", maxRefused, in.path, len(handles)-n-1)
			return nil
		}
	}
	return nil
}

// handles lists a folder. A refusal is a warning: the rest may still be readable.
func (w *walk) handles(ctx context.Context, storage, parent uint32) ([]uint32, error) {
	data, _, err := w.l.s.ask(ctx, ptp.OpGetObjectHandles, storage, ptp.AllFormats, parent)
	if isRefusal(err) {
		if parent != ptp.AllObjects {
			w.miss(parent, "a folder could not be listed: %v", err)
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	handles, err := ptp.ParseHandles(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return handles, nil
}

// visit takes one handle from a folder's list, or from the list of all objects.
func (w *walk) visit(ctx context.Context, handle uint32, in folder, orphan bool) error {
	switch {
	case w.full:
		return nil
	case handle == 0 || handle == ptp.RootParent:
		w.warn(handle, "the camera lists the impossible handle 0x%08x", handle)
		return nil
	case w.seen[handle]:
		w.warn(handle, "the camera lists this object twice, the second time in %q", in.path)
		return nil
	case len(w.seen) >= w.l.options.MaxObjects:
		w.full = true
		w.warnings = w.warnings[:min(len(w.warnings), maxWarnings-1)] // this one is never left out
		w.miss(0, "the listing was ended after %d objects; the camera has more, which are NOT taken in", len(w.seen))
		return nil
	}
	w.seen[handle] = true
	info, err := w.l.objectInfo(ctx, handle)
	if isRefusal(err) || errors.Is(err, ptp.ErrMalformed) {
		w.miss(handle, "an object is listed but cannot be described, so it is NOT taken in: %v", err)
		w.refused++
		return nil
	}
	if err != nil {
		return err
	}
	w.refused = 0
	if known, ok := w.folders[info.Parent]; orphan && ok {
		in.path = known
	}
	full, changed := w.names.unique(in.path, info.Filename, handle)
	if changed {
		w.warn(handle, "its path is taken or too long; it is listed as %q", full)
	}
	if orphan {
		w.warn(handle, "no folder lists this object; it is taken in as %q", full)
	}
	if info.Format == ptp.FormatAssociation {
		w.enter(handle, full, in, orphan)
		return nil
	}
	return w.add(ctx, handle, full, info)
}

func (w *walk) enter(handle uint32, full string, in folder, orphan bool) {
	w.folders[handle] = full
	switch {
	case orphan: // its contents are in the list of all objects
	case in.depth >= maxDepth:
		w.warn(handle, "folders are nested deeper than %d; what is in this one is taken from the list of all objects", maxDepth)
	default:
		w.queue = append(w.queue, folder{storage: in.storage, handle: handle, path: full, depth: in.depth + 1})
	}
}

func (w *walk) add(ctx context.Context, handle uint32, full string, info ptp.ObjectInfo) error {
	object, warning, err := w.l.describe(ctx, handle, info, w.before[handle])
	if err != nil {
		return err
	}
	if warning != "" {
		w.warn(handle, "%s", warning)
	}
	object.Path = full
	object.Kind = kindOf(info.Format, full)
	w.objects = append(w.objects, object)
	w.l.proven[handle] = proof{w.l.s.generation, object.fingerprint()}
	return nil
}

func (l *link) objectInfo(ctx context.Context, handle uint32) (ptp.ObjectInfo, error) {
	data, _, err := l.s.ask(ctx, ptp.OpGetObjectInfo, handle)
	if err != nil {
		return ptp.ObjectInfo{}, fmt.Errorf("describing object 0x%08x: %w", handle, err)
	}
	info, err := ptp.ParseObjectInfo(data)
	if err != nil {
		return info, fmt.Errorf("describing object 0x%08x: %w: %w", handle, ErrProtocol, err)
	}
	return info, nil
}

// describe makes an Object, all but its path, and finds its true size. warning is
// empty when nothing was odd. before is what was last found of the handle: when it is
// the same now, its 64-bit size is not asked again, as it could differ by whole
// 4 GiB only.
func (l *link) describe(ctx context.Context, handle uint32, info ptp.ObjectInfo, before proof) (o Object, warning string, err error) {
	o = Object{
		Handle: handle, Storage: info.Storage, RawName: bytes.Clone(info.Filename.Bytes()), Format: uint16(info.Format),
		Size: uint64(info.CompressedSize), SizeKnown: info.CompressedSize != ptp.SizeIsUnknown,
		CapturedRaw: escape(info.CaptureDate, maxDate), ModifiedRaw: escape(info.ModificationDate, maxDate),
	}
	if o.SizeKnown && before == (proof{l.s.generation, o.fingerprint()}) {
		return o, "", nil
	}
	size, ok, err := l.sizeProperty(ctx, handle, info.Format)
	switch {
	case err != nil:
		return o, "", fmt.Errorf("asking for the size of object 0x%08x: %w", handle, err)
	case ok && o.SizeKnown && size != o.Size && uint32(size) != info.CompressedSize:
		o.SizeKnown = false
		warning = fmt.Sprintf("the camera gives two sizes, %d and %d bytes; it is read to its end", o.Size, size)
	case ok:
		o.Size, o.SizeKnown = size, true
	}
	if o.Size > 1<<63-1 {
		o.SizeKnown = false
		warning = fmt.Sprintf("its size of %d bytes is impossible; it is read to its end", o.Size)
	}
	if !o.SizeKnown {
		o.Size = 0
	}
	return o, warning, nil
}

// sizeProperty reads the 64-bit size, which ObjectInfo cannot hold (MTP 1.1 appendix B.2.4). It is asked
// for small objects too: some cameras put the low 32 bits into ObjectInfo.
func (l *link) sizeProperty(ctx context.Context, handle uint32, format ptp.Format) (size uint64, ok bool, err error) {
	if !l.info.Supports(ptp.OpGetObjectPropValue) || l.sizeless[format] {
		return 0, false, nil
	}
	data, _, err := l.s.ask(ctx, ptp.OpGetObjectPropValue, handle, uint32(ptp.ObjPropObjectSize))
	if isRefusal(err) {
		l.sizeless[format] = true
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	v, err := ptp.ParseValue(ptp.TypeUint64, data)
	if err != nil {
		return 0, false, nil
	}
	return v.Low, true, nil
}
