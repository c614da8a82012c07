// Package eventstream writes server-sent events (WHATWG HTML section 9.2), and counts
// who holds a stream open.
//
// It promises that a reader who does not take what is written is cut off, and that one
// person cannot hold all streams. dashboard and api call it.
package eventstream

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// WriteTime is how long a reader may take for one write, unless Begin is told otherwise or
// a handler around the stream sets deadlines of its own.
const WriteTime = 10 * time.Second

// Stream is one answer. It belongs to one goroutine.
type Stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	patient time.Duration
}

// Begin sends the headers of a stream whose reader has so long for each write; 0 is
// WriteTime.
func Begin(w http.ResponseWriter, patient time.Duration) *Stream {
	if patient <= 0 {
		patient = WriteTime
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	return &Stream{w, http.NewResponseController(w), patient}
}

// Send sends one event. Neither id nor name may hold a line break; id "" leaves the
// reader's last one as it is.
func (s *Stream) Send(id, name, data string) error {
	var text strings.Builder
	if id != "" {
		fmt.Fprintf(&text, "id: %s\n", id)
	}
	fmt.Fprintf(&text, "event: %s\n", name)
	for line := range strings.SplitSeq(data, "\n") {
		fmt.Fprintf(&text, "data: %s\n", line)
	}
	text.WriteByte('\n')
	return s.write(text.String())
}

// Beat sends a comment, by which the reader and whatever is between sees that the stream
// stands.
func (s *Stream) Beat() error { return s.write(":\n\n") }

func (s *Stream) write(text string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.patient)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	if err := s.control.Flush(); err != nil {
		return err
	}
	if err := s.control.SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) { // over HTTP/2 it would end a stream that is silent
		return err
	}
	return nil
}

// Seats bounds how many streams are open, in all and of one person. Safe for concurrent
// use.
type Seats struct {
	all, each int

	mu    sync.Mutex // guards what follows
	taken int
	by    map[string]int
}

// NewSeats returns seats for so many streams.
func NewSeats(all, each int) *Seats { return &Seats{all: all, each: each, by: map[string]int{}} }

// The refusals of Take. Their texts are for people.
var (
	ErrFull = errors.New("too many streams are open on this server: try again in half a minute")
	ErrYour = errors.New("you hold too many streams open already: close one of them")
)

// Take takes a seat for a person until done is called, once. ErrFull, ErrYour.
func (s *Seats) Take(person string) (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.by[person] >= s.each:
		return nil, ErrYour
	case s.taken >= s.all:
		return nil, ErrFull
	}
	s.taken++
	s.by[person]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taken--
		if s.by[person]--; s.by[person] == 0 {
			delete(s.by, person)
		}
	}, nil
}
