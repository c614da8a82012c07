package settings

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sealdock/sealdock/ingest/internal/auth"
)

// maxValue bounds every value in bytes, before and after it is put in order.
const maxValue = 16 << 10

// ErrValue: a value cannot be taken. Its text is for people.
var ErrValue = errors.New("this value cannot be taken")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrValue, fmt.Sprintf(format, args...))
}

// Canonical checks a value and puts it in order, so that two that mean the same
// are the same text. ErrValue.
func (d Definition) Canonical(value string) (string, error) {
	if len(value) > maxValue {
		return "", bad("it has %d bytes, at most %d are taken", len(value), maxValue)
	}
	if !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 && r != '\n' && r != '\r' && r != '\t' || r == 0x7f }) {
		return "", bad("it holds characters that are not text")
	}
	value = strings.TrimSpace(strings.ReplaceAll(value, "\r\n", "\n"))
	switch d.Kind {
	case Number:
		return d.number(value)
	case Switch:
		if value != "on" && value != "off" {
			return "", bad("%q is neither on nor off", shorten(value))
		}
		return value, nil
	case Choice:
		if !slices.Contains(d.Choices, value) {
			return "", bad("%q is none of %s", shorten(value), strings.Join(d.Choices, ", "))
		}
		return value, nil
	case Address:
		return checkAddress(value)
	case Text:
		if n := utf8.RuneCountInString(value); int64(n) > d.Max {
			return "", bad("it has %d characters, at most %d are taken", n, d.Max)
		}
		return value, nil
	}
	return d.lines(value)
}

func (d Definition) number(value string) (string, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return "", bad("%q is no whole number", shorten(value))
	}
	if n < d.Min || n > d.Max {
		return "", bad("%d is not within %d and %d %s", n, d.Min, d.Max, d.Unit)
	}
	return strconv.FormatInt(n, 10), nil
}

func (d Definition) lines(value string) (string, error) {
	var all []string
	for line := range strings.Lines(value) {
		line = strings.Join(strings.Fields(line), " ")
		if line == "" {
			continue
		}
		canonical, err := d.line(line)
		if err != nil {
			return "", err
		}
		if !slices.Contains(all, canonical) {
			all = append(all, canonical)
		}
	}
	if int64(len(all)) > d.Max {
		return "", bad("it has %d lines, at most %d are taken", len(all), d.Max)
	}
	if d.Kind == Acts {
		slices.SortFunc(all, func(a, b string) int { return place(a) - place(b) })
	}
	return strings.Join(all, "\n"), nil
}

// place is where an action stands among those that can take two people; -1: it is none.
func place(action string) int {
	return slices.IndexFunc(auth.TwoPeopleActions(), func(d auth.Deed) bool { return string(d.Action) == action })
}

func (d Definition) line(line string) (string, error) {
	switch d.Kind {
	case Words:
		if n := utf8.RuneCountInString(line); n < 3 || n > 64 {
			return "", bad("%q has %d characters; a word has 3 to 64", shorten(line), n)
		}
		return strings.ToLower(line), nil
	case Prefixes:
		p, err := parseNetwork(line)
		return p.String(), err
	case ByRole:
		role, rest, _ := strings.Cut(line, " ")
		if role == "" || len(role) > 64 || strings.ContainsAny(role, "/:") {
			return "", bad("%q does not begin with a role: write a line as administrator 10.20.5.0/24", shorten(line))
		}
		p, err := parseNetwork(rest)
		return role + " " + p.String(), err
	case Contacts:
		return checkContact(line)
	case ByClient:
		return checkClientLimit(line)
	case Acts:
		if place(line) < 0 {
			return "", bad("%q is no action that can take a second person", shorten(line))
		}
		return line, nil
	}
	return "", bad("nobody can read a setting of kind %q", d.Kind)
}

func parseNetwork(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, bad("%q is no network: write it as 10.20.0.0/16, 192.0.2.7 or 2001:db8::/32", shorten(text))
	}
	if p.Addr().Is4In6() {
		return netip.Prefix{}, bad("%q mixes IPv4 and IPv6: write the IPv4 network as it is", shorten(text))
	}
	if p.Bits() == 0 {
		return netip.Prefix{}, bad("%q is every network: leave the list empty for that", shorten(text))
	}
	return p.Masked(), nil
}

// checkClientLimit reads a line of a role, a kind of client, and how far it may go.
func checkClientLimit(line string) (string, error) {
	words := strings.Fields(line)
	if len(words) == 3 && len(words[0]) <= 64 && slices.Contains(auth.LimitedClients(), auth.Client(words[1])) && slices.Contains(auth.Limits(), auth.Limit(words[2])) {
		return line, nil
	}
	return "", bad("%q is no limit: write a line as officer api nothing, or auditor mobile look", shorten(line))
}

