package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"code.dny.dev/ssrf"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/upload"
)

// What a receiver may take of one attempt.
const (
	postTime   = 15 * time.Second // in all, where Config says nothing
	dialTime   = 5 * time.Second  // for each address
	maxAnswer  = 4 << 10          // bytes of an answer's body that are read; none is kept
	maxHeaders = 16 << 10
	maxTrouble = 300 // bytes of what is kept of an error
)

// newClient returns what all messages are sent with: no proxy, which would look names up
// itself, no redirects, and no connection to an address that guard refuses.
func (s *Service) newClient() *http.Client {
	transport := &http.Transport{
		DialContext:         s.dial,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.Roots},
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: dialTime, MaxResponseHeaderBytes: maxHeaders, MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second, DisableCompression: true,
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// dial connects. The guard sees each address after its name was looked up, at the very
// moment at which it is connected to: a name that means something else by then gains
// nothing.
func (s *Service) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTime, Resolver: s.Resolver, Control: guard(s.Networks(ctx)).Safe}
	return dialer.DialContext(ctx, network, address)
}

// guard refuses what IANA's registries of special-purpose addresses name: loopback,
// private, link-local, shared, multicast, translated and tunnelled addresses, and all
// IPv6 that is no global unicast; but not what is in letIn.
func guard(letIn []netip.Prefix) *ssrf.Guardian {
	var v4, v6 []netip.Prefix
	for _, p := range letIn {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	return ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
}

// outcome is what came of one attempt.
type outcome struct {
	status  int // of HTTP; 0: there was no answer
	trouble string
	after   time.Duration // for how long the receiver asks to be left alone
	took    time.Duration
}

func (o *outcome) taken() bool { return o.trouble == "" }

// post makes one attempt.
func (s *Service) post(ctx context.Context, w *catalog.Webhook, m *message) *outcome {
	began := s.Now()
	o := s.ask(ctx, w, m)
	o.took = max(s.Now().Sub(began), 0)
	return o
}

func (s *Service) ask(ctx context.Context, w *catalog.Webhook, m *message) *outcome {
	headers, err := s.headers(w, m)
	if err != nil {
		s.Log.ErrorContext(ctx, "a webhook cannot be signed for", "webhook", w.ID, "error", err)
		return &outcome{trouble: "its secret cannot be opened on this server: give it a new one"}
	}
	return s.postTo(ctx, w.URL, headers, m.body)
}

// postTo posts what is signed already.
func (s *Service) postTo(ctx context.Context, address string, headers http.Header, body []byte) *outcome {
	s.follow(ctx)
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return &outcome{trouble: troubleOf(err)}
	}
	request.Header = headers
	response, err := s.client.Do(request)
	if err != nil {
		return &outcome{trouble: troubleOf(err)}
	}
	defer response.Body.Close()
	io.CopyN(io.Discard, response.Body, maxAnswer) // so that the connection can serve again; the status is all that counts
	o := &outcome{status: response.StatusCode}
	switch {
	case o.status >= 200 && o.status < 300:
	case o.status >= 300 && o.status < 400:
		o.trouble = "it answered with a redirect, and those are not followed: give its last address"
	case o.status == http.StatusGone:
		o.trouble = "it said that it is gone for good (410)"
	default:
		o.trouble = "it answered " + strconv.Itoa(o.status) + " " + http.StatusText(o.status)
		o.after = retryAfter(response.Header.Get("Retry-After"), s.Now())
	}
	return o
}

// follow lets go of connections that were made while other networks were let in.
func (s *Service) follow(ctx context.Context) {
	now := fmt.Sprint(s.Networks(ctx))
	s.mu.Lock()
	changed := s.letIn != now
	s.letIn = now
	s.mu.Unlock()
	if changed {
		s.client.CloseIdleConnections()
	}
}

// longestAfter bounds for how long a receiver can put us off.
const longestAfter = 24 * time.Hour

// retryAfter reads RFC 9110 section 10.2.3; what cannot be read is none.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, longestAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), longestAfter)
	}
	return 0
}

// troubleOf puts into words why there was no answer, without the address, which may hold
// a secret.
func troubleOf(err error) string {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	switch {
	case errors.Is(err, ssrf.ErrProhibitedIP):
		return "its name leads to an address that is not public, and whose network is not let in (setting webhooks.networks)"
	case errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in time"
	}
	return upload.CleanText(err.Error(), maxTrouble)
}
