package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// result is what came of a suite in one mode.
type result struct {
	packages, passed, failed, skipped int // tests count without those inside tests
	excepted                          int // tests that failed as the list says
	stale                             int // tests on the list that did not fail
}

func (r result) ok() bool { return r.failed == 0 && r.stale == 0 && r.passed > 0 }

func (r result) String() string {
	text := fmt.Sprintf("%d packages, %d tests passed, %d failed, %d skipped, %d exceptions", r.packages, r.passed, r.failed, r.skipped, r.excepted)
	if r.stale > 0 {
		text += fmt.Sprintf(", %d exceptions to be struck", r.stale)
	}
	return text
}

// suite runs the tests of packages in the mode. Exceptions are run alone and
// must fail: one may end the whole program of its package.
func (m mode) suite(packages []string, exceptions []exception) result {
	of := map[string][]string{}
	for _, e := range exceptions {
		of[e.pkg] = append(of[e.pkg], pattern(e.test))
	}
	var total result
	var plain []string
	for _, p := range packages {
		if skip := of[p]; len(skip) > 0 {
			total.add(m.test([]string{"-skip", strings.Join(skip, "|"), p}))
		} else {
			plain = append(plain, p)
		}
	}
	if len(plain) > 0 {
		total.add(m.test(plain))
	}
	for _, e := range exceptions {
		if m.fails(e) {
			total.excepted++
			fmt.Printf("fips: %s: exception: %s %s: %s\n", m.name, e.pkg, e.test, e.reason)
		} else {
			total.stale++
			fmt.Printf("fips: %s: %s %s does not fail (any more): strike it from exceptions.txt\n", m.name, e.pkg, e.test)
		}
	}
	return total
}

func (r *result) add(o result) {
	r.packages += o.packages
	r.passed += o.passed
	r.failed += o.failed
	r.skipped += o.skipped
}

// test runs go test, prints the output of what failed, and counts.
func (m mode) test(args []string) result {
	cmd := m.command("go", append([]string{"test", "-json", "-vet=off", "-count=1", "-timeout=30m"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Printf("fips: %s: starting go test: %v\n", m.name, err)
		return result{failed: 1}
	}
	r := count(out, os.Stdout)
	if err := cmd.Wait(); err != nil && r.failed == 0 {
		fmt.Printf("fips: %s: go test: %v\n", m.name, err)
		r.failed++
	}
	return r
}

// fails runs one test alone. A test that is not there does not fail.
func (m mode) fails(e exception) bool {
	out, err := m.command("go", "test", "-json", "-vet=off", "-count=1", "-timeout=30m", "-run", pattern(e.test), e.pkg).Output()
	if err == nil {
		return false
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var event event
		if d.Decode(&event) != nil {
			return false
		}
		if event.Action == "fail" && event.Test == e.test {
			return true
		}
	}
}

// event is a line of go test -json.
type event struct {
	Action, Package, ImportPath, Test, Output string
}

// count reads the lines of go test -json and writes to report what failing
// tests and packages said.
func count(lines io.Reader, report io.Writer) result {
	var r result
	failures := map[string]int{} // failed tests of a package
	said := map[string]*strings.Builder{}
	for d := json.NewDecoder(lines); ; {
		var e event
		if err := d.Decode(&e); err == io.EOF {
			return r
		} else if err != nil {
			fmt.Fprintf(report, "fips: reading what go test says: %v\n", err)
			r.failed++
			return r
		}
		if e.Package == "" {
			e.Package, _, _ = strings.Cut(e.ImportPath, " ") // of a build: PACKAGE [PACKAGE.test]
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			if said[key] == nil {
				said[key] = &strings.Builder{}
			}
			said[key].WriteString(e.Output)
		case "pass", "skip", "fail":
			r.end(e, failures)
			if text := said[key]; text != nil && e.Action == "fail" {
				fmt.Fprintf(report, "--- %s\n%s", strings.TrimSpace(key), text)
			}
			delete(said, key)
		}
	}
}

// end counts the end of a test or of a package. A package that fails without a
// test that did (it does not build, or its own end fails) is one failure.
func (r *result) end(e event, failures map[string]int) {
	if e.Test == "" {
		r.packages++
		if e.Action == "fail" && failures[e.Package] == 0 {
			r.failed++
		}
		return
	}
	if strings.Contains(e.Test, "/") {
		return
	}
	switch e.Action {
	case "pass":
		r.passed++
	case "skip":
		r.skipped++
	case "fail":
		r.failed++
		failures[e.Package]++
	}
}

// list gives the packages of the patterns that have tests, without the module's path.
func list(patterns []string) ([]string, error) {
	cmd := exec.Command("go", append([]string{"list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}"}, patterns...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the packages %s: %w", strings.Join(patterns, " "), err)
	}
	var packages []string
	for _, p := range strings.Fields(string(out)) {
		packages = append(packages, "."+strings.TrimPrefix(p, module))
	}
	if len(packages) == 0 {
		return nil, fmt.Errorf("no package of %s has tests", strings.Join(patterns, " "))
	}
	return packages, nil
}
