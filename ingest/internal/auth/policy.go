package auth

import (
	_ "embed"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

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

// CheckPassword says why password must not be used, in words for the person
// who chose it, or returns nil. The context words (the agency, the login name,
// the person's name) do not count as characters.
func CheckPassword(password string, context ...string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password):
		return fmt.Errorf("the password holds bytes that are not text; type it again")
	case n < MinPassword:
		return fmt.Errorf("the password has %d characters; at least %d are needed. A few unrelated words do well", n, MinPassword)
	case n > MaxPassword:
		return fmt.Errorf("the password has %d characters; at most %d are taken", n, MaxPassword)
	}
	bare := bareText(password)
	if blocked(bare) {
		return fmt.Errorf("this password is on the list of common ones; choose something that only you would say")
	}
	if repeats(bare) || runs(bare) {
		return fmt.Errorf("the password is a repetition or a row of keys; choose something less regular")
	}
	rest := bare
	for _, word := range append([]string{"sealdock", "evidence", "password", "bodycam"}, context...) {
		if word = bareText(word); utf8.RuneCountInString(word) >= 3 {
			rest = strings.ReplaceAll(rest, word, "")
		}
	}
	if rest != bare && utf8.RuneCountInString(strings.TrimFunc(rest, unicode.IsDigit)) < minOwn {
		return fmt.Errorf("the password is little more than the agency's, the product's or your own name; add words that have nothing to do with them")
	}
	return nil
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
