package custody

import "sync"

// flush lets callers share what they all wait for: who comes while one run is
// going on waits for the next one, together with all others who do. So a run
// covers what each of its callers did before it came. The zero value is ready.
type flush struct {
	mu      sync.Mutex // guards what follows
	running *flushing  // the run that is going on, or the last one
	next    *flushing  // not begun yet: who comes now joins it
}

// flushing is one run and those who wait for it.
type flushing struct {
	done chan struct{} // closed at the end; then err is set
	err  error
}

// do runs run, or waits for a run that begins after the call.
func (f *flush) do(run func() error) error {
	f.mu.Lock()
	if mine := f.next; mine != nil {
		f.mu.Unlock()
		<-mine.done
		return mine.err
	}
	mine, before := &flushing{done: make(chan struct{})}, f.running
	f.next = mine
	f.mu.Unlock()
	if before != nil {
		<-before.done
	}
	f.mu.Lock()
	f.running, f.next = mine, nil // who comes from here on may have done what this run does not see
	f.mu.Unlock()
	mine.err = run()
	close(mine.done)
	return mine.err
}
