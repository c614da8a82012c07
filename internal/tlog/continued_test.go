package tlog

import (
	"crypto/ed25519"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestNamesOfRestoredLogs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.StringMatching(`[a-z][a-z./-]{0,20}`).Draw(t, "name")
		n, m := rapid.IntRange(0, MaxRestores).Draw(t, "restores"), rapid.IntRange(0, MaxRestores).Draw(t, "others")
		name := Continued(first, n)
		if gotFirst, got := Restores(name); got != n || gotFirst != first {
			t.Fatalf("%s is %q after %d restores", name, gotFirst, got)
		}
		if Continues(name, Continued(first, m)) != (m <= n) {
			t.Fatalf("%d restores and %d", n, m)
		}
		if Continues(name, Continued(first+"x", m)) {
			t.Fatal("it continues another log")
		}
	})
	for _, odd := range []string{"log/restored-0", "log/restored-01", "log/restored-", "log/restored--1", "log/restored-100", "/restored-1", "log/restored-1x"} {
		if first, n := Restores(odd); first != odd || n != 0 {
			t.Errorf("%s was taken for a restored log: %q, %d", odd, first, n)
		}
	}
}

func TestACheckpointOfAnEarlierNameOpensUnderALaterOneOnly(t *testing.T) {
	signer, verifier := testSigner(t, "example.org/log", 1)
	text, err := SignCheckpoint(Checkpoint{Origin: "example.org/log", Size: 0, Root: emptyRoot()}, signer)
	if err != nil {
		t.Fatal(err)
	}
	key := testKey(1).Public().(ed25519.PublicKey)
	for _, origin := range []string{"example.org/log", "example.org/log/restored-1", "example.org/log/restored-7"} {
		if c, err := OpenEarlier(text, origin, key); err != nil || c.Origin != "example.org/log" {
			t.Errorf("under %s: %+v, %v", origin, c, err)
		}
	}
	for _, origin := range []string{"example.org/other", "example.org/log/restored-100", "example.org"} {
		if _, err := OpenEarlier(text, origin, key); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("under %s: %v", origin, err)
		}
	}
	if _, err := OpenEarlier(text, "example.org/log", testKey(2).Public().(ed25519.PublicKey)); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("with another key: %v", err)
	}
	later, _ := testSigner(t, "example.org/log/restored-2", 1)
	if text, err = SignCheckpoint(Checkpoint{Origin: "example.org/log/restored-2", Size: 0, Root: emptyRoot()}, later); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenEarlier(text, "example.org/log/restored-1", key); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("a later log's checkpoint passed for an earlier one: %v", err)
	}
	if _, err := OpenCheckpoint(text, "example.org/log", verifier); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("the names are mixed up: %v", err)
	}
}

func TestWhatSurvivesOfAnEarlierLog(t *testing.T) {
	restored := []int64{100, 40, 70}
	for _, c := range []struct {
		now, then int
		want      int64
	}{{3, 3, -1}, {3, 2, 70}, {3, 1, 40}, {3, 0, 40}, {1, 0, 100}, {0, 0, -1}, {2, 1, 40}} {
		if got := Surviving(Continued("log", c.now), Continued("log", c.then), restored); got != c.want {
			t.Errorf("of the log after %d restores, after %d: %d, want %d", c.then, c.now, got, c.want)
		}
	}
}
