package webhook

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/inspection"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	maxName = 80   // characters
	maxURL  = 1000 // bytes
)

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInput, fmt.Sprintf(format, args...))
}

// check refuses what cannot be a webhook. Where its address leads is judged when
// something is sent.
func check(w *catalog.Webhook) error {
	if n := utf8.RuneCountInString(w.Name); n < 1 || n > maxName || !utf8.ValidString(w.Name) || strings.ContainsFunc(w.Name, func(r rune) bool { return r < 0x20 || r == 0x7f || r == utf8.RuneError }) {
		return bad("its name must have 1 to %d characters, all of them text", maxName)
	}
	if err := checkURL(w.URL); err != nil {
		return err
	}
	if len(w.Types) == 0 {
		return bad("it names no act: choose at least one")
	}
	for _, kind := range w.Types {
		if !slices.ContainsFunc(inspection.Acts(), func(a inspection.Act) bool { return a.Type == kind }) {
			return bad("there is no act %q", fmt.Sprintf("%.64s", kind))
		}
	}
	return nil
}

func checkURL(text string) error {
	if len(text) > maxURL || strings.ContainsFunc(text, func(r rune) bool { return r <= 0x20 || r > 0x7e }) {
		return bad("its address must have at most %d characters, all of them printable ASCII (a name with other letters in its xn-- form)", maxURL)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return bad("its address cannot be read: write it as https://example.org/sealdock")
	case u.Scheme != "https":
		return bad("its address must begin with https://")
	case u.Hostname() == "" || u.Opaque != "":
		return bad("its address names no host: write it as https://example.org/sealdock")
	case u.User != nil:
		return bad("its address holds a name or password: what is sent is signed, and needs none")
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		return bad("its address holds a #, behind which nothing is sent")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return bad("its port must be 1 to 65535")
		}
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.Zone() != "" {
		return bad("its address holds a zone")
	}
	return nil
}

// ordered are types in one order, each once.
func ordered(types []evidence.EventType) []evidence.EventType {
	all := slices.Clone(types)
	slices.Sort(all)
	return slices.Compact(all)
}

// told is what an event tells of a webhook: of its address only the host, for there may
// be a secret in the rest.
func told(w *catalog.Webhook) map[string]string {
	details := map[string]string{"name": w.Name, "types": typesText(w.Types), "enabled": strconv.FormatBool(w.DisabledAt.IsZero())}
	if u, err := url.Parse(w.URL); err == nil {
		details["host"] = u.Host
	}
	return details
}

func typesText(types []evidence.EventType) string {
	if len(types) == len(inspection.Acts()) {
		return "all"
	}
	words := make([]string, len(types))
	for i, kind := range types {
		words[i] = string(kind)
	}
	return strings.Join(words, " ")
}
