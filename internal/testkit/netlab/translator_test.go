package netlab

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
)

// sum is the Internet checksum (RFC 1071) over parts.
func sum(parts ...[]byte) uint16 {
	var s uint32
	for _, p := range parts {
		for i := 0; i < len(p); i += 2 {
			word := uint32(p[i]) << 8
			if i+1 < len(p) {
				word |= uint32(p[i+1])
			}
			s += word
		}
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// made makes a whole packet from the client to the server, or the other way.
func made(protocol byte, from, to netip.AddrPort, payload []byte) []byte {
	header := map[byte]int{protocolTCP: 20, protocolUDP: 8}[protocol]
	p := make([]byte, 20+header, 20+header+len(payload))
	p = append(p, payload...)
	p[0], p[8], p[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	copy(p[12:], from.Addr().AsSlice())
	copy(p[16:], to.Addr().AsSlice())
	binary.BigEndian.PutUint16(p[20:], from.Port())
	binary.BigEndian.PutUint16(p[22:], to.Port())
	if protocol == protocolUDP {
		binary.BigEndian.PutUint16(p[24:], uint16(8+len(payload)))
	} else {
		p[32] = 5 << 4
	}
	binary.BigEndian.PutUint16(p[10:], sum(p[:20]))
	binary.BigEndian.PutUint16(p[sumPlace(protocol):], transportSum(p))
	return p
}

func sumPlace(protocol byte) int {
	return 20 + map[byte]int{protocolTCP: 16, protocolUDP: 6}[protocol]
}

// transportSum is what the checksum of UDP or TCP must be, whatever it says.
func transportSum(p []byte) uint16 {
	body := bytes.Clone(p[20:])
	binary.BigEndian.PutUint16(body[sumPlace(p[9])-20:], 0)
	pseudo := append(bytes.Clone(p[12:20]), 0, p[9], byte(len(body)>>8), byte(len(body)))
	s := sum(pseudo, body)
	if s == 0 && p[9] == protocolUDP {
		return 0xffff
	}
	return s
}

func checkSums(t *testing.T, p []byte) {
	t.Helper()
	if sum(p[:20]) != 0 {
		t.Errorf("the IP header's checksum is wrong: %x", p[:20])
	}
	at := sumPlace(p[9])
	if got, want := binary.BigEndian.Uint16(p[at:]), transportSum(p); got != want {
		t.Errorf("the checksum is %04x, want %04x", got, want)
	}
}

func ends(p []byte) (from, to netip.AddrPort) {
	one := func(address, port int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(p[address:address+4])), binary.BigEndian.Uint16(p[port:]))
	}
	return one(12, 20), one(16, 22)
}

var (
	inside = netip.MustParseAddrPort("198.18.0.1:40000")
	server = netip.MustParseAddrPort("198.18.0.2:4433")
)

func TestTheTranslatorChangesNothingUntilItForgets(t *testing.T) {
	tr := newTranslator(inside.Addr().As4())
	p := made(protocolUDP, inside, server, []byte("hello"))
	want := bytes.Clone(p)
	if tr.out(p); !bytes.Equal(p, want) {
		t.Error("a packet was changed")
	}
	if !tr.home(made(protocolUDP, server, inside, nil)) {
		t.Error("an answer was dropped")
	}
}

func TestAfterARebindingOnlyTheNewPortLeadsHome(t *testing.T) {
	for _, protocol := range []byte{protocolUDP, protocolTCP} {
		for _, readdress := range []bool{false, true} {
			tr := newTranslator(inside.Addr().As4())
			var seen []netip.AddrPort
			for range 3 {
				tr.forget(readdress)
				p := made(protocol, inside, server, []byte("an odd payload"))
				tr.out(p)
				checkSums(t, p)
				from, to := ends(p)
				if to != server || from.Port() == inside.Port() || (from.Addr() == inside.Addr()) == readdress {
					t.Errorf("protocol %d: the server sees %v to %v", protocol, from, to)
				}
				again := made(protocol, inside, server, nil)
				tr.out(again)
				if same, _ := ends(again); same != from {
					t.Errorf("one flow was seen from %v and from %v", from, same)
				}
				answer := made(protocol, server, from, []byte("odd"))
				if !tr.home(answer) {
					t.Fatalf("an answer to %v was dropped", from)
				}
				checkSums(t, answer)
				if _, to := ends(answer); to != inside {
					t.Errorf("an answer went to %v", to)
				}
				for _, old := range append(seen, inside) {
					if tr.home(made(protocol, server, old, nil)) {
						t.Errorf("an answer to %v, which was forgotten, found home", old)
					}
				}
				seen = append(seen, from)
			}
		}
	}
}

func TestUDPWithoutAChecksumStaysWithout(t *testing.T) {
	tr := newTranslator(inside.Addr().As4())
	tr.forget(true)
	p := made(protocolUDP, inside, server, []byte("hello"))
	binary.BigEndian.PutUint16(p[26:], 0)
	tr.out(p)
	if binary.BigEndian.Uint16(p[26:]) != 0 {
		t.Error("a checksum came from nowhere")
	}
	if sum(p[:20]) != 0 {
		t.Error("the IP header's checksum is wrong")
	}
}

// Whatever comes out of a device, the translator does not fail on it, and its
// checksums stay right where they were.
func FuzzTranslator(f *testing.F) {
	f.Add(made(protocolUDP, inside, server, []byte("hello")))
	f.Add(made(protocolTCP, inside, server, nil))
	f.Add([]byte{0x4f, 0, 0, 0, 0, 0, 0, 0, 0, 17})
	f.Fuzz(func(t *testing.T, p []byte) {
		tr := newTranslator(inside.Addr().As4())
		tr.forget(true)
		right := len(p) > 40 && p[0] == 0x45 && sum(p[:20]) == 0
		_, _, whole := ports(p)
		before := len(p)
		tr.out(p)
		tr.home(p)
		if len(p) != before {
			t.Error("the length changed")
		}
		if right && whole && sum(p[:20]) != 0 {
			t.Error("the IP header's checksum was right and is wrong")
		}
	})
}
