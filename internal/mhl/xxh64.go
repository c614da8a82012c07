package mhl

import (
	"encoding/binary"
	"math/bits"
)

// The primes of XXH64 (XXH64 algorithm description, version 0.1.1, section "XXH64").
const (
	prime1 uint64 = 0x9E3779B185EBCA87
	prime2 uint64 = 0xC2B2AE3D27D4EB4F
	prime3 uint64 = 0x165667B19E3779F9
	prime4 uint64 = 0x85EBCA77C2B2AE63
	prime5 uint64 = 0x27D4EB2F165667C5

	stripe = 32 // bytes that the four lanes take together
)

// xxh64 is XXH64 with seed 0, as a hash.Hash. Its sum is big-endian, which is its
// canonical form.
type xxh64 struct {
	lanes [4]uint64
	held  [stripe]byte // what is not yet a whole stripe
	total uint64       // bytes written
}

func newXXH64() *xxh64 {
	x := &xxh64{}
	x.Reset()
	return x
}

func (x *xxh64) Size() int      { return 8 }
func (x *xxh64) BlockSize() int { return stripe }

func (x *xxh64) Reset() {
	first, second := prime1, prime2 // variables, so that the sums may wrap
	*x = xxh64{lanes: [4]uint64{first + second, second, 0, -first}}
}

func round(lane, input uint64) uint64 {
	return bits.RotateLeft64(lane+input*prime2, 31) * prime1
}

func (x *xxh64) Write(p []byte) (int, error) {
	n := len(p)
	held := int(x.total % stripe)
	x.total += uint64(n)
	if held > 0 {
		taken := copy(x.held[held:], p)
		p = p[taken:]
		if held+taken < stripe {
			return n, nil
		}
		x.stripes(x.held[:])
	}
	whole := len(p) - len(p)%stripe
	x.stripes(p[:whole])
	copy(x.held[:], p[whole:])
	return n, nil
}

func (x *xxh64) stripes(p []byte) {
	a, b, c, d := x.lanes[0], x.lanes[1], x.lanes[2], x.lanes[3]
	for ; len(p) >= stripe; p = p[stripe:] {
		a = round(a, binary.LittleEndian.Uint64(p))
		b = round(b, binary.LittleEndian.Uint64(p[8:]))
		c = round(c, binary.LittleEndian.Uint64(p[16:]))
		d = round(d, binary.LittleEndian.Uint64(p[24:]))
	}
	x.lanes = [4]uint64{a, b, c, d}
}

func (x *xxh64) Sum(to []byte) []byte {
	h := prime5
	if x.total >= stripe {
		h = 0
		for i, turn := range []int{1, 7, 12, 18} {
			h += bits.RotateLeft64(x.lanes[i], turn)
		}
		for _, lane := range x.lanes {
			h = (h^round(0, lane))*prime1 + prime4
		}
	}
	h += x.total
	rest := x.held[:x.total%stripe]
	for ; len(rest) >= 8; rest = rest[8:] {
		h = bits.RotateLeft64(h^round(0, binary.LittleEndian.Uint64(rest)), 27)*prime1 + prime4
	}
	if len(rest) >= 4 {
		h = bits.RotateLeft64(h^uint64(binary.LittleEndian.Uint32(rest))*prime1, 23)*prime2 + prime3
		rest = rest[4:]
	}
	for _, b := range rest {
		h = bits.RotateLeft64(h^uint64(b)*prime5, 11) * prime1
	}
	h = (h ^ h>>33) * prime2
	h = (h ^ h>>29) * prime3
	return binary.BigEndian.AppendUint64(to, h^h>>32)
}
