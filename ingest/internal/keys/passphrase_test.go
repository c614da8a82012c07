package keys

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealdock/sealdock/proto/evidence"
)

const phrase = "correct horse battery staple"

func say(text string) Ask { return func() ([]byte, error) { return []byte(text), nil } }

// protected makes a folder whose root key is under phrase.
func protected(t *testing.T) (dir string, ring *Ring) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "keys")
	ring, err := CreateProtected(dir, "springfield", []byte(phrase))
	must(t, err)
	return dir, ring
}

func TestAProtectedFolderOpensWithItsPassphraseOnly(t *testing.T) {
	dir, ring := protected(t)
	id := evidence.NewEvidenceID()
	key, wrapped := wrapFor(t, ring, "springfield", id, 1)
	if p, err := ProtectionOf(dir); p != Passphrase || err != nil {
		t.Errorf("protection %q, %v", p, err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("without a passphrase: %v, want ErrLocked", err)
	}
	for _, wrong := range []string{"", "correct horse battery stapl", phrase + "\x00", "Correct horse battery staple"} {
		if _, err := OpenWith(dir, say(wrong)); !errors.Is(err, ErrPassphrase) {
			t.Errorf("passphrase %q: %v, want ErrPassphrase", wrong, err)
		}
	}
	again, err := OpenWith(dir, say(phrase))
	must(t, err)
	got, err := again.Unwrap("springfield", id, 1, wrapped)
	if err != nil || got != key {
		t.Fatalf("the item's key does not come back: %v", err)
	}
}

func TestAPassphraseIsChangedAndTakenAwayWithoutTouchingTheKeys(t *testing.T) {
	dir, ring := protected(t)
	id := evidence.NewEvidenceID()
	key, wrapped := wrapFor(t, ring, "springfield", id, 1)
	opens := func(ask Ask) error {
		again, err := OpenWith(dir, ask)
		if err != nil {
			return err
		}
		if got, err := again.Unwrap("springfield", id, 1, wrapped); err != nil || got != key {
			t.Errorf("the item's key does not come back: %v", err)
		}
		return nil
	}
	const second = "another phrase, just as long"
	if err := Protect(dir, Guard{Ask: say("not the former phrase")}, Target{Protection: Passphrase, Secret: []byte(second), FIPS: false}); !errors.Is(err, ErrPassphrase) {
		t.Errorf("changed with a wrong former one: %v", err)
	}
	if err := Protect(dir, Guard{Ask: say(phrase)}, Target{Protection: Passphrase, Secret: []byte("too short"), FIPS: false}); err == nil {
		t.Error("a short passphrase was taken")
	}
	must(t, opens(say(phrase)))                    // nothing has changed yet
	former := filepath.Join(t.TempDir(), "former") // a second name for what the disk holds
	must(t, os.Link(filepath.Join(dir, rootName), former))
	must(t, Protect(dir, Guard{Ask: say(phrase)}, Target{Protection: Passphrase, Secret: []byte(second), FIPS: true}))
	must(t, opens(say(second)))
	if err := opens(say(phrase)); !errors.Is(err, ErrPassphrase) {
		t.Errorf("the former passphrase: %v, want ErrPassphrase", err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, rootName)); err != nil || !bytes.Contains(text, []byte(`"kdf":"`+PBKDF2+`"`)) {
		t.Errorf("it was to be stretched as FIPS allows: %v\n%q", err, text)
	}
	if left, err := os.ReadFile(former); err != nil || len(left) == 0 || len(bytes.Trim(left, "\x00")) > 0 {
		t.Errorf("the former root key was not overwritten: %d bytes, %v", len(left), err)
	}
	must(t, Protect(dir, Guard{Ask: say(second)}, Target{Protection: None}))
	must(t, opens(nil))
}

// TestTheFormerRootKeyStaysUntilTheNewOneIsDurable: a write that fails, or of which
// nobody knows whether it failed, leaves the former one as it was.
func TestTheFormerRootKeyStaysUntilTheNewOneIsDurable(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir, "springfield"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, rootName)
	before, err := os.ReadFile(path)
	must(t, err)
	full := errors.New("no space")
	if err := replaceRoot(path, []byte("new"), func(string, []byte, os.FileMode) error { return full }); !errors.Is(err, full) {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the root key was harmed: %v", err)
	}
}

