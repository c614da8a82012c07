package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// exception is a test that must fail in a mode, with the reason.
type exception struct {
	mode, pkg, test, reason string
}

// testName is the name of a test, or of one within a test.
var testName = regexp.MustCompile(`^(Test|Fuzz|Example)[A-Za-z0-9_]*(/[A-Za-z0-9_.-]+)*$`)

// parseExceptions reads the list: a line for each with mode, package, test and
// reason, and lines that begin with #.
func parseExceptions(text string) ([]exception, error) {
	var all []exception
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 4 {
			return nil, fmt.Errorf("exceptions.txt line %d: want mode, package, test and the reason, have %q", i+1, line)
		}
		e := exception{fields[0], fields[1], fields[2], strings.Join(fields[3:], " ")}
		switch {
		case !slices.Contains(modeNames(), e.mode):
			return nil, fmt.Errorf("exceptions.txt line %d: %q is none of the modes %s", i+1, e.mode, strings.Join(modeNames(), ", "))
		case !strings.HasPrefix(e.pkg, "./"):
			return nil, fmt.Errorf("exceptions.txt line %d: the package %q does not begin with ./", i+1, e.pkg)
		case !testName.MatchString(e.test):
			return nil, fmt.Errorf("exceptions.txt line %d: %q is no name of a test", i+1, e.test)
		}
		for _, other := range all {
			if e.mode == other.mode && e.pkg == other.pkg && e.test == other.test {
				return nil, fmt.Errorf("exceptions.txt line %d: %s %s %s is there twice", i+1, e.mode, e.pkg, e.test)
			}
		}
		all = append(all, e)
	}
	return all, nil
}

// within gives the exceptions of a mode in some packages.
func within(all []exception, mode string, packages []string) []exception {
	var some []exception
	for _, e := range all {
		if e.mode == mode && slices.Contains(packages, e.pkg) {
			some = append(some, e)
		}
	}
	return some
}

// pattern gives the text for -run and -skip that fits one test and no other.
func pattern(test string) string {
	parts := strings.Split(test, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}
