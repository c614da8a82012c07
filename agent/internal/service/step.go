package service

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// ErrNotRoot means that the system was to be changed without the right to.
var ErrNotRoot = errors.New("this changes the system and needs root: run it again with sudo, or as root; --dry-run shows what it would do")

// step is one thing to do to the system.
type step struct {
	what string                          // "make the user sealdock-agent"
	done func() (bool, error)            // whether that is so already
	do   func(ctx context.Context) error // does it
}

// perform does what is not done yet and writes a line for each step. A dry run
// only says what it would do.
func perform(ctx context.Context, out io.Writer, dry bool, steps []step) error {
	for _, s := range steps {
		done, err := s.done()
		if err != nil {
			return fmt.Errorf("to %s: %w", s.what, err)
		}
		mark := "done     "
		switch {
		case done:
			mark = "unchanged"
		case dry:
			mark = "would    "
		default:
			if err := s.do(ctx); err != nil {
				return fmt.Errorf("to %s: %w", s.what, err)
			}
		}
		if _, err := fmt.Fprintf(out, "%s  %s\n", mark, s.what); err != nil {
			return err
		}
	}
	return nil
}
