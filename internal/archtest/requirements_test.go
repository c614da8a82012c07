package archtest

import (
	"bytes"
	"os"
	"regexp"
	"testing"
)

// A row of the requirements that names a test is only as true as that test is
// there.
func TestEveryTestThatARequirementNamesExists(t *testing.T) {
	rows, err := os.ReadFile("../../docs/requirements.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`[a-z0-9/]+\\.(Test[A-Za-z0-9]+)`").FindAllSubmatch(rows, -1)
	if len(named) < 20 {
		t.Fatalf("docs/requirements.md names %d tests: the rule would hold of nothing", len(named))
	}
	var all bytes.Buffer
	sources(t, func(p pkg, file string, text []byte) { all.Write(text) })
	for _, name := range named {
		if !bytes.Contains(all.Bytes(), append(append([]byte("func "), name[1]...), '(')) {
			t.Errorf("docs/requirements.md names %s, which does not exist", name[1])
		}
	}
}