// clientLimits makes the limits of a canonical value.
func clientLimits(value string) auth.Clients {
	all := auth.Clients{}
	for line := range strings.Lines(value) {
		words := strings.Fields(line)
		role := auth.Role(words[0])
		if all[role] == nil {
			all[role] = map[auth.Client]auth.Limit{}
		}
		all[role][auth.Client(words[1])] = auth.Limit(words[2])
	}
	return all
}

// checkContact takes the three schemes that RFC 9116 section 2.5.3 names.
func checkContact(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > 300 || strings.ContainsAny(text, " \"<>\\") || strings.ContainsFunc(text, func(r rune) bool { return r > 0x7e }):
	case u.Scheme == "https" && u.Host != "" && u.User == nil,
		u.Scheme == "mailto" && strings.Count(u.Opaque, "@") == 1 && !strings.HasPrefix(u.Opaque, "@") && !strings.HasSuffix(u.Opaque, "@") && u.RawQuery == "",
		u.Scheme == "tel" && len(u.Opaque) > 3 && strings.Trim(u.Opaque, "+-.()0123456789") == "":
		return text, nil
	}
	return "", bad("%q is no contact: write it as mailto:security@example.org, https://example.org/report or tel:+1-201-555-0123", shorten(text))
}

// checkAddress takes an HTTPS address. Where it leads is judged when it is used.
func checkAddress(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "", nil
	case err != nil || len(text) > 1000 || strings.ContainsFunc(text, func(r rune) bool { return r <= 0x20 || r > 0x7e }):
	case u.Scheme == "https" && u.Hostname() != "" && u.Opaque == "" && u.User == nil && !strings.Contains(text, "#"):
		return text, nil
	}
	return "", bad("%q is no address: write it as https://example.org/codes, without a name, a password or a #", shorten(text))
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// Standing is how a value stands beside the default.
type Standing string

// The standings.
const (
	Weaker    Standing = "weaker"
	AsDefault Standing = "default"
	Stronger  Standing = "stronger"
	Other     Standing = "other" // neither
)

// Compare tells how a canonical value stands beside the default.
func (d Definition) Compare(value string) Standing {
	if value == d.Default {
		return AsDefault
	}
	if d.strong == neither {
		return Other
	}
	if d.rank(value) > d.rank(d.Default) {
		return Stronger
	}
	return Weaker
}

// rank is the higher the stronger a canonical value is.
func (d Definition) rank(value string) int64 {
	n, _ := strconv.ParseInt(value, 10, 64) // canonical
	switch {
	case d.Kind == Choice:
		return int64(slices.Index(d.Choices, value))
	case d.Kind == Switch && value == "on", d.strong == given && value != "":
		return 1
	case d.strong == none && value != "":
		return -1
	case d.strong == zeroLower && n == 0:
		return -d.Max - 1
	case d.strong == lower, d.strong == zeroLower:
		return -n
	case d.strong == zeroHigher && n == 0:
		return d.Max + 1
	case d.Kind == Number:
		return n
	}
	return 0
}

// Bounds says in words what is taken.
func (d Definition) Bounds() string {
	switch d.Kind {
	case Number:
		return fmt.Sprintf("%d to %d %s", d.Min, d.Max, d.Unit)
	case Switch:
		return "on or off"
	case Choice:
		return strings.Join(d.Choices, " or ")
	case Address:
		return "an HTTPS address, or none"
	case Text:
		return fmt.Sprintf("up to %d characters", d.Max)
	}
	return fmt.Sprintf("up to %d lines", d.Max)
}

// Say puts a canonical value into words.
func (d Definition) Say(value string) string {
	switch {
	case value == "":
		return "none"
	case d.Kind == Number && value == "0" && d.Zero != "":
		return d.Zero
	case d.Kind == Number:
		return value + " " + d.Unit
	}
	return value
}

// networks makes the lists of networks of canonical values.
func networks(agency, byRole string) auth.Networks {
	n := auth.Networks{Roles: map[auth.Role][]netip.Prefix{}}
	for line := range strings.Lines(agency) {
		n.Agency = append(n.Agency, netip.MustParsePrefix(strings.TrimSpace(line)))
	}
	for line := range strings.Lines(byRole) {
		role, p, _ := strings.Cut(strings.TrimSpace(line), " ")
		n.Roles[auth.Role(role)] = append(n.Roles[auth.Role(role)], netip.MustParsePrefix(p))
	}
	return n
}
