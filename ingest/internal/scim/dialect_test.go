package scim

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// vector is a recorded conversation: what a directory sends, and what must be in the
// answer. {name} stands for what an earlier answer had.
type vector struct {
	Source string `json:"source"`
	Steps  []struct {
		What   string            `json:"what"`
		Method string            `json:"method"`
		Path   string            `json:"path"`
		Body   json.RawMessage   `json:"body"`
		Status int               `json:"status"`
		Has    map[string]any    `json:"has"`
		Absent []string          `json:"absent"`
		Keep   map[string]string `json:"keep"`
	} `json:"steps"`
}

// at finds a value by its path, as Resources.0.id; a part that holds dots comes last.
func at(v any, path string) (any, bool) {
	if o, ok := v.(map[string]any); ok {
		if found, ok := o[path]; ok {
			return found, true
		}
	}
	first, rest, more := strings.Cut(path, ".")
	var next any
	switch v := v.(type) {
	case map[string]any:
		found, ok := v[first]
		if !ok {
			return nil, false
		}
		next = found
	case []any:
		i, err := strconv.Atoi(first)
		if err != nil || i >= len(v) {
			return nil, false
		}
		next = v[i]
	default:
		return nil, false
	}
	if !more {
		return next, true
	}
	return at(next, rest)
}

// TestTheDialectsOfLargeProvidersAreUnderstood replays what Entra ID and Okta send.
func TestTheDialectsOfLargeProvidersAreUnderstood(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("the recorded conversations: %v %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var v vector
			if err := json.Unmarshal(content, &v); err != nil || v.Source == "" {
				t.Fatalf("source %q: %v", v.Source, err)
			}
			r, kept := newRig(t), []string{}
			for _, step := range v.Steps {
				r.at = r.at.Add(time.Second)
				fill := strings.NewReplacer(kept...).Replace
				a := r.call(step.Method, fill(step.Path), fill(string(step.Body)))
				if a.code != step.Status {
					t.Fatalf("%s: %d %v, not %d", step.What, a.code, a.body, step.Status)
				}
				for path, want := range step.Has {
					if s, ok := want.(string); ok {
						want = fill(s)
					}
					if got, ok := at(a.body, path); !ok || !reflect.DeepEqual(got, want) {
						t.Errorf("%s: %s is %v, not %v, in %v", step.What, path, got, want, a.body)
					}
				}
				for _, path := range step.Absent {
					if got, ok := at(a.body, path); ok {
						t.Errorf("%s: %s is there: %v", step.What, path, got)
					}
				}
				for name, path := range step.Keep {
					id, _ := at(a.body, path)
					kept = append(kept, "{"+name+"}", id.(string))
				}
			}
		})
	}
}
