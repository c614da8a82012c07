package sqldb

import (
	"testing"
	"time"
)

// BlocksOf has blocks of n items made until the test ends, so that few items are searched
// as many are.
func BlocksOf(t *testing.T, n int) {
	blocks, first, walk, few, wait, union := perBlock, firstWalk, maxWalk, fewFound, coming, maxUnion
	t.Cleanup(func() {
		perBlock, firstWalk, maxWalk, fewFound, coming, maxUnion = blocks, first, walk, few, wait, union
	})
	perBlock, firstWalk, maxWalk, fewFound, coming = n, min(n, 500), 5*n, int64(n), -1e9*time.Second
}

// SealStepwise is Seal that tells what it has done.
var SealStepwise = sealUp
