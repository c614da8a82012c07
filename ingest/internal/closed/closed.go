package closed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// Limits bound one run.
type Limits struct {
	CPU    time.Duration // at least a second
	Wall   time.Duration
	Memory uint64 // address space in bytes
	Output uint64 // bytes of each file that it writes
}

// ErrLimit is wrapped when the program was stopped because it wanted more than it may.
var ErrLimit = errors.New("it wanted more time or memory than it may have")

// maxWords bounds what is kept of what the program says.
const maxWords = 4 << 10

// words keeps the end of what a program says on its standard error.
type words struct{ last []byte }

func (w *words) Write(p []byte) (int, error) {
	w.last = append(w.last, p...)
	if len(w.last) > maxWords {
		w.last = append(w.last[:0], w.last[len(w.last)-maxWords:]...)
	}
	return len(p), nil
}

func (w *words) String() string {
	return string(bytes.ToValidUTF8(bytes.TrimSpace(w.last), []byte("?")))
}

// Run runs a program to its end. files are its descriptors from 3 on. When it fails, the
// error tells its last words; ErrLimit where a limit ended it.
func Run(ctx context.Context, program string, args []string, files []*os.File, limits Limits) error {
	ctx, cancel := context.WithTimeout(ctx, limits.Wall)
	defer cancel()
	said := &words{}
	err := run(ctx, program, args, files, limits, said)
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded), limited(err):
		return fmt.Errorf("running %s: %w: %w: %s", program, ErrLimit, err, said)
	}
	return fmt.Errorf("running %s: %w: %s", program, err, said)
}
