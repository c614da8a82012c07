package wire

import (
	"sync"
	"time"
)

// deadline is a time after which a channel is closed.
type deadline struct {
	mu    sync.Mutex // guards all below
	timer *time.Timer
	late  chan struct{} // made when it is first needed
	set   int           // which setting holds
}

// at sets the time; the zero time is never.
func (d *deadline) at(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.set++
	if d.late == nil || closed(d.late) {
		d.late = make(chan struct{})
	}
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		close(d.late)
		return
	}
	setting := d.set
	d.timer = time.AfterFunc(left, func() { d.pass(setting) })
}

// pass is called when the time of a setting has come.
func (d *deadline) pass(setting int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.set == setting {
		close(d.late)
	}
}

// passed is closed when the time has come.
func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.late == nil {
		d.late = make(chan struct{})
	}
	return d.late
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
