package spool

import "testing"

func TestDockingsAreCountedOverRestartsAndNeverBackwards(t *testing.T) {
	s := open(t, options(t.TempDir()))
	for want := range uint64(3) {
		if n, err := s.NextDocking(t.Context()); err != nil || n != want+1 {
			t.Fatalf("%d, %v", n, err)
		}
	}
	if _, err := s.Distrust(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s)
	if n, err := s.Dockings(t.Context()); err != nil || n != 3 {
		t.Errorf("counted %d, %v", n, err)
	}
	if n, err := s.NextDocking(t.Context()); err != nil || n != 4 {
		t.Errorf("after a restart: %d, %v", n, err)
	}
	if _, err := s.Distrust(t.Context(), 90); err != nil {
		t.Fatal(err)
	}
	if n, err := s.NextDocking(t.Context()); err != nil || n != 91 {
		t.Errorf("after the server had seen 90: %d, %v", n, err)
	}
}
