package export

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// sendTime is how long a reader may take for one write.
const sendTime = time.Minute

// Serve answers a request with the package and closes it. After an error the
// connection must be broken off: what was sent is no package.
func (p *Package) Serve(w http.ResponseWriter, r *http.Request) error {
	defer p.Close()
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="`+p.Name()+`"`)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Length", strconv.FormatUint(p.Size, 10))
	return p.WriteTo(r.Context(), &patient{w, http.NewResponseController(w)})
}

// patient gives the reader sendTime for each write.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (s *patient) Write(b []byte) (int, error) {
	if err := s.control.SetWriteDeadline(time.Now().Add(sendTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return s.ResponseWriter.Write(b)
}
