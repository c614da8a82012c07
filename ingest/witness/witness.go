package witness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/net/netutil"

	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/tlog"
)

// SizeType is the media type of a 409 answer: a size, in decimal, in one line.
const SizeType = "text/x.tlog.size"

// Witness cosigns. It is an http.Handler that serves POST /add-checkpoint, and safe
// for concurrent use.
type Witness struct {
	signer  *cosign.Signer
	vkey    string
	logs    map[string]*watched
	log     *slog.Logger
	release func() error
	save    func(path string, data []byte) error // replaced in tests that crash
}

// Open opens the witness in dir and locks it until Close.
func Open(dir string, log *slog.Logger) (w *Witness, err error) {
	release, err := lock(dir)
	if err != nil {
		return nil, err
	}
	w = &Witness{log: log, release: release, save: func(path string, data []byte) error { return durable.WriteFile(path, data, 0o600) }}
	if w.signer, w.vkey, err = readKey(dir); err == nil {
		w.logs, err = readLogs(dir)
	}
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return w, nil
}

// Close unlocks the folder. Nothing may be asked afterwards.
func (w *Witness) Close() error { return w.release() }

// VerifierKey is the witness's public key as text (C2SP signed-note, type 0x04).
func (w *Witness) VerifierKey() string { return w.vkey }

// Heads returns the last cosigned head of each log, by origin; the
// empty tree where nothing was cosigned yet.
func (w *Witness) Heads() []tlog.Checkpoint {
	var all []tlog.Checkpoint
	for _, l := range w.logs {
		l.mu.Lock()
		all = append(all, l.head)
		l.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b tlog.Checkpoint) int { return strings.Compare(a.Origin, b.Origin) })
	return all
}

// refusal is an answer other than 200.
type refusal struct {
	status int
	size   int64 // of the last cosigned head, where status is 409
	reason string
}

func (r *refusal) Error() string { return r.reason }

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, reason: fmt.Sprintf(format, args...)}
}

// add does one request and returns the cosignature line.
func (w *Witness) add(r *Request) ([]byte, error) {
	origin, _, _ := bytes.Cut(r.Checkpoint, []byte("\n"))
	l := w.logs[string(origin)]
	if l == nil {
		return nil, refuse(http.StatusNotFound, "this witness does not watch the log %.100q", origin)
	}
	c, err := tlog.OpenCheckpoint(r.Checkpoint, l.origin, l.verifier)
	var unsigned *note.UnverifiedNoteError
	var forged *note.InvalidSignatureError
	switch {
	case errors.As(err, &unsigned), errors.As(err, &forged):
		return nil, refuse(http.StatusForbidden, "no signature of the log's key holds")
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "%v", err)
	case r.Old > c.Size:
		return nil, refuse(http.StatusBadRequest, "the old size %d is above the checkpoint's, %d", r.Old, c.Size)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case r.Old != l.head.Size:
		return nil, &refusal{http.StatusConflict, l.head.Size, "another size was cosigned last"}
	case c.Size == l.head.Size && c.Root != l.head.Root:
		w.log.Error("a log shows two trees of one size", "origin", l.origin, "size", c.Size, "cosigned", l.head.Root, "refused", c.Root)
		return nil, &refusal{http.StatusConflict, l.head.Size, "another root was cosigned for this size"}
	}
	if err := tlog.CheckConsistency(r.Proof, c.Size, c.Root, r.Old, l.head.Root); err != nil {
		w.log.Error("a log's new head is not shown to be consistent with the last", "origin", l.origin, "size", c.Size, "cosigned", l.head.Size, "error", err)
		return nil, refuse(http.StatusUnprocessableEntity, "%v", err)
	}
	if l.text == nil || c.Size != l.head.Size {
		// A save that fails may still have reached the disk. The head that is kept
		// here then is the last one that was cosigned, and what is on the disk is
		// consistent with it.
		own := ownSignature(r.Checkpoint, l.verifier)
		if err := w.save(l.path, l.file(own)); err != nil {
			return nil, fmt.Errorf("saving the head of %d entries of %s: %w", c.Size, l.origin, err)
		}
		l.head, l.text = c, own
	}
	return w.cosign(l.text)
}

// ownSignature is the checkpoint with the log's signature alone: lines of strangers
// are not kept. The checkpoint was verified.
func ownSignature(checkpoint []byte, v note.Verifier) []byte {
	n, err := note.Open(checkpoint, note.VerifierList(v))
	if err != nil {
		return checkpoint
	}
	text := []byte(n.Text + "\n")
	for _, s := range n.Sigs {
		text = fmt.Appendf(text, "— %s %s\n", s.Name, s.Base64)
	}
	return text
}

func (w *Witness) cosign(checkpoint []byte) ([]byte, error) {
	text, _, _ := strings.Cut(string(checkpoint), "\n\n")
	signed, err := note.Sign(&note.Note{Text: text + "\n"}, w.signer)
	if err != nil {
		return nil, fmt.Errorf("cosigning: %w", err)
	}
	_, line, _ := bytes.Cut(signed, []byte("\n\n"))
	return line, nil
}

// ServeHTTP implements http.Handler.
func (w *Witness) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	if in.URL.Path != "/add-checkpoint" {
		http.NotFound(out, in)
		return
	}
	if in.Method != http.MethodPost {
		out.Header().Set("Allow", http.MethodPost)
		http.Error(out, "only POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(out, in.Body, MaxRequest))
	if err != nil {
		http.Error(out, "the request cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	request, err := ParseRequest(body)
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	line, err := w.add(request)
	var r *refusal
	switch {
	case err == nil:
		out.Header().Set("Content-Type", "text/plain; charset=utf-8")
		out.Write(line)
	case !errors.As(err, &r):
		w.log.Error("a checkpoint could not be cosigned", "error", err)
		http.Error(out, "the witness has a fault of its own; its log tells more", http.StatusInternalServerError)
	case r.status == http.StatusConflict:
		out.Header().Set("Content-Type", SizeType)
		out.WriteHeader(r.status)
		fmt.Fprintf(out, "%d\n", r.size)
	default:
		http.Error(out, r.reason, r.status)
	}
}

// maxConnections is how many clients are served at a time.
const maxConnections = 256

// NewServer returns a server that cuts slow clients, for a listener of Limit.
func NewServer(w *Witness) *http.Server {
	return &http.Server{
		Handler: w, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 8 << 10, ErrorLog: slog.NewLogLogger(w.log.Handler(), slog.LevelDebug),
	}
}

// Serve serves until ctx ends, and gives requests that came before 5 s more.
func Serve(ctx context.Context, s *http.Server, l net.Listener) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(grace); err != nil {
			stopped <- s.Close() // who connected and says nothing is not waited for
			return
		}
		stopped <- nil
	})
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// Limit bounds how many connections a listener has at a time.
func Limit(l net.Listener) net.Listener { return netutil.LimitListener(l, maxConnections) }

// verifierKey derives the public key of a signer key whose form was checked.
func verifierKey(skey string) (string, error) {
	parts := strings.SplitN(skey, "+", 5)
	if len(parts) != 5 {
		return "", errors.New("it is no signer key")
	}
	seed, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return "", errors.New("it is no signer key of Ed25519")
	}
	plain, err := note.NewEd25519VerifierKey(parts[2], ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey))
	if err != nil {
		return "", err
	}
	return cosign.VKeyToCosignatureV1(plain)
}
