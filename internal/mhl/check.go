package mhl

import "hash"

// Hash is a hash that came with a recording.
type Hash struct {
	Algorithm string // one of the constants above
	Value     string // as the lists write it, lower case where it is hex
	Origin    string // which list on the card says so, printable
}

// Outcome is how a hash that came with a recording compares with its bytes.
type Outcome string

// The outcomes.
const (
	Verified   Outcome = "verified"
	Differs    Outcome = "differs"
	NotChecked Outcome = "not checked" // the algorithm is not computed here
)

// Result is the outcome of one hash.
type Result struct {
	Hash
	Outcome Outcome
	Found   string // what the bytes have; empty when not checked
}

// Check compares a recording's bytes with the hashes that came with it. Write them
// all, in order, then ask for Results. For one goroutine.
type Check struct {
	expected []Hash
	running  map[string]hash.Hash
}

// NewCheck begins a check. Each algorithm is computed once, however many hashes
// ask for it.
func NewCheck(expected []Hash) *Check {
	c := &Check{expected: expected, running: map[string]hash.Hash{}}
	for _, e := range expected {
		if c.running[e.Algorithm] == nil {
			if h := newHash(e.Algorithm); h != nil {
				c.running[e.Algorithm] = h
			}
		}
	}
	return c
}

// Write takes the recording's next bytes. It never fails.
func (c *Check) Write(p []byte) (int, error) {
	weak(func() {
		for _, h := range c.running {
			h.Write(p)
		}
	})
	return len(p), nil
}

// Results compares, in the order of what was expected.
func (c *Check) Results() []Result {
	results := make([]Result, len(c.expected))
	for i, e := range c.expected {
		results[i] = Result{Hash: e, Outcome: NotChecked}
		h := c.running[e.Algorithm]
		if h == nil {
			continue
		}
		weak(func() { results[i].Found = text(e.Algorithm, h.Sum(nil)) })
		results[i].Outcome = Differs
		if results[i].Found == normal(e.Algorithm, e.Value) {
			results[i].Outcome = Verified
		}
	}
	return results
}