// TestAFileCannotAskForMoreThanIsBounded changes what a file says of its own
// stretching: it must be refused before any work is done, or not open.
func TestAFileCannotAskForMoreThanIsBounded(t *testing.T) {
	dir, _ := protected(t)
	path := filepath.Join(dir, rootName)
	whole, err := os.ReadFile(path)
	must(t, err)
	d, head, sealed, err := readLocked(rootMagic, whole)
	must(t, err)
	rest := strings.TrimPrefix(string(head), rootMagic)
	was := `"kdf":"argon2id","time":3,"memory_kib":65536,"threads":4`
	if d.KDF == PBKDF2 {
		was = `"kdf":"pbkdf2-hmac-sha512","rounds":600000`
	}
	if !strings.Contains(rest, was) {
		t.Fatalf("the header has changed: %s", rest)
	}
	for name, put := range map[string]string{
		"much memory":     `"kdf":"argon2id","time":3,"memory_kib":4294967295,"threads":4`,
		"little memory":   `"kdf":"argon2id","time":3,"memory_kib":8,"threads":4`,
		"many passes":     `"kdf":"argon2id","time":4294967295,"memory_kib":65536,"threads":4`,
		"no passes":       `"kdf":"argon2id","memory_kib":65536,"threads":4`,
		"many threads":    `"kdf":"argon2id","time":3,"memory_kib":65536,"threads":255`,
		"too many rounds": `"kdf":"pbkdf2-hmac-sha512","rounds":9000000000`,
		"few rounds":      `"kdf":"pbkdf2-hmac-sha512","rounds":1000`,
		"both":            `"kdf":"pbkdf2-hmac-sha512","rounds":600000,"time":3`,
		"another way":     `"kdf":"scrypt","time":3`,
		"unknown field":   was + `,"pepper":1`,
		"two values":      was + `},{`,
		"no salt":         was + `,"salt":""`,
	} {
		t.Run(name, func(t *testing.T) {
			text := rootMagic + strings.Replace(rest, was, put, 1) + string(sealed)
			if name == "no salt" {
				text = rootMagic + "{" + put + "}\n" + string(sealed)
			}
			_, _, _, err := readLocked(rootMagic, []byte(text))
			if err == nil {
				t.Fatal("it was read")
			}
			must(t, os.WriteFile(path, []byte(text), 0o600))
			if _, err := OpenWith(dir, say(phrase)); err == nil || errors.Is(err, ErrPassphrase) {
				t.Errorf("%v: the passphrase was blamed, or nothing was", err)
			}
		})
	}
	if d.KDF == Argon2id { // within the bounds, but not what the file was made with
		weaker := rootMagic + strings.Replace(rest, was, `"kdf":"argon2id","time":1,"memory_kib":19456,"threads":4`, 1) + string(sealed)
		if _, err := unlock(rootMagic, []byte(phrase), []byte(weaker)); !errors.Is(err, ErrPassphrase) {
			t.Errorf("weakened: %v", err)
		}
	}
	for n := range len(whole) {
		if _, _, _, err := readLocked(rootMagic, whole[:n]); err == nil && n < len(head) {
			t.Errorf("cut to %d bytes it was read", n)
		}
	}
}

// TestNoKindOfFileOpensInAnothersPlace: the same passphrase, the same root, and
// yet another purpose.
func TestNoKindOfFileOpensInAnothersPlace(t *testing.T) {
	d := newDerivation()
	file, err := lock("sealdock/another-kind/v1\n", d, []byte(phrase), make([]byte, rootSize))
	must(t, err)
	renamed := append([]byte(rootMagic), bytes.TrimPrefix(file, []byte("sealdock/another-kind/v1\n"))...)
	if _, err := unlock(rootMagic, []byte(phrase), renamed); !errors.Is(err, ErrPassphrase) {
		t.Errorf("a file of another kind opened as a root key: %v", err)
	}
	r := newLocalRoot()
	wrapped, err := r.wrap("purpose a\n", []byte("x"), []byte("secret"))
	must(t, err)
	for _, c := range []struct{ purpose, context string }{{"purpose b\n", "x"}, {"purpose a\n", "y"}, {"purpose a\n", ""}, {"purpose a", "\nx"}} {
		if _, err := r.unwrap(c.purpose, []byte(c.context), wrapped); err == nil {
			t.Errorf("it opened as %q %q", c.purpose, c.context)
		}
	}
	if got, err := r.unwrap("purpose a\n", []byte("x"), wrapped); err != nil || string(got) != "secret" {
		t.Errorf("it does not open in its place: %v", err)
	}
}

func FuzzReadLocked(f *testing.F) {
	f.Add([]byte(rootMagic + `{"kdf":"argon2id","time":3,"memory_kib":65536,"threads":4,"salt":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}` + "\nsealed"))
	f.Add([]byte(rootMagic + `{"kdf":"pbkdf2-hmac-sha512","rounds":600000,"salt":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}` + "\nsealed"))
	f.Add(make([]byte, rootSize))
	f.Fuzz(func(t *testing.T, file []byte) {
		d, head, sealed, err := readLocked(rootMagic, file)
		if err != nil {
			return
		}
		if !bytes.Equal(append(bytes.Clone(head), sealed...), file) {
			t.Error("bytes were dropped")
		}
		if d.MemoryKiB > maxArgonMemory || d.Time > maxArgonTime || d.Rounds > maxPBKDFRounds || len(d.Salt) != kdfSaltSize {
			t.Errorf("out of bounds: %+v", d)
		}
	})
}

// BenchmarkUnlock is what a start with a passphrase costs.
func BenchmarkUnlock(b *testing.B) {
	for name, d := range map[string]*derivation{
		Argon2id: {KDF: Argon2id, Time: argonTime, MemoryKiB: argonMemory, Threads: argonThreads, Salt: make([]byte, kdfSaltSize)},
		PBKDF2:   {KDF: PBKDF2, Rounds: pbkdfRounds, Salt: make([]byte, kdfSaltSize)},
	} {
		b.Run(name, func(b *testing.B) {
			file, err := lock(rootMagic, d, []byte(phrase), make([]byte, rootSize))
			if err != nil {
				b.Skip(err) // Argon2id in FIPS mode
			}
			for b.Loop() {
				if _, err := unlock(rootMagic, []byte(phrase), file); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
