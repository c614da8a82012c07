package auth

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// testHasher does few rounds: what is tested is the rest.
func testHasher(t testing.TB, pepper byte) *Hasher {
	t.Helper()
	h, err := NewHasher([]byte(strings.Repeat(string(rune(pepper)), PepperSize)), 2)
	if err != nil {
		t.Fatal(err)
	}
	h.rounds = 10
	return h
}

func TestAStoredPasswordIsHeldToTheRoundsThatTheStandardWants(t *testing.T) {
	h, err := NewHasher(make([]byte, PepperSize), 1)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := h.Hash(t.Context(), "ferry lantern wheat orbit")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "$pbkdf2-sha512-hmac$i=210000,k=") {
		t.Errorf("stored as %.40q", stored)
	}
	if ok, err := h.Verify(t.Context(), stored, "ferry lantern wheat orbit"); !ok || err != nil {
		t.Errorf("the right password: %v, %v", ok, err)
	}
}

func TestOnlyTheSamePasswordFits(t *testing.T) {
	h := testHasher(t, 'p')
	rapid.Check(t, func(rt *rapid.T) {
		one, other := rapid.String().Draw(rt, "one"), rapid.String().Draw(rt, "other")
		stored, err := h.Hash(t.Context(), one)
		if err != nil {
			rt.Fatal(err)
		}
		if ok, err := h.Verify(t.Context(), stored, one); !ok || err != nil {
			rt.Fatalf("the same: %v, %v", ok, err)
		}
		if ok, _ := h.Verify(t.Context(), stored, other); ok != (one == other) {
			rt.Fatalf("%q passed for %q", other, one)
		}
	})
}

// HMAC's padding must not make two passwords one.
func TestZeroBytesBehindAPasswordCount(t *testing.T) {
	h := testHasher(t, 'p')
	for _, pair := range [][2]string{{"", "\x00"}, {"a long walk by the river", "a long walk by the river\x00"}, {"x\x00", "x\x00\x00"}} {
		stored, err := h.Hash(t.Context(), pair[0])
		if err != nil {
			t.Fatal(err)
		}
		if ok, _ := h.Verify(t.Context(), stored, pair[1]); ok {
			t.Errorf("%q passed for %q", pair[1], pair[0])
		}
	}
}

func TestTwoHashesOfOnePasswordDiffer(t *testing.T) {
	h := testHasher(t, 'p')
	a, _ := h.Hash(t.Context(), "the same password")
	b, _ := h.Hash(t.Context(), "the same password")
	if a == b {
		t.Error("the salt is not random")
	}
}

func TestAPasswordOfAnotherPepperIsNoFailureOfThePerson(t *testing.T) {
	stored, err := testHasher(t, 'p').Hash(t.Context(), "ferry lantern wheat orbit")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := testHasher(t, 'q').Verify(t.Context(), stored, "ferry lantern wheat orbit"); !errors.Is(err, ErrPepper) {
		t.Errorf("another pepper: %v", err)
	}
}

func TestMoreSignInsThanCanWaitAreToldSo(t *testing.T) {
	h := testHasher(t, 'p')
	for range cap(h.queue) {
		h.queue <- struct{}{}
	}
	if _, err := h.Hash(t.Context(), "ferry lantern wheat orbit"); !errors.Is(err, ErrBusy) {
		t.Errorf("a full queue: %v", err)
	}
	for range cap(h.queue) {
		<-h.queue
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := h.Hash(t.Context(), "ferry lantern wheat orbit"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func FuzzStoredText(f *testing.F) {
	h := testHasher(f, 'p')
	good, _ := h.Hash(f.Context(), "x")
	for _, s := range []string{good, "", "$", "$$$$", strings.Replace(good, "i=10", "i=0", 1), strings.Replace(good, "i=10", "i=-1", 1), good + "$", "$pbkdf2-sha512-hmac$i=10,k=00000000$AA$AA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseStored(s)
		if err == nil && (p.rounds < 1 || p.rounds > maxRounds || len(p.salt) != saltSize || len(p.sum) != hashSize) {
			t.Errorf("%q was read as %+v", s, p)
		}
	})
}

func TestPasswordsThatWouldBeGuessedAreRefusedWithAReason(t *testing.T) {
	words := []string{"harbour-city-pd", "a.moreno", "Alba", "Moreno"}
	for _, c := range []struct{ password, reason string }{
		{"short", "15"},
		{"fourteen chars", "15"},
		{strings.Repeat("ü", 14), "15"},
		{strings.Repeat("long ", 26), "128"},
		{"Password-Password", "common"},
		{"correct horse battery staple", "common"},
		{"Correct Horse Battery Staple!1", "common"},
		{"aaaaaaaaaaaaaaaa", "repetition"},
		{"abcabcabcabcabcabc", "repetition"},
		{"1234567890123456", "repetition"},
		{"0123456789abcdef", "repetition"},
		{"harbour-city-pd 2026", "name"},
		{"Alba Moreno 123456", "name"},
		{"sealdock-evidence-1", "name"},
		{"a.moreno a.moreno a.moreno x", "name"},
		{"ferry \xff lantern wheat", "text"},
	} {
		if err := CheckPassword(c.password, words...); err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%q: %v, want a reason with %q", c.password, err, c.reason)
		}
	}
	for _, password := range []string{
		"ferry lantern wheat orbit", "кораблі в гавані чекають", strings.Repeat("four unrelated! ", 8), "$%&/()=?#+*~;:_-<>|", "94710385620174936",
		"harbour-city-pd has a quiet lighthouse",
	} {
		if err := CheckPassword(password, words...); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
}
