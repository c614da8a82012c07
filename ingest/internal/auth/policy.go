package auth

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Policy is what an agency has decided about passwords, sign-ins and sessions.
// Package settings makes it of the agency's settings.
type Policy struct {
	MinPassword int      // characters, MinPassword to MaxPassword
	Classes     int      // how many of lower case, upper case, digits and other characters a password needs; 0 to 4
	BlockList   bool     // whether the common passwords are refused
	OwnWords    []string // do not count as characters, as the agency's name
	History     int      // how many of a person's last passwords may not come back

	Failures int           // refused sign-ins that lock the password path of an account
	Window   time.Duration // within which they count
	Lock     time.Duration // for how long; 0: until released

	Idle     time.Duration // a session without use ends
	Absolute time.Duration // every session ends

	Dormant time.Duration // an account that nobody uses for so long is disabled; 0: never

	Networks Networks

	TokenLife time.Duration // no token lives longer
	Clients   Clients       // how far roles may go with kinds of client

	TwoPeople    map[Action]bool // acts that take a second person
	RequestLife  time.Duration   // how long such an act waits for one
	ExportFactor string          // before something is taken away: ExportPeople and the others; "" is that

	Phone PhonePolicy // codes by SMS and call
}

// DefaultPolicy is that of an agency that has decided nothing: NIST SP 800-63B-4
// section 3.1.1.2, and CJIS Security Policy 6.0, AC-7, AC-11, IA-5(1) and IA-11.
func DefaultPolicy() Policy {
	return Policy{
		MinPassword: MinPassword, BlockList: true, History: 10,
		Failures: maxFailures, Window: failureWindow, Idle: IdleLife, Absolute: AbsoluteLife, Dormant: 90 * 24 * time.Hour,
		TokenLife: DefaultTokenLife, RequestLife: DefaultRequestLife, ExportFactor: ExportPeople,
	}
}

// DefaultTokenLife is the longest life of a token where the agency has not said.
const DefaultTokenLife = 90 * 24 * time.Hour

// policy returns what holds now.
func (s *Service) policy(ctx context.Context) Policy {
	if s.decided == nil {
		return DefaultPolicy()
	}
	return s.decided(ctx)
}

// ShortestPassword is how many characters a new password needs.
func (s *Service) ShortestPassword(ctx context.Context) int { return s.policy(ctx).MinPassword }

// ShortWithFactor is the shortest that a password may be where a second factor is shown
// with it by everybody, each time: NIST SP 800-63B-4 section 3.1.1.2.
const ShortWithFactor = 8

// MinPassword and MaxPassword bound a password's length in characters: NIST
// SP 800-63B-4 section 3.1.1.2 where a password stands alone, and a bound that
// a phrase of any kind fits in.
const (
	MinPassword = 15
	MaxPassword = 128
)

// minOwn is how many characters must remain after the words that anybody
// would guess are taken out of a password.
const minOwn = 8

//go:embed blocklist.txt
var blocklist string

// CheckPassword is Policy.CheckPassword of an agency that has decided nothing.
func CheckPassword(password string, context ...string) error {
	return DefaultPolicy().CheckPassword(password, context...)
}

// CheckPassword says why password must not be used, in words for the person
// who chose it, or returns nil. The context words (the agency, the login name,
// the person's name) do not count as characters.
func (p Policy) CheckPassword(password string, context ...string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password):
		return fmt.Errorf("the password holds bytes that are not text; type it again")
	case n < p.MinPassword:
		return fmt.Errorf("the password has %d characters; at least %d are needed. A few unrelated words do well", n, p.MinPassword)
	case n > MaxPassword:
		return fmt.Errorf("the password has %d characters; at most %d are taken", n, MaxPassword)
	}
	if missing := classesMissing(password, p.Classes); missing != "" {
		return fmt.Errorf("the agency wants %d kinds of characters in a password: add %s", p.Classes, missing)
	}
	bare := bareText(password)
	if p.BlockList && blocked(bare) {
		return fmt.Errorf("this password is on the list of common ones; choose something that only you would say")
	}
	if p.BlockList && (repeats(bare) || runs(bare)) {
		return fmt.Errorf("the password is a repetition or a row of keys; choose something less regular")
	}
	rest := bare
	for _, word := range append([]string{"sealdock", "evidence", "password", "bodycam"}, append(p.OwnWords, context...)...) {
		if word = bareText(word); utf8.RuneCountInString(word) >= 3 {
			rest = strings.ReplaceAll(rest, word, "")
		}
	}
	if rest != bare && utf8.RuneCountInString(strings.TrimFunc(rest, unicode.IsDigit)) < minOwn {
		return fmt.Errorf("the password is little more than the agency's, the product's or your own name; add words that have nothing to do with them")
	}
	return nil
}

// classesMissing names the kinds of characters of which password has none, when
// it has fewer than wanted kinds.
func classesMissing(password string, wanted int) string {
	var missing []string
	for _, class := range []struct {
		name string
		in   func(rune) bool
	}{
		{"a lower-case letter", unicode.IsLower}, {"a capital letter", unicode.IsUpper}, {"a digit", unicode.IsDigit},
		{"a space or a sign", func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }},
	} {
		if !strings.ContainsFunc(password, class.in) {
			missing = append(missing, class.name)
		}
	}
	if 4-len(missing) >= wanted {
		return ""
	}
	return strings.Join(missing, " or ")
}

// bareText is s without case, spaces and punctuation.
func bareText(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

func blocked(bare string) bool {
	for line := range strings.Lines(blocklist) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if rest, ok := strings.CutPrefix(bare, line); ok && len(rest) <= 4 {
			return true
		}
	}
	return false
}

// repeats reports whether s is one short piece (up to 6 characters) over and
// over.
func repeats(s string) bool {
	r := []rune(s)
	for period := 1; period <= 6 && period*2 <= len(r); period++ {
		same := true
		for i := period; i < len(r) && same; i++ {
			same = r[i] == r[i-period]
		}
		if same {
			return true
		}
	}
	return false
}

// runs reports whether most of s goes up or down by one, as 123456 or abcdef
// do.
func runs(s string) bool {
	r := []rune(s)
	steps := 0
	for i := 1; i < len(r); i++ {
		if d := r[i] - r[i-1]; d == 1 || d == -1 || d == -9 {
			steps++
		}
	}
	return len(r) > 4 && steps*4 >= (len(r)-1)*3
}
