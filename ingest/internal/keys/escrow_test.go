package keys

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

var twoHolders = [2]Holder{{"a.moreno", []byte("ferry lantern wheat orbit")}, {"b.lee", []byte("violet anchor prairie 08")}}

// answers gives each holder's passphrase, or another one.
func answers(instead map[string]string) func(string) ([]byte, error) {
	return func(holder string) ([]byte, error) {
		if text, ok := instead[holder]; ok {
			return []byte(text), nil
		}
		for _, h := range twoHolders {
			if h.Name == holder {
				return bytes.Clone(h.Passphrase), nil
			}
		}
		return nil, fmt.Errorf("asked for %q", holder)
	}
}

func TestAnEscrowTakesBothPeopleAndGivesEverythingBack(t *testing.T) {
	ring, err := Create(t.TempDir(), "springfield")
	must(t, err)
	id := evidence.NewEvidenceID()
	key, old := wrapFor(t, ring, "springfield", id, 1)
	generateNext(t, ring)
	_, young := wrapFor(t, ring, "springfield", id, 2)
	side := map[string][]byte{"keys/receipt.key": []byte("receipt"), "authority/authority.crt": []byte("certificate")}
	escrow, err := ring.Escrow("springfield", time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC), side)
	must(t, err)
	file, err := escrow.Seal(twoHolders)
	must(t, err)
	if text := fmt.Sprintf("%v %+v %#v %s", escrow, escrow, escrow, *escrow); bytes.Contains([]byte(text), []byte("receipt")) {
		t.Errorf("an escrow shows itself: %s", text)
	}
	for _, h := range twoHolders {
		if _, _, err := OpenEscrow(file, answers(map[string]string{h.Name: "not the passphrase of anybody"})); !errors.Is(err, ErrPassphrase) {
			t.Errorf("without %s: %v", h.Name, err)
		}
	}
	if _, _, err := OpenEscrow(file, answers(map[string]string{"a.moreno": string(twoHolders[1].Passphrase), "b.lee": string(twoHolders[0].Passphrase)})); !errors.Is(err, ErrPassphrase) {
		t.Errorf("exchanged passphrases: %v", err)
	}
	if _, err := unlock(rootMagic, twoHolders[0].Passphrase, append([]byte(rootMagic), bytes.TrimPrefix(file, []byte(escrowMagic))...)); !errors.Is(err, ErrPassphrase) {
		t.Errorf("an escrow opened as a root key: %v", err)
	}
	back, holders, err := OpenEscrow(file, answers(nil))
	must(t, err)
	if holders != [2]string{"a.moreno", "b.lee"} || len(back.Generations()) != 2 || !back.MadeAt.Equal(escrow.MadeAt) || string(back.Files("keys")["receipt.key"]) != "receipt" {
		t.Errorf("%v, %v", holders, back.Generations())
	}
	memory := back.Ring()
	if got, err := memory.Unwrap("springfield", id, 1, old); err != nil || got != key {
		t.Errorf("the escrow's keys do not open what the first generation opened: %v", err)
	}
	if _, err := memory.Generate("springfield", time.Now(), func(Generation) error { return nil }); err == nil {
		t.Error("a key was made of an escrow in memory")
	}
	dir := filepath.Join(t.TempDir(), "keys")
	must(t, back.Restore(dir, []byte(phrase)))
	restored, err := OpenWith(dir, say(phrase))
	must(t, err)
	for attempt, wrapped := range map[uint32][]byte{1: old, 2: young} {
		if _, err := restored.Unwrap("springfield", id, attempt, wrapped); err != nil {
			t.Errorf("attempt %d: %v", attempt, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "receipt.key")); err != nil || string(text) != "receipt" {
		t.Errorf("the side file: %q, %v", text, err)
	}
	if err := back.Restore(dir, nil); err == nil {
		t.Error("it was restored over what is there")
	}
}

func TestAnEscrowThatOnePersonCouldOpenIsNotMade(t *testing.T) {
	ring, err := Create(t.TempDir(), "springfield")
	must(t, err)
	escrow, err := ring.Escrow("springfield", time.Now(), nil)
	must(t, err)
	for what, holders := range map[string][2]Holder{
		"one name":         {{"a.moreno", twoHolders[0].Passphrase}, {"a.moreno", twoHolders[1].Passphrase}},
		"one passphrase":   {{"a.moreno", twoHolders[0].Passphrase}, {"b.lee", twoHolders[0].Passphrase}},
		"short passphrase": {{"a.moreno", twoHolders[0].Passphrase}, {"b.lee", []byte("short")}},
		"no name":          {{"a.moreno", twoHolders[0].Passphrase}, {"", twoHolders[1].Passphrase}},
		"a name of lines":  {{"a.moreno", twoHolders[0].Passphrase}, {"b\nlee", twoHolders[1].Passphrase}},
	} {
		if _, err := escrow.Seal(holders); err == nil {
			t.Errorf("%s: it was made", what)
		}
	}
	for _, name := range []string{"keys/root.key", "keys/agency-springfield.key", "keys/../x", "keys/", "other/x", "x", "authority/.x", `keys/a\b`} {
		if _, err := ring.Escrow("springfield", time.Now(), map[string][]byte{name: nil}); err == nil {
			t.Errorf("%s was taken in", name)
		}
	}
}

// FuzzParseEscrow reads what the holders of both passphrases could write.
func FuzzParseEscrow(f *testing.F) {
	f.Add([]byte(`{"version":1,"agency":"springfield","made_at":"2026-11-26T09:30:00Z","pairs":[{"agency":"springfield","number":1,"key":"00112233445566778899aabbccddeeff","made_at":"0001-01-01T00:00:00Z","private":"AFAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}],"files":{"keys/x.key":"AA=="}}`))
	f.Fuzz(func(t *testing.T, plain []byte) {
		e, err := parseEscrow(plain)
		if err != nil {
			return
		}
		for folder, files := range map[string]map[string][]byte{"keys": e.Files("keys"), "authority": e.Files("authority")} {
			for name := range files {
				if filepath.Base(name) != name || !filepath.IsLocal(filepath.Join(folder, name)) {
					t.Errorf("it would be written to %q", name)
				}
			}
		}
	})
}
