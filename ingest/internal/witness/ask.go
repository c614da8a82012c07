package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	outside "github.com/sealdock/sealdock/ingest/witness"
	"github.com/sealdock/sealdock/internal/tlog"
)

// ErrContradicted means that a witness has seen another log, or more of this one,
// than this server holds.
var ErrContradicted = errors.New("a witness contradicts this server's custody log")

const (
	askTime   = 15 * time.Second
	maxAnswer = 16 << 10
	clockSlip = time.Hour // how far a cosignature's time may be from ours
)

// Witness is one witness that is asked. Safe for concurrent use.
type Witness struct {
	Key string // verifier key (C2SP signed-note, type 0x04)
	URL string // what /add-checkpoint is appended to

	verifier note.Verifier

	mu       sync.Mutex // held while it is asked
	size     int64      // what it cosigned last, as far as is known
	heard    time.Time  // when it last cosigned, or this process began
	troubled bool       // an alert about it may stand
}

// Parse reads a witness as it stands in the configuration: verifier key, space, URL.
func Parse(text string) (*Witness, error) {
	key, address, ok := strings.Cut(text, " ")
	w := &Witness{Key: key, URL: strings.TrimSuffix(strings.TrimSpace(address), "/"), troubled: true}
	var err error
	if w.verifier, err = cosign.NewVerifierForCosignatureV1(key); !ok || err != nil {
		return nil, fmt.Errorf("%.200q is not the public key of a witness, a space and its address", text)
	}
	if !strings.HasPrefix(key, fmt.Sprintf("%s+%08x+", w.Name(), w.verifier.KeyHash())) {
		return nil, fmt.Errorf("witness %s: %q has a typing mistake, or is not of the type for cosignatures", w.Name(), key)
	}
	u, err := url.Parse(w.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, fmt.Errorf("witness %s: %q is no address that begins with https:// (or http:// on this machine)", w.Name(), w.URL)
	}
	return w, nil
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// Name is the witness's name.
func (w *Witness) Name() string { return w.verifier.Name() }

// submit has one witness cosign the head, and returns the cosignature line.
func (s *Service) submit(ctx context.Context, w *Witness, head *catalog.LogState) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	for range 4 {
		if w.size > head.Size {
			if err := s.ahead(ctx, w, head); err != nil {
				return "", err
			}
		}
		request := outside.Request{Old: w.size, Checkpoint: head.Checkpoint}
		if w.size > 0 && w.size < head.Size {
			var err error
			if request.Proof, err = tlog.ProveConsistency(ctx, s.Tiles, head.Size, w.size); err != nil {
				return "", err
			}
		}
		status, size, body, err := s.post(ctx, w, request.Text())
		switch {
		case err != nil:
			return "", err
		case status == http.StatusOK:
			line, err := s.cosignature(w, head.Checkpoint, body)
			if err == nil {
				w.size = head.Size
			}
			return line, err
		case status == http.StatusConflict && size != w.size:
			w.size = size
		case status == http.StatusConflict && size == head.Size:
			return "", fmt.Errorf("%w: %s has cosigned another tree of %d entries", ErrContradicted, w.Name(), size)
		case status == http.StatusUnprocessableEntity:
			return "", fmt.Errorf("%w: the %d entries that %s has cosigned are no beginning of this log of %d", ErrContradicted, w.size, w.Name(), head.Size)
		case status == http.StatusNotFound, status == http.StatusForbidden:
			return "", fmt.Errorf("it does not watch this log, or knows another key of it (status %d): its operator must add what sealdock-ingest log-key prints", status)
		default:
			return "", fmt.Errorf("it answered %d %.200q", status, body)
		}
	}
	return "", errors.New("it names another size each time that it is asked")
}

// ahead finds out whether a witness that has seen more than head contradicts the
// log, or another process of this server had more cosigned in the meantime.
func (s *Service) ahead(ctx context.Context, w *Witness, head *catalog.LogState) error {
	now, err := s.Catalog.LogState(ctx)
	if err != nil {
		return err
	}
	if now.Size < w.size {
		seen := w.size
		w.size = 0 // ask anew next time: it may have been set right
		return fmt.Errorf("%w: %s has cosigned %d entries, this log has %d", ErrContradicted, w.Name(), seen, now.Size)
	}
	*head = *now
	return nil
}

// post returns the answer; size is that of a conflict.
func (s *Service) post(ctx context.Context, w *Witness, text []byte) (status int, size int64, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL+"/add-checkpoint", bytes.NewReader(text))
	if err != nil {
		return 0, 0, nil, err
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	response, err := s.Client.Do(request)
	if err != nil {
		return 0, 0, nil, err
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1)); err != nil || len(body) > maxAnswer {
		return 0, 0, nil, errors.Join(err, fmt.Errorf("its answer cannot be read, or has more than %d bytes", maxAnswer))
	}
	if response.StatusCode != http.StatusConflict {
		return response.StatusCode, 0, body, nil
	}
	digits, ended := strings.CutSuffix(string(body), "\n")
	size, err = strconv.ParseInt(digits, 10, 64)
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind != outside.SizeType || !ended || err != nil || size < 0 || size > tlog.MaxSize {
		return 0, 0, nil, fmt.Errorf("it answered 409 and no size of a log: %.100q", body)
	}
	return response.StatusCode, size, body, nil
}

// cosignature returns the line of w in an answer, verified. Lines of others are not
// kept.
func (s *Service) cosignature(w *Witness, checkpoint, lines []byte) (string, error) {
	n, err := note.Open(append(bytes.Clone(checkpoint), lines...), note.VerifierList(w.verifier))
	if err != nil {
		return "", fmt.Errorf("its answer is no cosignature of its key: %w", err)
	}
	at, err := cosign.CoSigV1Timestamp(n.Sigs[0])
	if err != nil {
		return "", err
	}
	if slip := at.Sub(s.Now()); slip.Abs() > clockSlip {
		return "", fmt.Errorf("its cosignature is of %s: one of the two clocks is wrong by %s", at.UTC().Format(time.DateTime+" UTC"), slip.Abs().Round(time.Second))
	}
	return fmt.Sprintf("— %s %s\n", n.Sigs[0].Name, n.Sigs[0].Base64), nil
}
