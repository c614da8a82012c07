package tlog

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

var update = flag.Bool("update", false, "write testdata/checkpoints.json anew")

const testOrigin = "sealdock.example/north"

func testKey(first byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append([]byte{first}, make([]byte, 31)...))
}

func testSigner(t testing.TB, name string, first byte) (note.Signer, note.Verifier) {
	t.Helper()
	key := testKey(first)
	s, err := NewSigner(name, key)
	must(t, err)
	v, err := NewVerifier(name, key.Public().(ed25519.PublicKey))
	must(t, err)
	return s, v
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// checkpointCase is one case of testdata/checkpoints.json, FORMAT.md section 6.
type checkpointCase struct {
	Name string
	OK   bool
	Key  string // verifier key, C2SP signed-note
	Text string
}

func TestCheckpointVectors(t *testing.T) {
	path := filepath.Join("testdata", "checkpoints.json")
	if *update {
		text, err := json.MarshalIndent(makeCheckpoints(t), "", " ")
		must(t, err)
		must(t, os.WriteFile(path, append(text, '\n'), 0o644))
	}
	text, err := os.ReadFile(path)
	must(t, err)
	var cases []checkpointCase
	must(t, json.Unmarshal(text, &cases))
	if len(cases) < 20 {
		t.Fatalf("only %d cases", len(cases))
	}
	want := Checkpoint{testOrigin, 70000, LeafHash([]byte("root"))}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			v, err := note.NewVerifier(c.Key)
			must(t, err)
			got, err := OpenCheckpoint([]byte(c.Text), testOrigin, v)
			switch {
			case c.OK && (err != nil || got != want && c.Name != "empty_log"):
				t.Errorf("%+v, %v", got, err)
			case !c.OK && !errors.Is(err, ErrCheckpoint):
				t.Errorf("%+v, %v, want ErrCheckpoint", got, err)
			}
		})
	}
}

func makeCheckpoints(t *testing.T) []checkpointCase {
	s, v := testSigner(t, testOrigin, 1)
	witness, _ := testSigner(t, "witness.example", 2)
	stranger, _ := testSigner(t, testOrigin, 3)
	key, err := VerifierKey(testOrigin, testKey(1).Public().(ed25519.PublicKey))
	must(t, err)
	root := LeafHash([]byte("root"))
	good, err := SignCheckpoint(Checkpoint{testOrigin, 70000, root}, s)
	must(t, err)
	empty, err := SignCheckpoint(Checkpoint{testOrigin, 0, emptyRoot()}, s)
	must(t, err)
	opened, err := note.Open(good, note.VerifierList(v))
	must(t, err)
	cosigned, err := note.Sign(opened, witness)
	must(t, err)
	lines := strings.SplitAfter(opened.Text, "\n")
	signed := func(s note.Signer, text string) string {
		b, err := note.Sign(&note.Note{Text: text}, s)
		must(t, err)
		return string(b)
	}
	list := []checkpointCase{
		{"good", true, key, string(good)},
		{"cosigned", true, key, string(cosigned)},
		{"empty_log", true, key, string(empty)},
	}
	refused := map[string]string{
		"signed_by_a_stranger":    signed(stranger, opened.Text),
		"signed_by_witness_only":  signed(witness, opened.Text),
		"other_log":               signed(s, "sealdock.example/south\n"+lines[1]+lines[2]),
		"size_changed":            strings.Replace(string(good), "70000", "70001", 1),
		"unsigned":                opened.Text + "\n",
		"no_text":                 "",
		"size_negative":           signed(s, lines[0]+"-1\n"+lines[2]),
		"size_plus":               signed(s, lines[0]+"+5\n"+lines[2]),
		"size_leading_zero":       signed(s, lines[0]+"07\n"+lines[2]),
		"size_hex":                signed(s, lines[0]+"0x7\n"+lines[2]),
		"size_beyond_64_bits":     signed(s, lines[0]+"18446744073709551616\n"+lines[2]),
		"size_beyond_bound":       signed(s, lines[0]+"281474976710657\n"+lines[2]),
		"empty_log_with_a_root":   signed(s, lines[0]+"0\n"+lines[2]),
		"root_short":              signed(s, lines[0]+lines[1]+"AAAA\n"),
		"root_not_base64":         signed(s, lines[0]+lines[1]+strings.Repeat("!", 44)+"\n"),
		"root_url_alphabet":       signed(s, lines[0]+lines[1]+strings.NewReplacer("+", "-", "/", "_").Replace("+/"+lines[2][2:])),
		"root_with_trailing_bits": signed(s, lines[0]+lines[1]+lines[2][:42]+"B=\n"),
		"extension_line":          signed(s, opened.Text+"more\n"),
		"line_missing":            signed(s, lines[0]+lines[1]),
		"origin_empty":            signed(s, "\n"+lines[1]+lines[2]),
	}
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		list = append(list, checkpointCase{name, false, key, refused[name]})
	}
	return list
}

