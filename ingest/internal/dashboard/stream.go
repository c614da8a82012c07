package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// maxRange is the most that one range of the player is answered with, in
// bytes; the player asks for the next when it needs it (RFC 9110 section 15.3.7
// lets a server answer with less). So no reading is held open by a paused
// player.
const maxRange = 8 << 20

// segmentTime is how long a reader may take for one segment.
const segmentTime = time.Minute

// play serves a video for the player: one range at a time, decrypted on the
// fly.
func (d *Dashboard) play(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "video", "audio", "empty":
	default: // never a document of its own
		d.problem(w, r, actor, http.StatusForbidden, "Not shown as a page", "Open the item’s page to play it, or download the original there.")
		return
	}
	id, err := evidence.ParseEvidenceID(r.PathValue("id"))
	if err != nil {
		d.fail(w, r, actor, catalog.ErrNotFound)
		return
	}
	done, ok := d.admitStream(w, r, actor)
	if !ok {
		return
	}
	defer done()
	footage, err := d.Reading.Play(r.Context(), actor, id)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	defer footage.Close()
	contentType := videoType(footage.Item.Path)
	if contentType == "" {
		d.problem(w, r, actor, http.StatusUnsupportedMediaType, "Not a video for browsers", "Download the original to open it elsewhere.")
		return
	}
	fileHeaders(w, contentType, footage.Item)
	d.serveRange(d.watched(w, r, auth.PlayItem, footage.Item), r, footage)
}

// original sends the whole recording as a file to keep, never as a page.
func (d *Dashboard) original(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	id, err := evidence.ParseEvidenceID(r.PathValue("id"))
	if err != nil {
		d.fail(w, r, actor, catalog.ErrNotFound)
		return
	}
	done, ok := d.admitStream(w, r, actor)
	if !ok {
		return
	}
	defer done()
	footage, err := d.Reading.Download(r.Context(), actor, id)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	defer footage.Close()
	fileHeaders(w, "application/octet-stream", footage.Item)
	w.Header().Set("Content-Length", strconv.FormatUint(footage.Length, 10))
	d.copyOut(d.watched(w, r, auth.DownloadItem, footage.Item), r, footage, 0, footage.Length)
}

// admitStream bounds the readings at once.
func (d *Dashboard) admitStream(w http.ResponseWriter, r *http.Request, actor *auth.Actor) (done func(), ok bool) {
	select {
	case d.streams <- struct{}{}:
		return func() { <-d.streams }, true
	default:
		w.Header().Set("Retry-After", "5")
		d.problem(w, r, actor, http.StatusServiceUnavailable, "Too many readers", "Too many recordings are being read at this moment. Try again in a few seconds.")
		return nil, false
	}
}

func fileHeaders(w http.ResponseWriter, contentType string, item *catalog.Item) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", attachment(baseName(item.Path)))
	h.Set("Content-Security-Policy", filePolicy)
	h.Set("ETag", `"`+item.SHA256.String()+`"`)
	h.Set("X-Content-SHA256", item.SHA256.String())
}

// serveRange answers RFC 9110 section 14 for one range.
func (d *Dashboard) serveRange(w http.ResponseWriter, r *http.Request, footage *reading.Footage) {
	h := w.Header()
	h.Set("Accept-Ranges", "bytes")
	asked := r.Header.Get("Range")
	if since := r.Header.Get("If-Range"); asked == "" || since != "" && since != h.Get("ETag") {
		h.Set("Content-Length", strconv.FormatUint(footage.Length, 10))
		d.copyOut(w, r, footage, 0, footage.Length)
		return
	}
	from, to, err := parseRange(asked, footage.Length)
	if err != nil {
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", footage.Length))
		for _, name := range []string{"Content-Disposition", "ETag", "X-Content-SHA256"} {
			h.Del(name)
		}
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		fmt.Fprintln(w, sentence(err))
		return
	}
	to = min(to, from+maxRange)
	h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, footage.Length))
	h.Set("Content-Length", strconv.FormatUint(to-from, 10))
	w.WriteHeader(http.StatusPartialContent)
	d.copyOut(w, r, footage, from, to)
}

// copyOut sends bytes from..to-1. A part that does not hold breaks the
// connection: the browser must not take what came for the whole.
func (d *Dashboard) copyOut(w http.ResponseWriter, r *http.Request, footage *reading.Footage, from, to uint64) {
	if r.Method == http.MethodHead {
		return
	}
	err := footage.Copy(r.Context(), &slowWriter{w, http.NewResponseController(w)}, from, to)
	if err == nil {
		return
	}
	if r.Context().Err() == nil && errors.Is(err, reading.ErrChanged) {
		d.Log.ErrorContext(r.Context(), "a reading was broken off", "error", err)
	}
	panic(http.ErrAbortHandler)
}

// slowWriter gives the reader segmentTime for each write.
type slowWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (s *slowWriter) Write(p []byte) (int, error) {
	if err := s.control.SetWriteDeadline(time.Now().Add(segmentTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return s.ResponseWriter.Write(p)
}

// parseRange reads a Range header of exactly one range of bytes and returns it
// as from..to-1 (RFC 9110 section 14.1.2). Several ranges, other units and
// ranges beyond the end are errors.
func parseRange(header string, length uint64) (from, to uint64, err error) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	switch {
	case !ok || !dash:
		return 0, 0, errors.New("this is no range of bytes")
	case strings.Contains(spec, ","):
		return 0, 0, errors.New("one range at a time is served")
	case first == "":
		n, err := parseOffset(last)
		if err != nil || n == 0 || length == 0 {
			return 0, 0, errors.New("this suffix has no byte")
		}
		return length - min(n, length), length, nil
	}
	if from, err = parseOffset(first); err != nil || from >= length {
		return 0, 0, errors.New("the range begins beyond the end")
	}
	if last == "" {
		return from, length, nil
	}
	if to, err = parseOffset(last); err != nil || to < from {
		return 0, 0, errors.New("the range ends before it begins")
	}
	return from, min(to, length-1) + 1, nil
}

// parseOffset reads decimal digits and nothing else.
func parseOffset(s string) (uint64, error) {
	if s == "" || len(s) > 19 || strings.Trim(s, "0123456789") != "" {
		return 0, errors.New("not an offset")
	}
	return strconv.ParseUint(s, 10, 64)
}
