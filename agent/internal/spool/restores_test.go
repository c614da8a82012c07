package spool

import (
	"fmt"
	"slices"
	"testing"
)

func note(size int64) []byte { return fmt.Appendf(nil, "log\n%d\nroot\n\n— log signature\n", size) }

func TestTheNewestCheckpointIsKnownAfterARestart(t *testing.T) {
	s := open(t, options(t.TempDir()))
	if s.Checkpoint() != nil {
		t.Fatal("there is one in a new spool")
	}
	for _, size := range []int64{5, 9, 7, 9} {
		if err := s.KeepCheckpoint(t.Context(), size, note(size), false); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if got := s.Checkpoint(); string(got) != string(note(9)) {
			t.Fatalf("the newest is %q", got)
		}
		s = reopen(t, s)
	}
	if err := s.KeepCheckpoint(t.Context(), 3, note(3), true); err != nil { // the first of another log
		t.Fatal(err)
	}
	if s = reopen(t, s); string(s.Checkpoint()) != string(note(3)) {
		t.Errorf("after another log began: %q", s.Checkpoint())
	}
}

func TestARestoreOfTheServerIsTakenInWhole(t *testing.T) {
	s := open(t, options(t.TempDir()))
	r := spooled(t, s, video)
	if err := s.Received(t.Context(), r.Evidence, 1, Receipt{Envelope: []byte("{}"), Item: r.Evidence, LogSize: 50, Checkpoint: note(50)}); err != nil {
		t.Fatal(err)
	}
	taken, err := s.ServerRestored(t.Context(), []int64{40, 30}, 31, note(31))
	if err != nil || taken != 1 {
		t.Fatalf("%d receipts, %v", taken, err)
	}
	for range 2 {
		got, err := s.Get(t.Context(), r.Evidence)
		if err != nil || got.State != StateFailed || !slices.Equal(s.Restored(), []int64{40, 30}) || string(s.Checkpoint()) != string(note(31)) {
			t.Fatalf("%s, %v, %v, %q", got.State, err, s.Restored(), s.Checkpoint())
		}
		s = reopen(t, s)
	}
	// More than nine: their order is that of their numbers.
	many := make([]int64, 12)
	for i := range many {
		many[i] = int64(100 - i)
	}
	if _, err := s.ServerRestored(t.Context(), many, 90, note(90)); err != nil {
		t.Fatal(err)
	}
	if s = reopen(t, s); !slices.Equal(s.Restored(), many) {
		t.Errorf("%v", s.Restored())
	}
}
