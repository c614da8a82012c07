package evidence

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Whoever reads the log finds every type of event in its catalogue, and no type in it
// that is none.
func TestEveryEventIsInTheCatalogue(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if kind, ok := v.Type.(*ast.Ident); ok && kind.Name == "EventType" {
				text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				types[text] = false
			}
		}
		return true
	})
	if len(types) < 40 {
		t.Fatalf("only %d types were found in the source", len(types))
	}
	text, err := os.ReadFile("../../docs/custody-events.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`([a-z_]+\\.[a-z_]+)`")
	for line := range strings.Lines(string(text)) {
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		for _, m := range name.FindAllStringSubmatch(first, -1) {
			if seen, ok := types[m[1]]; !ok || seen {
				t.Errorf("the catalogue has %q, which is no type of event, or twice", m[1])
			}
			types[m[1]] = true
		}
	}
	for kind, told := range types {
		if !told {
			t.Errorf("the catalogue lacks %q", kind)
		}
	}
}
