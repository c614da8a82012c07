package server

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Go lets what lives in memory double before it looks for what does not. A server with
// ten thousand idle docks has no use for a gigabyte of that.
const (
	ampleMemory = 800 << 20 // up to here it may
	spareMemory = 8         // beyond, an eighth of what lives
	memoryEvery = 5 * time.Second
)

// boundMemory keeps the process's soft limit (runtime/debug.SetMemoryLimit) to that,
// unless somebody set GOMEMLIMIT.
func boundMemory(ctx context.Context) error {
	if os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	former := debug.SetMemoryLimit(ampleMemory)
	defer debug.SetMemoryLimit(former)
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			debug.SetMemoryLimit(memoryLimit(living()))
		}
	}
}

// memoryLimit is the soft limit for so many bytes that live.
func memoryLimit(live uint64) int64 { return int64(max(ampleMemory, live+live/spareMemory)) }

// living is how many bytes cannot be given back: what the last collection left, stacks,
// and what the runtime needs for itself.
func living() uint64 {
	all := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/metadata/mcache/inuse:bytes"},
		{Name: "/memory/classes/metadata/mspan/inuse:bytes"}, {Name: "/memory/classes/metadata/other:bytes"}, {Name: "/memory/classes/other:bytes"}, {Name: "/memory/classes/os-stacks:bytes"},
	}
	metrics.Read(all)
	var sum uint64
	for _, s := range all {
		sum += s.Value.Uint64()
	}
	return sum
}
