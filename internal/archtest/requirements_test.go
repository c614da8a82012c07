package archtest

import (
	"bytes"
	"os"
	"regexp"
	"testing"
)

// A row of the requirements, or of the attacks, that names a test is only as true as
// that test is there.
func TestEveryTestThatADocumentNamesExists(t *testing.T) {
	var all bytes.Buffer
	sources(t, func(p pkg, file string, text []byte) { all.Write(text) })
	for _, document := range []string{"docs/requirements.md", "docs/attacks.md"} {
		rows, err := os.ReadFile("../../" + document)
		if err != nil {
			t.Fatal(err)
		}
		named := regexp.MustCompile("`[a-z0-9/]+\\.(Test[A-Za-z0-9]+)`").FindAllSubmatch(rows, -1)
		if len(named) < 20 {
			t.Fatalf("%s names %d tests: the rule would hold of nothing", document, len(named))
		}
		for _, name := range named {
			if !bytes.Contains(all.Bytes(), append(append([]byte("func "), name[1]...), '(')) {
				t.Errorf("%s names %s, which does not exist", document, name[1])
			}
		}
	}
}