func TestSignRefusesWhatOpenWouldRefuse(t *testing.T) {
	s, _ := testSigner(t, testOrigin, 1)
	for name, c := range map[string]Checkpoint{
		"no name":         {"", 1, Hash{}},
		"line in name":    {"a\nb", 1, Hash{}},
		"space in name":   {"a b", 1, Hash{}},
		"broken text":     {"a\xff", 1, Hash{}},
		"long name":       {strings.Repeat("a", 257), 1, Hash{}},
		"negative":        {"a", -1, Hash{}},
		"too large":       {"a", MaxSize + 1, Hash{}},
		"empty with root": {"a", 0, Hash{1}},
	} {
		if text, err := SignCheckpoint(c, s); err == nil {
			t.Errorf("%s: signed %q", name, text)
		}
	}
	if _, err := NewSigner("with space", testKey(1)); err == nil {
		t.Error("a name with a space was taken")
	}
	if _, err := NewSigner("a", testKey(1)[:12]); err == nil {
		t.Error("a short key was taken")
	}
	if _, err := NewVerifier("a", make([]byte, 5)); err == nil {
		t.Error("a short public key was taken")
	}
}

func TestEntryHashesSaltAndEventApart(t *testing.T) {
	// SHA-256 of "sealdock/log-entry/v1\n" 00000004 "salt" "event", FORMAT.md section 2
	const want = "5bf57f0b215e5aa0f5d3f1fd5cc3494ecc7e5c776b61e39419b2b7008a61db09"
	if got := Hash(Entry([]byte("salt"), []byte("event"))); hexText(got) != want {
		t.Errorf("%s, want %s", hexText(got), want)
	}
	if bytes.Equal(Entry([]byte("salte"), []byte("vent")), Entry([]byte("salt"), []byte("event"))) {
		t.Error("the border between salt and event does not matter")
	}
}

func FuzzOpenCheckpoint(f *testing.F) {
	s, v := testSigner(f, testOrigin, 1)
	good, err := SignCheckpoint(Checkpoint{testOrigin, 70000, Hash{1}}, s)
	must(f, err)
	f.Add(good)
	f.Add(bytes.Replace(good, []byte("70000"), []byte("7000"), 1))
	f.Add([]byte("\n\n— "))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := OpenCheckpoint(text, testOrigin, v); err == nil && (c != Checkpoint{testOrigin, 70000, Hash{1}}) {
			t.Fatalf("forged: %+v", c)
		}
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add(Checkpoint{testOrigin, 70000, Hash{1}}.text())
	f.Add(Checkpoint{testOrigin, 0, emptyRoot()}.text())
	f.Add("a\n-1\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCheckpoint(text)
		if err == nil && c.text() != text {
			t.Fatalf("%q came back as %q", text, c.text())
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	f.Add(appendBundle(appendBundle(nil, []byte("one")), nil), 2)
	f.Add([]byte{0xFF, 0xFF, 1}, 1)
	f.Add([]byte{}, 0)
	f.Add([]byte{0, 0}, 256)
	f.Fuzz(func(t *testing.T, data []byte, count int) {
		entries, err := ParseBundle(data, count)
		cut, cutErr := []byte(nil), error(nil)
		if count >= 0 && count <= tileWidth {
			cut, cutErr = cutBundle(data, count)
		}
		if err != nil {
			return
		}
		var again []byte
		for _, e := range entries {
			again = appendBundle(again, e)
		}
		if len(entries) != count || !bytes.Equal(again, data) || cutErr != nil || !bytes.Equal(cut, data) {
			t.Fatalf("%x came back as %x, cut %x, %v", data, again, cut, cutErr)
		}
	})
}

func FuzzValidPath(f *testing.F) {
	for _, path := range []string{"tile/0/000", "tile/entries/x001/234.p/7", "tile/0/../x", "tile/0/000.p/256"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if ValidPath(path) && (!filepath.IsLocal(path) || filepath.Clean(path) != path || !strings.HasPrefix(path, "tile/")) {
			t.Fatalf("%q is said to be valid", path)
		}
	})
}

func FuzzCheckProofs(f *testing.F) {
	f.Add([]byte{1, 2, 3}, int64(700), int64(5))
	f.Add(make([]byte, 64*32), int64(1)<<62, int64(1)<<61)
	f.Add([]byte{}, int64(-1), int64(0))
	f.Fuzz(func(t *testing.T, data []byte, size, index int64) {
		var proof []Hash
		for len(data) >= 32 {
			proof, data = append(proof, Hash(data[:32])), data[32:]
		}
		root, leaf := LeafHash([]byte("root")), LeafHash([]byte("leaf")) // no proof of a hash that was made for nothing
		if err := CheckInclusion(proof, size, index, root, leaf); err == nil {
			t.Fatal("a forged inclusion was accepted")
		}
		if err := CheckConsistency(proof, size, root, index, leaf); err == nil && index != 0 {
			t.Fatal("a forged consistency was accepted")
		}
	})
}

func hexText(h Hash) string { return hex.EncodeToString(h[:]) }
