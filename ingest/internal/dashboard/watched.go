package dashboard

import (
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// watchedWriter sees while it writes that the person may still have what is sent: who
// is disabled, or loses a grant, gets no more than askEvery later.
type watchedWriter struct {
	http.ResponseWriter
	still func() error
	asked time.Time
}

// watched lets an answer about an item run only as long as its session may do that.
func (d *Dashboard) watched(w http.ResponseWriter, r *http.Request, do auth.Action, item *catalog.Item) http.ResponseWriter {
	token, origin := auth.Token(r), auth.OriginOf(r)
	return &watchedWriter{ResponseWriter: w, asked: time.Now(), still: func() error {
		actor, err := d.Auth.Peek(r.Context(), token, origin)
		if err == nil { // as the item is now: it may be out of the case that let the person see it
			_, err = auth.Find(r.Context(), &d.Cases.Catalog.Reader, actor, do, item.Agency, item.ID)
		}
		return err
	}}
}

// Write implements io.Writer. What may not be sent any more breaks the answer off.
func (w *watchedWriter) Write(p []byte) (int, error) {
	if time.Since(w.asked) >= askEvery {
		if err := w.still(); err != nil {
			return 0, err
		}
		w.asked = time.Now()
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find what it controls.
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
