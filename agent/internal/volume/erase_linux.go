package volume

import (
	"context"
	"errors"
	"fmt"
	"path"

	"golang.org/x/sys/unix"

	"github.com/sealdock/sealdock/agent/internal/camera"
	ptp "github.com/sealdock/sealdock/proto/camera"
)

// Delete implements camera.Link. It erases only the file that this link has read,
// or, when it read none under this handle, the one that was listed. What was erased is
// on the card when the next call of another kind returns without an error.
func (l *link) Delete(ctx context.Context, object camera.Object) error {
	if _, err := run(ctx, l, func() (struct{}, error) { return struct{}{}, l.erase(&object) }); err != nil {
		return fmt.Errorf("deleting %s from the card: %w", object.Path, err)
	}
	return nil
}

func (l *link) erase(o *camera.Object) error {
	f := l.files[o.Handle]
	if f == nil {
		return fmt.Errorf("%w: it is not in the last listing", camera.ErrChanged)
	}
	h, err := l.open(o, false)
	if err != nil {
		return err
	}
	if err := h.unchanged(); err != nil {
		return err
	}
	s, err := l.storage(f.storage)
	if err != nil {
		return err
	}
	if !s.writing {
		if err := s.medium.writable(); err != nil {
			return l.refused(err)
		}
		s.writing = true
	}
	dir, err := s.openBeneath(path.Dir(f.path), unix.O_DIRECTORY)
	if err != nil {
		return l.refused(err)
	}
	defer dir.Close() //nolint:errcheck // it was only looked into
	var now unix.Stat_t
	name := path.Base(f.path)
	if err := unix.Fstatat(int(dir.Fd()), name, &now, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return l.refused(err)
	}
	if now.Ino != h.opened.Ino || now.Dev != h.opened.Dev {
		return fmt.Errorf("%w: another file has its name now", camera.ErrChanged)
	}
	if err := unix.Unlinkat(int(dir.Fd()), name, 0); err != nil {
		return l.refused(err)
	}
	l.drop(o.Handle)
	return nil
}

// refused makes what stands against an erasure the camera's orderly refusal, unless
// the camera is gone.
func (l *link) refused(err error) error {
	if err = l.judge(err); errors.Is(err, camera.ErrGone) || errors.Is(err, camera.ErrChanged) {
		return err
	}
	return fmt.Errorf("%w: %w", err, &camera.RefusedError{Operation: ptp.OpDeleteObject, Code: ptp.RespStoreReadOnly})
}
