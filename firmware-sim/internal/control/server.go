package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	maxBody        = 64 << 10
	headerTimeout  = 10 * time.Second
	closingTimeout = 2 * time.Second
)

// Handler serves the control interface of a simulator.
func Handler(s *simulator.Simulator, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	act := func(pattern string, do func(r *http.Request, bay string) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			result, err := do(r, r.PathValue("bay"))
			if err != nil {
				log.Warn("remote control refused", "request", r.Method+" "+r.URL.Path, "error", err)
				reply(w, status(err), failure{err.Error()})
				return
			}
			reply(w, http.StatusOK, result)
		})
	}
	act("GET /bays", func(*http.Request, string) (any, error) { return s.List(), nil })
	act("POST /bays/{bay}/plug", func(_ *http.Request, bay string) (any, error) { return struct{}{}, s.Plug(bay) })
	act("POST /bays/{bay}/unplug", func(_ *http.Request, bay string) (any, error) { return struct{}{}, s.Unplug(bay) })
	act("POST /bays/{bay}/record", func(r *http.Request, bay string) (any, error) { return s.Record(r.Context(), bay) })
	act("POST /bays/{bay}/remove", func(r *http.Request, bay string) (any, error) {
		var what removal
		if err := read(r, &what); err != nil {
			return nil, err
		}
		return struct{}{}, s.Remove(bay, what.Path)
	})
	act("POST /bays/{bay}/restart", func(_ *http.Request, bay string) (any, error) { return struct{}{}, s.Restart(bay) })
	act("POST /bays/{bay}/urgent", func(r *http.Request, bay string) (any, error) {
		var what mark
		if err := read(r, &what); err != nil {
			return nil, err
		}
		return struct{}{}, s.Urgent(bay, what.Path, what.Urgent)
	})
	act("POST /bays/{bay}/agency", func(r *http.Request, bay string) (any, error) {
		var what agency
		if err := read(r, &what); err != nil {
			return nil, err
		}
		if what.Name != "" {
			if err := evidence.CheckName("agency", what.Name); err != nil {
				return nil, fmt.Errorf("%w: %w", errBody, err)
			}
		}
		return struct{}{}, s.Agency(bay, what.Name)
	})
	act("POST /bays/{bay}/behave", func(r *http.Request, bay string) (any, error) {
		var how simulator.Behaviour
		if err := read(r, &how); err != nil {
			return nil, err
		}
		return struct{}{}, s.Behave(bay, how)
	})
	act("POST /bays/{bay}/faults", func(r *http.Request, bay string) (any, error) {
		var f fault.Fault
		if err := read(r, &f); err != nil {
			return nil, err
		}
		return struct{}{}, s.Break(bay, f)
	})
	act("DELETE /bays/{bay}/faults", func(_ *http.Request, bay string) (any, error) { return struct{}{}, s.Clear(bay) })
	return mux
}

type failure struct {
	Error string `json:"error"`
}

type mark struct {
	Path   string `json:"path"`
	Urgent bool   `json:"urgent"`
}

type agency struct {
	Name string `json:"name"` // empty: nobody's
}

type removal struct {
	Path string `json:"path"`
}

var errBody = errors.New("request body is not as described")

func read(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errBody, err)
	}
	return nil
}

func status(err error) int {
	switch {
	case errors.Is(err, simulator.ErrNoBay), errors.Is(err, simulator.ErrNoRecording):
		return http.StatusNotFound
	case errors.Is(err, fault.ErrScript), errors.Is(err, errBody), errors.Is(err, simulator.ErrNoExtension):
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // a client that left needs no answer
}

// Listen opens the control socket, for its owner only. A socket that a dead
// simulator left is replaced; one that is answered is not.
func Listen(ctx context.Context, path string) (net.Listener, error) {
	dialer := net.Dialer{Timeout: time.Second}
	if conn, err := dialer.DialContext(ctx, "unix", path); err == nil {
		conn.Close()
		return nil, fmt.Errorf("opening control socket %s: another simulator is using it", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("replacing an old control socket: %w", err)
		}
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("opening control socket: %w", err)
	}
	return l, nil
}

// Serve answers until ctx ends.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, BaseContext: func(net.Listener) context.Context { return ctx }}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
		defer cancel()
		if server.Shutdown(closing) != nil {
			server.Close()
		}
	})
	err := server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		<-closed
		return nil
	}
	stop()
	return fmt.Errorf("serving the control socket: %w", err)
}
