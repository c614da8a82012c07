package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

const kills = 25 // of each program

// Both programs are killed at random moments of running transfers. A camera is
// docked before each kill, so that there is always something to interrupt, and
// after each kill every promise is checked with the program dead.
func TestNothingIsLostWhenProgramsAreKilled(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := open(t, station.Options{}, "--unplugged", "--cameras", fmt.Sprint(2*kills), "--files", "3", "--file-size", "7MiB")
	victims := []struct {
		process **station.Process
		restart func() error
	}{
		{&s.Agent, func() error { return s.StartAgent(within(t)) }},
		{&s.Ingest, func() error { return s.StartIngest(within(t)) }},
	}
	interrupted := 0
	for round := range 2 * kills {
		victim := victims[round%2]
		control(t, s, "plug", fmt.Sprintf("1-%d", round+1))
		pause(t, time.Duration(random.IntN(700))*time.Millisecond)
		(*victim.process).Kill()
		if ok, _ := s.Drained(); !ok {
			interrupted++
		}
		sound(t, s)
		check(t, victim.restart())
	}
	t.Logf("%d kills, %d of them with recordings under way", 2*kills, interrupted)
	if interrupted < kills {
		t.Errorf("only %d of %d kills interrupted anything", interrupted, 2*kills)
	}
	drained(t, s)
	settled(t, s)
}

// pause lets the programs run for a random while; what the test waits for is
// the moment, not a state.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}
