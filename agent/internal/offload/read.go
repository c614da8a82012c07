package offload

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

// buffersPerBay bounds the windows between the stages of one reading.
const buffersPerBay = 6

// errTooLong ends the reading of a recording that is longer than any may be.
var errTooLong = fmt.Errorf("the camera delivers more than %d GiB for one recording", evidence.MaxLength>>30)

// window is one leaf's worth of a recording, on its way through the stages.
type window struct {
	data  []byte // of capacity evidence.LeafSize
	index uint64
	last  bool
}

// reading is what one pass over a recording gave.
type reading struct {
	length uint64
	sha256 evidence.Digest // zero where the pass did not take it
	leaves []evidence.Digest
}

func (r *reading) same(other *reading) bool {
	return r.length == other.length && slices.Equal(r.leaves, other.leaves)
}

// difference names the first place where two readings differ.
func (r *reading) difference(other *reading) string {
	for i := range min(len(r.leaves), len(other.leaves)) {
		if r.leaves[i] != other.leaves[i] {
			return fmt.Sprintf("they differ within the MiB at byte %d", i*evidence.LeafSize)
		}
	}
	return fmt.Sprintf("one has %d bytes, the other %d", r.length, other.length)
}

// reader reads one object from its start until the camera says that it ended,
// whatever size the camera listed.
type reader struct {
	link     camera.Link
	object   camera.Object
	timeout  time.Duration
	progress func(bytes int)
}

// run sends the object's windows in order, the last one marked, taking buffers
// from free and giving them to out, which it closes.
func (r *reader) run(ctx context.Context, free chan *window, out chan<- *window) error {
	defer close(out)
	var held *window // read, not yet known whether it is the last
	for index := uint64(0); ; index++ {
		w, err := receive(ctx, free)
		if err != nil {
			return err
		}
		offset := index * evidence.LeafSize
		n, err := r.window(ctx, int64(offset), w.data[:evidence.LeafSize])
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			free <- w
			if held != nil {
				free <- held
			}
			return fmt.Errorf("after %d bytes: %w", offset+uint64(n), err)
		}
		if offset+uint64(n) > evidence.MaxLength {
			return errTooLong
		}
		w.data, w.index, w.last = w.data[:n], index, false
		if end && n == 0 && held != nil {
			free <- w
			held.last = true
			return send(ctx, out, held)
		}
		if held != nil {
			if err := send(ctx, out, held); err != nil {
				return err
			}
		}
		if end {
			w.last = true
			return send(ctx, out, w)
		}
		held = w
	}
}

// window reads one window, and gives up when the camera takes too long.
func (r *reader) window(ctx context.Context, offset int64, p []byte) (int, error) {
	limited, cancel := context.WithTimeoutCause(ctx, r.timeout, camera.ErrTimeout)
	defer cancel()
	n, err := r.link.ReadAt(limited, r.object, offset, p)
	switch {
	case n < 0 || n > len(p):
		return 0, fmt.Errorf("%w: %d bytes came for %d", camera.ErrProtocol, n, len(p))
	case n == 0 && err == nil, n < len(p) && err == nil:
		err = io.EOF
	case err != nil && ctx.Err() == nil && limited.Err() != nil && !errors.Is(err, io.EOF):
		err = fmt.Errorf("no answer within %v: %w", r.timeout, camera.ErrTimeout)
	}
	r.progress(n)
	return n, err
}

// pass reads an object once. Whole asks for the SHA-256 of the whole besides
// the leaves. each, when given, sees every window in order, in a stage of its own.
func (d *Docking) pass(ctx context.Context, object camera.Object, whole bool, each func(*window) error) (*reading, error) {
	if object.SizeKnown && object.Size < evidence.LeafSize {
		if result, err := d.shortPass(ctx, object, whole, each); result != nil || err != nil {
			return result, err
		}
	}
	var result reading
	group, ctx := errgroup.WithContext(ctx)
	read, hashed := make(chan *window, 1), make(chan *window, 1)
	free := d.windows()
	r := reader{link: d.link, object: object, timeout: d.desk.opt.ReadTimeout, progress: d.progress}
	group.Go(func() error { return r.run(ctx, free, read) })
	group.Go(func() error {
		defer close(hashed)
		sum := sha256.New()
		for w := range read {
			if whole {
				sum.Write(w.data)
			}
			result.length += uint64(len(w.data))
			if err := send(ctx, hashed, w); err != nil {
				return err
			}
		}
		if whole {
			sum.Sum(result.sha256[:0])
		}
		return nil
	})
	group.Go(func() error {
		for w := range hashed {
			result.leaves = append(result.leaves, evidence.LeafHash(w.data))
			if each != nil {
				if err := each(w); err != nil {
					return err
				}
			}
			free <- w
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return &result, nil
}

// shortPass is pass for a recording of one window, without stages. It gives
// nothing when there turns out to be more.
func (d *Docking) shortPass(ctx context.Context, object camera.Object, whole bool, each func(*window) error) (*reading, error) {
	w := <-d.windows()
	r := reader{link: d.link, object: object, timeout: d.desk.opt.ReadTimeout, progress: d.progress}
	n, err := r.window(ctx, 0, w.data[:evidence.LeafSize])
	switch {
	case err == nil:
		return nil, nil
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("after %d bytes: %w", n, err)
	}
	w.data, w.last = w.data[:n], true
	result := &reading{length: uint64(n), leaves: []evidence.Digest{evidence.LeafHash(w.data)}}
	if whole {
		result.sha256 = sha256.Sum256(w.data)
	}
	if each == nil {
		return result, nil
	}
	return result, each(w)
}

// windows gives a fresh set of buffers to a pass: one that ended early may have
// left some of the old set between its stages.
func (d *Docking) windows() chan *window {
	free := make(chan *window, buffersPerBay)
	for i := range buffersPerBay {
		if d.buffers[i] == nil {
			d.buffers[i] = make([]byte, 0, evidence.LeafSize)
		}
		free <- &window{data: d.buffers[i]}
	}
	return free
}

func send(ctx context.Context, out chan<- *window, w *window) error {
	select {
	case out <- w:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func receive(ctx context.Context, in <-chan *window) (*window, error) {
	select {
	case w := <-in:
		return w, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
