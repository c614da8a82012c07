package custody

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// Who comes while a run is going on shares the next one, and its outcome.
func TestRunsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f flush
		hold, broken := make(chan struct{}), errors.New("broken")
		runs := 0
		run := func() error {
			runs++
			<-hold
			if runs == 2 {
				return broken
			}
			return nil
		}
		var all sync.WaitGroup
		all.Go(func() {
			if err := f.do(run); err != nil {
				t.Errorf("the first: %v", err)
			}
		})
		synctest.Wait()
		for range 8 {
			all.Go(func() {
				if err := f.do(run); !errors.Is(err, broken) {
					t.Errorf("the shared one: %v", err)
				}
			})
		}
		synctest.Wait()
		if runs != 1 {
			t.Errorf("%d runs at a time", runs)
		}
		close(hold)
		all.Wait()
		if runs != 2 {
			t.Errorf("%d runs for 9 callers, want 2", runs)
		}
		if err := f.do(run); err != nil || runs != 3 {
			t.Errorf("a later one: %v after %d runs", err, runs)
		}
	})
}
