package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/backoff"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Config is what a Service stands on.
type Config struct {
	Catalog *sqldb.DB
	Agency  evidence.AgencyID
	Names   []string // host names and addresses of this server
	Web     string   // what a browser's address line begins with

	// Own gives the certificate of the server's own authority.
	Own func(*tls.ClientHelloInfo) (*tls.Certificate, error)

	File, Key string // the agency's certificate and its key, PEM; empty: none
	ACME      *ACME  // nil: none

	Reread <-chan os.Signal // look at once; may be nil
	Now    func() time.Time
	Log    *slog.Logger
}

// Service keeps the certificate for browsers.
type Service struct {
	Config
	acme *acmeSource // nil: none
	file fileSource

	mu    sync.Mutex // guards shown and fault
	shown []*tls.Certificate
	fault string // what is wrong with what should be shown; "": nothing

	// Of Run alone: messages of alerts that stand by About, and certificates that are
	// on record.
	told  map[string]string
	known map[evidence.Digest]bool
}

// New returns a Service that shows what the files hold already. A pair that is of no use
// keeps no server from starting: docks come in whatever browsers see.
func New(c Config) (*Service, error) {
	if c.ACME != nil && c.File != "" {
		return nil, errors.New("a certificate is either read from a file or got by ACME")
	}
	s := &Service{Config: c, told: map[string]string{}, known: map[evidence.Digest]bool{}}
	if c.ACME != nil {
		var err error
		if s.acme, err = newACME(c); err != nil {
			return nil, err
		}
	}
	if c.File != "" {
		s.look(true)
	}
	return s, nil
}

// Active says whether browsers are shown anything but the server's own certificate.
func (s *Service) Active() bool { return s.File != "" || s.acme != nil }

// Get returns the certificate for one handshake. It waits for nothing.
func (s *Service) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	shown := s.shown
	s.mu.Unlock()
	if len(shown) == 0 {
		return s.Own(hello)
	}
	if hello.ServerName == "" {
		return shown[0], nil
	}
	for _, c := range shown {
		if c.Leaf.VerifyHostname(hello.ServerName) == nil {
			return c, nil
		}
	}
	own, err := s.Own(hello)
	if err == nil && own.Leaf.VerifyHostname(hello.ServerName) == nil {
		return own, nil // a name inside the house, as localhost
	}
	return shown[0], nil
}

const (
	lookEvery = 15 * time.Second // at the files
	tellEvery = time.Hour        // of what stands, if it was told already
)

// Run looks for what is new, tells people of what is wrong, until ctx ends. Nothing that
// fails here ends it.
func (s *Service) Run(ctx context.Context) error {
	if !s.Active() { // what stood is over
		if err := s.tell(ctx, true); err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "ending alerts about the certificate for browsers failed; the next start tries again", "error", err)
		}
		return nil
	}
	retry := backoff.New(time.Minute, time.Hour)
	var next, told time.Time // when ACME is asked, when people were told
	atOnce := false
	for first := true; ; first = false {
		if s.File != "" {
			s.look(first || atOnce)
		} else if now := time.Now(); !now.Before(next) {
			next = now.Add(time.Minute)
			if err := s.obtain(ctx); err == nil {
				retry.Reset()
			} else if ctx.Err() == nil {
				next = now.Add(retry.Pause())
			}
		}
		if err := s.tell(ctx, time.Since(told) >= tellEvery); err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "telling of the certificate for browsers failed", "error", err)
		} else if time.Since(told) >= tellEvery {
			told = time.Now()
		}
		timer := time.NewTimer(lookEvery)
		atOnce = false
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-s.Reread:
			timer.Stop()
			atOnce, next = true, time.Time{}
		case <-timer.C:
		}
	}
}

// show puts certificates in force, and notes what is wrong besides; those that it names
// no replacement for stay.
func (s *Service) show(certificates []*tls.Certificate, fault error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.fault
	if len(certificates) > 0 {
		s.shown = certificates
	}
	s.fault = ""
	if fault != nil {
		s.fault = fault.Error()
	}
	if s.fault != "" && s.fault != before {
		s.Log.Error("the certificate for browsers cannot be taken; what was shown before is shown on", "why", s.fault)
	}
}

// fileSource is what was seen of the files.
type fileSource struct {
	good, bad [32]byte // digest of the pair in force, and of one that was of no use
	failed    string   // how reading failed
}

// look reads the files, and takes what they hold if it is new and sound. Both files are
// never replaced in one act: what does not fit counts when it is seen a second time, or
// at once.
func (s *Service) look(atOnce bool) {
	p, err := readPair(s.File, s.Key)
	if err != nil {
		settled := s.file.failed == err.Error()
		s.file.failed = err.Error()
		if settled || atOnce {
			s.show(nil, err)
		}
		return
	}
	s.file.failed = ""
	digest := p.digest()
	if digest == s.file.good {
		s.show(nil, nil)
		return
	}
	c, err := p.judge(s.Names, s.Now())
	if err != nil {
		settled := s.file.bad == digest
		s.file.bad = digest
		if settled || atOnce {
			s.show(nil, fmt.Errorf("%s: %w", s.File, err))
		}
		return
	}
	s.file.good, s.file.bad = digest, [32]byte{}
	s.show([]*tls.Certificate{c}, nil)
}

// State tells people where the certificate for browsers stands.
type State struct {
	Source string    // "" for the server's own authority, file, or acme
	Shown  string    // names in it
	Ends   time.Time // the first end of all that are shown; zero: none is shown
	Near   bool      // an alert tells of its end
	Fault  string    // what is wrong; "": nothing
	Bare   []string  // names of this server that no certificate of the agency covers
}

// State returns where things stand.
func (s *Service) State() State {
	s.mu.Lock()
	shown, fault := slices.Clone(s.shown), s.fault
	s.mu.Unlock()
	state := State{Fault: fault}
	switch {
	case s.File != "":
		state.Source = "file"
	case s.acme != nil:
		state.Source = "acme"
	}
	var names []string
	for _, name := range s.Names {
		if !slices.ContainsFunc(shown, func(c *tls.Certificate) bool { return c.Leaf.VerifyHostname(name) == nil }) {
			state.Bare = append(state.Bare, name)
		}
	}
	for _, c := range shown {
		names = append(names, named(c.Leaf))
		if state.Ends.IsZero() || c.Leaf.NotAfter.Before(state.Ends) {
			state.Ends = c.Leaf.NotAfter
		}
		state.Near = state.Near || stageOf(c.Leaf, s.Now()) != nil
	}
	state.Shown = strings.Join(names, ", ")
	return state
}
