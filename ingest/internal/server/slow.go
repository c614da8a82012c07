package server

import (
	"io"
	"net/http"
	"time"
)

// How long a client may take: for the body of a request in all, and for each
// part of an answer to be taken. Live pages and playing footage go on for as
// long as somebody reads.
const (
	bodyTime = 30 * time.Second
	takeTime = 60 * time.Second
)

// cutSlow ends requests whose client sends or reads too slowly to be one.
func cutSlow(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.Body != nil && r.Body != http.NoBody {
			control.SetReadDeadline(time.Now().Add(bodyTime)) // where it cannot be set, the connection's own limits hold
			r.Body = &timedBody{r.Body, control}
		}
		control.SetWriteDeadline(time.Time{})                                 // of the request before, on this connection
		defer func() { control.SetWriteDeadline(time.Now().Add(takeTime)) }() // for what is still to be sent
		next.ServeHTTP(&timedAnswer{w, control}, r)
	})
}

// timedBody takes the deadline away once the whole body is here: a handler may
// work longer than its client may send.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// timedAnswer gives each part of an answer its time.
type timedAnswer struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (a *timedAnswer) Write(p []byte) (int, error) {
	a.control.SetWriteDeadline(time.Now().Add(takeTime))
	defer a.control.SetWriteDeadline(time.Time{}) // between two parts it is the server that is slow
	return a.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (a *timedAnswer) Flush() {
	a.control.SetWriteDeadline(time.Now().Add(takeTime))
	defer a.control.SetWriteDeadline(time.Time{})
	a.control.Flush()
}

// Unwrap is for http.ResponseController.
func (a *timedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
