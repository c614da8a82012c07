package offload

import (
	"fmt"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/internal/mhl"
	"github.com/sealdock/sealdock/proto/evidence"
)

// maxHashes is how many of the hashes that came with a recording are taken over.
const maxHashes = 16

// brought begins a check of the hashes that came with an object on its medium; nil
// when none did.
func (d *Docking) brought(o camera.Object) *mhl.Check {
	hashed, ok := d.link.(camera.Hashed)
	if !ok {
		return nil
	}
	var expected []mhl.Hash
	for _, h := range hashed.Expected(o) {
		if len(expected) == maxHashes {
			break
		}
		expected = append(expected, mhl.Hash{Algorithm: clean(h.Algorithm, 32), Value: clean(h.Value, 256), Origin: clean(h.Origin, 1024)})
	}
	if len(expected) == 0 {
		return nil
	}
	return mhl.NewCheck(expected)
}

// compared takes the results of a check over. A hash that differs never keeps a
// recording out: it is taken in as it is, and people are told.
func (d *Docking) compared(it *item, check *mhl.Check) []evidence.SourceHash {
	if check == nil {
		return nil
	}
	var all []evidence.SourceHash
	for _, r := range check.Results() {
		result := evidence.HashUnchecked
		switch r.Outcome {
		case mhl.Verified:
			result = evidence.HashVerified
		case mhl.Differs:
			result = evidence.HashDiffers
			d.differs(it, fmt.Sprintf("%s: its %s hash in %s is %s, and its bytes have %s", it.source.Path, r.Algorithm, r.Origin, r.Value, r.Found))
		}
		all = append(all, evidence.SourceHash{Algorithm: r.Algorithm, Value: r.Value, Origin: r.Origin, Result: result})
	}
	return all
}

func (d *Docking) differs(it *item, what string) {
	d.find(evidence.FoundHashDiffers, "%s", what)
	d.alert(aboutSizes, what+". It is taken in as it is; a person must look.")
	d.log.Warn("a recording is not what a hash that came with it says", "path", it.source.Path, "what", what)
}
