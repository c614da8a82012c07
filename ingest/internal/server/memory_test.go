package server

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
)

func TestMemoryIsBoundedAndNeverBelowWhatLives(t *testing.T) {
	runtime.GC()
	before := living()
	held := make([]byte, 256<<20)
	runtime.GC()
	if after := living(); after < before+200<<20 {
		t.Errorf("with 256 MiB more it says %d after %d", after, before)
	}
	runtime.KeepAlive(held)
	for live, want := range map[uint64]int64{0: ampleMemory, 700 << 20: ampleMemory, 8 << 30: 9 << 30} {
		if got := memoryLimit(live); got != want {
			t.Errorf("of %d: %d, want %d", live, got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- boundMemory(ctx) }()
		synctest.Wait()
		if got := debug.SetMemoryLimit(-1); got != ampleMemory {
			t.Errorf("the limit is %d", got)
		}
		stop()
		<-ended
	})
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("the limit is %d when the server has ended", got)
	}
}
