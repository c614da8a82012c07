// Package routes tells tests which patterns are registered at an http.ServeMux, so
// that a test can ask every route there is. It reads what net/http keeps to itself;
// Of fails the test where another Go keeps it elsewhere. Nothing but tests may import it.
package routes

import (
	"net/http"
	"reflect"
	"slices"
	"testing"
)

// Of returns the patterns of a mux, sorted.
func Of(t testing.TB, mux *http.ServeMux) []string {
	t.Helper()
	index := reflect.ValueOf(mux).Elem().FieldByName("index")
	if !index.IsValid() {
		t.Fatal("net/http keeps the patterns of a ServeMux elsewhere now: look for them there")
	}
	found := map[string]bool{}
	collect := func(patterns reflect.Value) {
		for i := range patterns.Len() {
			found[patterns.Index(i).Elem().FieldByName("str").String()] = true
		}
	}
	for all := index.FieldByName("segments").MapRange(); all.Next(); {
		collect(all.Value())
	}
	collect(index.FieldByName("multis"))
	var patterns []string
	for p := range found {
		patterns = append(patterns, p)
	}
	if len(patterns) == 0 {
		t.Fatal("the mux has no pattern")
	}
	slices.Sort(patterns)
	return patterns
}
