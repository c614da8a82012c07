package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestExceptionsAreRead(t *testing.T) {
	all, err := parseExceptions("# why\n\n  only ./internal/seal TestA  a caller's own nonce\non ./internal/seal TestA/sub_case x\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []exception{{"only", "./internal/seal", "TestA", "a caller's own nonce"}, {"on", "./internal/seal", "TestA/sub_case", "x"}}
	if fmt.Sprint(all) != fmt.Sprint(want) {
		t.Errorf("read %v, want %v", all, want)
	}
	if some := within(all, "only", []string{"./internal/seal"}); len(some) != 1 || some[0] != want[0] {
		t.Errorf("of mode only: %v", some)
	}
	if some := within(all, "only", []string{"./internal/wire"}); len(some) != 0 {
		t.Errorf("of a package without exceptions: %v", some)
	}
}

func TestBrokenExceptionsAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		"only ./internal/seal TestA":                   "reason",
		"maybe ./internal/seal TestA why":              "none of the modes",
		"only internal/seal TestA why":                 "does not begin",
		"only ./internal/seal .* why":                  "no name of a test",
		"only ./x TestA why\nonly ./x TestA once more": "line 2: only ./x TestA is there twice",
	} {
		if _, err := parseExceptions(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", line, err, want)
		}
	}
}

func TestTheListIsWellFormed(t *testing.T) {
	all, err := parseExceptions(exceptionList)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		packages, err := list([]string{"../../" + strings.TrimPrefix(e.pkg, "./")})
		if err != nil || len(packages) != 1 || packages[0] != e.pkg {
			t.Errorf("%s: packages %v, %v", e.pkg, packages, err)
		}
		for _, m := range modes {
			if m.name == e.mode && len(m.of(packages)) == 0 {
				t.Errorf("%s does not run in mode %s: its exception is never tried", e.pkg, e.mode)
			}
		}
	}
}

func TestPatternFitsOneTest(t *testing.T) {
	for test, want := range map[string]string{"TestA": "^TestA$", "TestA/a.b": `^TestA$/^a\.b$`} {
		if got := pattern(test); got != want {
			t.Errorf("%s: %s, want %s", test, got, want)
		}
	}
}

func TestOutcomesAreCounted(t *testing.T) {
	const lines = `{"Action":"start","Package":"m/a"}
{"Action":"run","Package":"m/a","Test":"TestGood"}
{"Action":"output","Package":"m/a","Test":"TestGood","Output":"quiet\n"}
{"Action":"pass","Package":"m/a","Test":"TestGood"}
{"Action":"skip","Package":"m/a","Test":"TestSkipped"}
{"Action":"output","Package":"m/a","Test":"TestBad/inner","Output":"loud\n"}
{"Action":"fail","Package":"m/a","Test":"TestBad/inner"}
{"Action":"fail","Package":"m/a","Test":"TestBad"}
{"Action":"fail","Package":"m/a"}
{"ImportPath":"m/b [m/b.test]","Action":"build-output","Output":"does not compile\n"}
{"ImportPath":"m/b [m/b.test]","Action":"build-fail"}
{"Action":"output","Package":"m/b","Output":"FAIL m/b [build failed]\n"}
{"Action":"fail","Package":"m/b","FailedBuild":"m/b [m/b.test]"}
`
	var report strings.Builder
	r := count(strings.NewReader(lines), &report)
	if want := (result{packages: 2, passed: 1, failed: 2, skipped: 1}); r != want {
		t.Errorf("counted %+v, want %+v", r, want)
	}
	if text := report.String(); !strings.Contains(text, "loud") || strings.Contains(text, "quiet") || !strings.Contains(text, "build failed") {
		t.Errorf("the report says:\n%s", text)
	}
	if r := count(strings.NewReader("no json"), &report); r.failed != 1 {
		t.Errorf("lines that are none of go test's: %+v", r)
	}
}

func TestASuiteIsGreenOnlyWhenAllIsAsListed(t *testing.T) {
	for _, test := range []struct {
		r    result
		want bool
	}{
		{result{passed: 1, excepted: 2}, true},
		{result{passed: 1, failed: 1}, false},
		{result{passed: 1, stale: 1}, false},
		{result{skipped: 3}, false}, // nothing was tested
	} {
		if test.r.ok() != test.want {
			t.Errorf("%+v: ok %v", test.r, test.r.ok())
		}
	}
}

func TestEachModeRecognisesItselfAlone(t *testing.T) {
	states := map[string]state{"on": {"latest", true, false}, "certified": {"v1.0.0", true, false}, "only": {"latest", true, true}, "certified-only": {"v1.0.0", true, true}, "off": {"latest", false, false}}
	for _, m := range modes {
		for name, s := range states {
			if m.want(s) != (name == m.name) {
				t.Errorf("mode %s takes the state of %s for its own: %v", m.name, name, m.want(s))
			}
		}
	}
}
