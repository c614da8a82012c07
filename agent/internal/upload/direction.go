package upload

import (
	"time"

	protocol "github.com/sealdock/sealdock/proto/upload"
)

// follow does what the server directs: the limit of all lanes, what goes first,
// and leaving this lane. The dock follows the last word, on whichever lane it came.
func (u *Uploader) follow(l *lane, d *protocol.Direction) {
	u.mu.Lock()
	changed := u.direction == nil || u.direction.GetLimited() != d.GetLimited() || u.direction.GetBytesPerSecond() != d.GetBytesPerSecond()
	u.direction = d
	u.ring()
	u.mu.Unlock()
	if changed {
		u.opt.Log.Info("the server limits what is sent", "limited", d.GetLimited(), "bytes_per_second", d.GetBytesPerSecond(), "why", d.GetLimitWhy())
	}
	u.lanes.SetSpread(time.Duration(d.GetBackWithinMs()) * time.Millisecond)
	u.lanes.SetLimit(d.GetLimited(), d.GetBytesPerSecond())
	select {
	case <-l.directed:
	default:
		close(l.directed)
	}
	if d.GetDraining() {
		u.opt.Log.Info("the server will stop, the dock comes back to it", "within", time.Duration(d.GetBackWithinMs())*time.Millisecond)
		u.say("The server is being restarted. Recordings are kept here and go on by themselves.")
		l.Leave(time.Duration(d.GetBackWithinMs()) * time.Millisecond)
	}
}

// Direction is how the server wants the dock to send; nil before its first
// word. It is not changed.
func (u *Uploader) Direction() *protocol.Direction {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.direction
}

// called returns a channel that is closed when lanes or directions change.
func (u *Uploader) called() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.call
}

// ring wakes the dispatcher. u.mu is held.
func (u *Uploader) ring() {
	close(u.call)
	u.call = make(chan struct{})
}
