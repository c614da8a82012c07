package export

import "sync/atomic"

// Progress is how far a package is. Its recordings are read twice: all of them to prove
// them, before anything goes out, and each again while it goes. Safe for concurrent use; a
// nil one counts nothing.
type Progress struct{ total, proven, sent atomic.Uint64 }

// Bytes returns how many bytes there are in all, as far as that is known yet, and how many
// of them are proven and sent.
func (p *Progress) Bytes() (total, proven, sent uint64) {
	return p.total.Load(), p.proven.Load(), p.sent.Load()
}

// proving notes what is read of a recording that is proven, and sending of one that goes
// out.
func (p *Progress) proving(f *footage) {
	if p == nil {
		return
	}
	first, behind := f.wanted()
	for index := first; index < behind; index++ {
		p.total.Add(f.length(index))
	}
	f.passed = &p.proven
}

func (p *Progress) sending(f *footage) {
	if p != nil {
		f.passed = &p.sent
	}
}
