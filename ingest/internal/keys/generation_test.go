package keys

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

func generateNext(t *testing.T, ring *Ring) Generation {
	t.Helper()
	g, err := ring.Generate("springfield", time.Date(2026, 11, 26, 9, 30, 0, 5, time.UTC), func(Generation) error { return nil })
	must(t, err)
	return g
}

func TestARingFollowsWhatAnotherProcessDoes(t *testing.T) {
	dir := t.TempDir()
	mine, err := Create(dir, "springfield")
	must(t, err)
	first, _, err := mine.Newest("springfield")
	must(t, err)
	other, err := Open(dir)
	must(t, err)
	id := evidence.NewEvidenceID()
	key, old := wrapFor(t, mine, "springfield", id, 1)

	second := generateNext(t, other)
	if second.Number != 2 || second.ID == first.ID || second.MadeAt.IsZero() {
		t.Errorf("the second generation: %+v", second)
	}
	wrapped, to, err := other.Rewrap("springfield", id, 1, old)
	must(t, err)
	if to != second.ID || bytes.Equal(wrapped, old) {
		t.Errorf("wrapped to %s", to)
	}
	got, err := mine.Unwrap("springfield", id, 1, wrapped) // it has not heard of the second yet
	if err != nil || got != key {
		t.Errorf("what another process wrapped does not open: %v", err)
	}
	if newest, _, err := mine.Newest("springfield"); err != nil || newest != second {
		t.Errorf("newest: %+v, %v", newest, err)
	}
	if same, again, err := mine.Rewrap("springfield", id, 1, wrapped); err != nil || again != second.ID || !bytes.Equal(same, wrapped) {
		t.Errorf("what is wrapped to the newest was wrapped again: %v", err)
	}
	for _, id := range []ID{first.ID, "", second.ID} {
		if _, err := mine.Told("springfield", id); err != nil {
			t.Errorf("the key that a dock was told, %q: %v", id, err)
		}
	}

	must(t, other.Retire("springfield", first.ID))
	for _, id := range []ID{first.ID, ""} {
		if _, err := mine.Told("springfield", id); !errors.Is(err, ErrNoKey) {
			t.Errorf("a retired key is still told: %v", err)
		}
	}
	if _, err := mine.Unwrap("springfield", id, 1, old); !errors.Is(err, seal.ErrUnwrap) {
		t.Errorf("a retired key still opens: %v", err)
	}
	if err := other.Retire("springfield", second.ID); err == nil {
		t.Error("the only key was retired")
	}
	if err := other.Retire("springfield", first.ID); !errors.Is(err, ErrNoKey) {
		t.Errorf("retired twice: %v", err)
	}
}

// TestARetirementThatWasCutShortIsEnded: the file was moved aside, and no more.
func TestARetirementThatWasCutShortIsEnded(t *testing.T) {
	dir := t.TempDir()
	ring, err := Create(dir, "springfield")
	must(t, err)
	first, _, err := ring.Newest("springfield")
	must(t, err)
	generateNext(t, ring)
	aside := filepath.Join(dir, retiring+string(first.ID)+"-agency-springfield.key")
	must(t, os.Rename(filepath.Join(dir, "agency-springfield.key"), aside))
	ring, err = Open(dir)
	must(t, err)
	must(t, ring.Retire("springfield", first.ID))
	if _, err := os.Stat(aside); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestAKeyThatCannotBeRecordedIsNotMade(t *testing.T) {
	dir := t.TempDir()
	ring, err := Create(dir, "springfield")
	must(t, err)
	refused := errors.New("no room in the catalog")
	if _, err := ring.Generate("springfield", time.Now(), func(Generation) error { return refused }); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if all, err := ring.Generations("springfield"); err != nil || len(all) != 1 {
		t.Errorf("%d generations, %v", len(all), err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

// TestNoGenerationOpensInAnothersPlace moves and changes the file of a second
// generation.
func TestNoGenerationOpensInAnothersPlace(t *testing.T) {
	for name, spoil := range map[string]func(name string, file []byte) (string, []byte){
		"as the first": func(string, []byte) (string, []byte) { return "agency-springfield.key", nil },
		"of another agency": func(name string, f []byte) (string, []byte) {
			return strings.Replace(name, "springfield", "shelbyville", 1), f
		},
		"with a higher number": func(name string, f []byte) (string, []byte) { return strings.Replace(name, ".2-", ".3-", 1), f },
		"with the number within": func(name string, f []byte) (string, []byte) {
			return strings.Replace(name, ".2-", ".3-", 1), bytes.Replace(f, []byte(`"number":2`), []byte(`"number":3`), 1)
		},
		"as version 1": func(name string, f []byte) (string, []byte) {
			return name, append([]byte(magic), f[bytes.LastIndexByte(f[:200], '\n')+1:]...)
		},
		"with another date": func(name string, f []byte) (string, []byte) {
			return name, bytes.Replace(f, []byte("2026-"), []byte("2027-"), 1)
		},
		"cut": func(name string, f []byte) (string, []byte) { return name, f[:len(f)-1] },
		"number of none": func(name string, f []byte) (string, []byte) {
			return name, bytes.Replace(f, []byte(`"number":2`), []byte(`"number":0`), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ring, err := Create(dir, "springfield")
			must(t, err)
			generateNext(t, ring)
			paths, err := filepath.Glob(filepath.Join(dir, "agency-springfield.2-*.key"))
			if err != nil || len(paths) != 1 {
				t.Fatalf("%v, %v", paths, err)
			}
			file, err := os.ReadFile(paths[0])
			must(t, err)
			must(t, os.Remove(paths[0]))
			if _, err := Open(dir); err != nil {
				t.Fatalf("the first generation alone: %v", err)
			}
			as, put := spoil(filepath.Base(paths[0]), bytes.Clone(file))
			if put == nil {
				put = file
			}
			must(t, os.WriteFile(filepath.Join(dir, as), put, 0o600))
			if _, err := Open(dir); err == nil {
				t.Error("it opened")
			}
		})
	}
}

func FuzzReadGeneration(f *testing.F) {
	f.Add([]byte(magic + "wrapped"))
	f.Add([]byte(generationMagic + `{"agency":"springfield","number":2,"key":"00112233445566778899aabbccddeeff","made_at":"2026-11-26T09:30:00Z"}` + "\nwrapped"))
	f.Fuzz(func(t *testing.T, file []byte) {
		g, purpose, context, wrapped, err := readGeneration(file, "springfield")
		if err != nil {
			return
		}
		if g.Agency != "springfield" || g.Number < 1 || g.Number > maxGeneration || len(context) > maxHeaderLine || len(purpose)+len(wrapped) > len(file) {
			t.Errorf("%+v", g)
		}
	})
}
